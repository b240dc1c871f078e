/**
 * The TCP sockets of this process as the kernel has them, and what is set on them: lb4's own are among them where a
 * balancer runs in the test's process, in threads of its own or not.
 *
 * Place: tests of socket options. They ask with their own libc, whatever lb4 believes it has set.
 */
import { readdirSync } from 'node:fs';
import * as abi from '../../src/linux/abi.ts';
import { decodeAddress, SOCKADDR_BYTES } from '../../src/linux/sockaddr.ts';
import { backlogOf } from '../../src/linux/socket-options.ts';
import { isListening } from '../../src/engine/epoll/keep-listening.ts';
import { libc } from './real-libc.ts';

export interface KernelSocket {
  readonly fd: number;
  readonly listens: boolean;
  readonly localHost: string;
  readonly localPort: number;
  /** 0 for one that listens. */
  readonly peerPort: number;
}

const SO_PROTOCOL = 38;

/** All TCP sockets that are open in this process. */
export function kernelSockets(): readonly KernelSocket[] {
  const calls = libc();
  return readdirSync('/proc/self/fd').flatMap(name => {
    const fd = Number(name);
    const local = addressBy((...args) => calls.getsockname(...args), fd);
    if (local === undefined) return [];
    const peerPort = addressBy((...args) => calls.getpeername(...args), fd)?.port ?? 0;
    const listens = isListening(libc(), fd) === true;
    return [{ fd, listens, localHost: local.host, localPort: local.port, peerPort }];
  });
}

/** The first that matches; throws when there is none. */
export function kernelSocket(
  matches: Partial<Omit<KernelSocket, 'fd'>>,
  among: readonly KernelSocket[] = kernelSockets(),
): KernelSocket {
  const found = among.find(socket =>
    Object.entries(matches).every(([key, value]) => Reflect.get(socket, key) === value),
  );
  if (found === undefined) throw new Error(`no socket is like ${JSON.stringify(matches)}`);
  return found;
}

/** What is set on it. Buffers as the kernel counts them, which is twice what was asked for. */
export function optionsOf({ fd }: Pick<KernelSocket, 'fd'>) {
  const get = (level: number, option: number): number => {
    const value = Buffer.alloc(4);
    libc().getsockopt(fd, level, option, value, Buffer.from([4, 0, 0, 0]));
    return value.readInt32LE();
  };
  return {
    protocol: get(abi.SOL_SOCKET, SO_PROTOCOL) === abi.IPPROTO_MPTCP ? 'MPTCP' : 'TCP',
    noDelay: get(abi.IPPROTO_TCP, abi.TCP_NODELAY),
    sendBuffer: get(abi.SOL_SOCKET, abi.SO_SNDBUF),
    receiveBuffer: get(abi.SOL_SOCKET, abi.SO_RCVBUF),
    bufferLocks: get(abi.SOL_SOCKET, abi.SO_BUF_LOCK),
    tos: get(abi.IPPROTO_IP, abi.IP_TOS),
    trafficClass: get(abi.IPPROTO_IPV6, abi.IPV6_TCLASS),
    interface: interfaceOf(fd),
    freebind: get(abi.IPPROTO_IP, abi.IP_FREEBIND),
    fastOpen: get(abi.IPPROTO_TCP, abi.TCP_FASTOPEN),
    userTimeout: get(abi.IPPROTO_TCP, abi.TCP_USER_TIMEOUT),
    keepalive: get(abi.SOL_SOCKET, abi.SO_KEEPALIVE),
    backlog: backlogOf(libc(), fd, 'tcp'),
  };
}

function interfaceOf(fd: number): string {
  const name = Buffer.alloc(16);
  const length = Buffer.from([16, 0, 0, 0]);
  libc().getsockopt(fd, abi.SOL_SOCKET, abi.SO_BINDTODEVICE, name, length);
  return name.subarray(0, Math.max(length.readInt32LE() - 1, 0)).toString();
}

function addressBy(
  call: (fd: number, address: Uint8Array, bytes: Uint8Array) => number,
  fd: number,
): { readonly host: string; readonly port: number } | undefined {
  const bytes = Buffer.alloc(SOCKADDR_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  if (call(fd, bytes, length) < 0) return undefined;
  const address = decodeAddress(bytes, length.readUInt32LE());
  return address?.kind === 'tcp' ? address : undefined;
}
