#!/usr/bin/env python3
"""
A slow and lossy path between two network namespaces, for kernels without netem: a pair of TUN devices, and this
program, which carries packets from one to the other late, or not at all.

Place: started by network-namespace.ts, which reads "up" from its output; ends when its input does. Needs root.
  tunem.py NS_A IP_A NS_B IP_B --delay MS --loss PERCENT --rate KBIT/S --mtu BYTES --seed N
The delay is for one way. A rate queues up to half a second and drops what is beyond.
"""
import argparse
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000
QUEUE_SECONDS = 0.5

parser = argparse.ArgumentParser()
for name in ("ns_a", "ip_a", "ns_b", "ip_b"):
    parser.add_argument(name)
for name in ("delay", "loss", "rate"):
    parser.add_argument("--" + name, type=float, default=0)
parser.add_argument("--mtu", type=int, default=1500)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()

libc = ctypes.CDLL(None, use_errno=True)
home = os.open("/proc/self/ns/net", os.O_RDONLY)


def enter(namespace):
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def open_tun(namespace, address, peer):
    """A descriptor of a TUN device in the namespace; it stays there, and goes with the descriptor."""
    there = os.open("/run/netns/" + namespace, os.O_RDONLY)
    enter(there)
    os.close(there)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tunem", IFF_TUN_NO_PI))
    mtu = str(options.mtu)
    for arguments in (
        ["addr", "add", address, "peer", peer, "dev", "tunem"],
        ["link", "set", "tunem", "mtu", mtu, "up"],
    ):
        subprocess.run(["ip", *arguments], check=True)
    enter(home)
    return tun


a = open_tun(options.ns_a, options.ip_a, options.ip_b)
b = open_tun(options.ns_b, options.ip_b, options.ip_a)
other_end = {a: b, b: a}
chance = random.Random(options.seed)
free_at = {a: 0.0, b: 0.0}
on_the_way = []
count = 0


def send(packet, to):
    global count
    at = time.monotonic()
    if chance.random() * 100 < options.loss:
        return
    if options.rate:
        start = max(free_at[to], at)
        if start - at > QUEUE_SECONDS:
            return
        free_at[to] = at = start + len(packet) * 8 / (options.rate * 1000)
    count += 1
    heapq.heappush(on_the_way, (at + options.delay / 1000, count, to, packet))


print("up", flush=True)
while True:
    now = time.monotonic()
    while on_the_way and on_the_way[0][0] <= now:
        _, _, to, packet = heapq.heappop(on_the_way)
        try:
            os.write(to, packet)
        except OSError:
            pass  # As a full queue of a real device does: lost.
    wait = max(0, on_the_way[0][0] - now) if on_the_way else None
    readable, _, _ = select.select([a, b, sys.stdin], [], [], wait)
    if sys.stdin in readable:
        break
    for end in readable:
        for _ in range(64):
            try:
                packet = os.read(end, 65536)
            except BlockingIOError:
                break
            send(packet, other_end[end])
