/**
 * Source ports: each connection to a backend takes one, and a pair of a source address and a backend's address has only
 * as many as the range.
 *
 * Place: connections to different addresses may share a port, so each backend is judged by itself. Connections of
 * other programs to the same address count, too, because they take ports from the same range.
 */
import { bytesOfIPv4, bytesOfIPv6 } from '../../support/ip-bytes.ts';
import { isIPv4, isIPv6 } from 'node:net';
import { formatAddress, type Address } from '../../support/address.ts';
import type { ReadFile } from '../../support/cgroup.ts';
import { fail, ok, unknown, warn, type Finding, type Judged, type Plan } from './finding.ts';
import { pathOf, sockstat, sysctl, textOf, whyUnreadable } from './kernel-files.ts';
import { PORT_RANGE as RANGE, sourcePortCount } from '../source-ports.ts';
import { grouped } from './words.ts';

const CHECK = 'source ports';
const WIDEN = `sysctl -w ${RANGE}="1024 65535", more addresses of this machine in source, or pool.reuse where the protocol allows it`;
/** The state of a connection that is over and keeps its port for a minute, as /proc/net/tcp has it. */
const TIME_WAIT = '06';
const NEARLY = 0.7;
const FULL = 0.95;

export function sourcePorts(judged: Judged): Finding[] {
  const { read } = judged.machine;
  const [from, to] = sysctl(read, RANGE) ?? [];
  const ports = sourcePortCount(read);
  if (ports === undefined) return [unknown(CHECK, whyUnreadable(read, pathOf(RANGE)))];
  const findings = [...busyBackends(judged, ports), ...tooFew(judged, ports), ...timeWaits(read)];
  if (findings.length > 0) return findings;
  return [ok(CHECK, `${grouped(ports)} for each backend (${RANGE} ${from} to ${to})${waiting(read)}`)];
}

/** Backends to which connections hold most of the ports already. */
function busyBackends({ machine, plan }: Judged, ports: number): Finding[] {
  const addresses = plan.upstreams.flatMap(({ backends }) => backends.map(({ address }) => address));
  const [reuse = 0] = sysctl(machine.read, 'net.ipv4.tcp_tw_reuse') ?? [];
  const held = connectionsTo(addresses, machine.read, machine.isLittleEndian);
  return [...held].flatMap(([address, pairs]) => {
    const { all, timeWait } = pairs.reduce((most, each) => (each.all > most.all ? each : most));
    const where = pairs.length === 1 ? 'in use' : `in use from one of ${pairs.length} addresses`;
    // 1: a new connection may take such a port after a second.
    const used = reuse === 1 ? all - timeWait : all;
    if (used < ports * NEARLY) return [];
    const figure = `${address}: ${grouped(used)} of ${grouped(ports)} ${where}, ${grouped(timeWait)} of them in TIME_WAIT`;
    const advice = timeWait > all / 2 ? `sysctl -w net.ipv4.tcp_tw_reuse=1; ${WIDEN}` : WIDEN;
    return [used >= ports * FULL ? fail(CHECK, figure, advice) : warn(CHECK, figure, advice)];
  });
}

/** Limits that cannot be reached, because ports run out before. */
function tooFew({ plan, outlook }: Judged, ports: number): Finding[] {
  return plan.upstreams.flatMap(({ name, backends, source }) => {
    // Each client has ports of its own.
    if (source === 'client') return [];
    const distant = backends.filter(({ address }) => address.kind === 'tcp');
    const single = distant.flatMap(({ address, maxSessions }) => {
      const own = ports * sourcesOf(address, source);
      if (maxSessions === undefined || maxSessions <= own) return [];
      const figure = `${name} ${formatAddress(address)}: ${grouped(own)}; its maxSessions is ${grouped(maxSessions)}`;
      return [fail(CHECK, figure, WIDEN)];
    });
    if (single.length > 0 || distant.length === 0 || distant.length < backends.length) return single;
    const different = new Map(distant.map(({ address }) => [formatAddress(address), address]));
    const room = [...different.values()].reduce(
      (sum, address) => sum + ports * sourcesOf(address, source),
      0,
    );
    const figure = `${name}: ${grouped(room)} for its ${distant.length === 1 ? 'backend' : 'backends together'}`;
    if (plan.maxSessions !== undefined && plan.maxSessions > room)
      return [fail(CHECK, `${figure}; ${grouped(plan.maxSessions)} sessions are configured`, WIDEN)];
    const most = limitBy(plan, backends);
    const allowed = outlook?.ok === true ? outlook.sessions.maxSessions : 0;
    if (allowed === Infinity || Math.min(allowed, most) <= room) return [];
    return [
      warn(
        CHECK,
        `${figure}; descriptors allow ${grouped(allowed)} sessions, so ports run out first and connects fail`,
        `maxSessions for the backends or the instance, so that clients wait; or ${WIDEN}`,
      ),
    ];
  });
}

/** Addresses that connections to a backend come from. A name may stand for either family. */
function sourcesOf(address: Address, source: readonly string[] = []): number {
  const isV6 = address.kind === 'tcp' && isIPv6(address.host);
  return Math.max(source.filter(each => isIPv6(each) === isV6).length, 1);
}

function limitBy(plan: Plan, backends: Plan['upstreams'][number]['backends']): number {
  const all = backends.reduce((sum, { maxSessions = Infinity }) => sum + maxSessions, 0);
  return Math.min(plan.maxSessions ?? Infinity, all);
}

function timeWaits(read: ReadFile): Finding[] {
  const [most] = sysctl(read, 'net.ipv4.tcp_max_tw_buckets') ?? [];
  const now = sockstat(read, 'TCP', 'tw');
  if (most === undefined || now === undefined || now < most * FULL) return [];
  const figure = `${grouped(now)} connections in TIME_WAIT, of ${grouped(most)} that are kept`;
  return [warn(CHECK, figure, `sysctl -w net.ipv4.tcp_max_tw_buckets=${most * 2}`)];
}

function waiting(read: ReadFile): string {
  const now = sockstat(read, 'TCP', 'tw');
  return now === undefined ? '' : `; ${grouped(now)} connections of the machine in TIME_WAIT`;
}

/** Connections by the address that they lead to, for addresses that are IP addresses: of each address they come from. */
function connectionsTo(
  addresses: readonly Address[],
  read: ReadFile,
  isLittleEndian: boolean,
): Map<string, readonly Counts[]> {
  const names = new Map<string, string>();
  for (const address of addresses) {
    if (address.kind !== 'tcp') continue;
    const key = keyOf(address.host, address.port, isLittleEndian);
    if (key !== undefined) names.set(key, formatAddress(address));
  }
  const found = new Map<string, Map<string, Counts>>();
  if (names.size === 0) return new Map();
  for (const table of ['tcp', 'tcp6']) {
    for (const line of (textOf(read, `/proc/net/${table}`) ?? '').split('\n')) {
      const [, local = '', remote = '', state] = line.trim().split(/\s+/, 4);
      const name = names.get(remote);
      if (name === undefined) continue;
      const pairs = found.get(name) ?? new Map<string, Counts>();
      const [from = ''] = local.split(':');
      const counts = pairs.get(from) ?? { all: 0, timeWait: 0 };
      counts.all += 1;
      if (state === TIME_WAIT) counts.timeWait += 1;
      found.set(name, pairs.set(from, counts));
    }
  }
  return new Map(Array.from(found, ([name, pairs]) => [name, [...pairs.values()]]));
}

interface Counts {
  all: number;
  timeWait: number;
}

/** As /proc/net/tcp prints it: words of 32 bits as the machine holds them. */
function keyOf(host: string, port: number, isLittleEndian: boolean): string | undefined {
  const bytes = isIPv4(host) ? bytesOfIPv4(host) : isIPv6(host) ? bytesOfIPv6(host) : undefined;
  if (bytes === undefined) return undefined;
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const word = [...bytes.slice(at, at + 4)];
    for (const byte of isLittleEndian ? word.reverse() : word) text += hex(byte, 2);
  }
  return `${text}:${hex(port, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
