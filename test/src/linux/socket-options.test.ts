/** Options of sockets, read back from the kernel. */
import t, { type Test } from 'tap';
import * as abi from '../../../src/linux/abi.ts';
import { prepareSocket, replaceSocketOptions, setSocketOptions } from '../../../src/linux/socket-options.ts';
import { libc, withoutLibc } from '../../harness/real-libc.ts';

function socket(t: Test, family: number): number {
  const fd = libc().socket(family, abi.SOCK_STREAM | abi.SOCK_CLOEXEC, 0);
  t.teardown(() => libc().close(fd));
  return fd;
}

function get(fd: number, level: number, option: number): number {
  const [value, length] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32LE(4);
  t.equal(libc().getsockopt(fd, level, option, value, length), 0);
  return value.readInt32LE();
}

for (const [name, family] of [
  ['IPv4', abi.AF_INET],
  ['IPv6', abi.AF_INET6],
] as const)
  void t.test(`${name}: what has to be set before it is bound`, { skip: withoutLibc }, t => {
    const fd = socket(t, family);
    const early = { sendBufferBytes: 65_536, receiveBufferBytes: 32_768, dscp: 46, freebind: true } as const;
    t.equal(prepareSocket(libc(), fd, family, { ...early, interface: 'lo', source: ['127.0.0.1'] }), 0);
    t.equal(get(fd, abi.SOL_SOCKET, abi.SO_SNDBUF), 2 * 65_536, 'the kernel doubles it');
    t.equal(get(fd, abi.SOL_SOCKET, abi.SO_RCVBUF), 2 * 32_768);
    t.equal(get(fd, abi.IPPROTO_IP, abi.IP_TOS), 46 << 2);
    if (family === abi.AF_INET6) t.equal(get(fd, abi.IPPROTO_IPV6, abi.IPV6_TCLASS), 46 << 2);
    t.equal(get(fd, abi.IPPROTO_IP, abi.IP_BIND_ADDRESS_NO_PORT), 1);
    t.not(
      prepareSocket(libc(), fd, family, { interface: 'no-such-if' }),
      0,
      'an interface that is not there',
    );
    const EPERM = 1;
    const errno = prepareSocket(libc(), socket(t, family), family, { source: 'client' });
    t.ok([0, EPERM].includes(errno), `the address of another machine takes a privilege: ${errno}`);
    t.end();
  });

void t.test(
  'a listening socket gets other options, and loses those that are gone',
  { skip: withoutLibc },
  t => {
    const fd = socket(t, abi.AF_INET6);
    const keepalive = { idleMs: 60_000, intervalMs: 10_000, count: 6 };
    const early = { sendBufferBytes: 65_536, receiveBufferBytes: 65_536, dscp: 10, interface: 'lo' };
    const before = { keepalive, userTimeoutMs: 5_000, deferAcceptMs: 5_000, noDelay: false, early } as const;
    const fresh = get(fd, abi.SOL_SOCKET, abi.SO_SNDBUF);
    setSocketOptions(libc(), fd, { keepalive, userTimeoutMs: 5_000, deferAcceptMs: 5_000 });
    t.equal(get(fd, abi.IPPROTO_TCP, abi.TCP_USER_TIMEOUT), 5_000);
    replaceSocketOptions(libc(), fd, before, undefined);
    t.same(
      [
        get(fd, abi.SOL_SOCKET, abi.SO_KEEPALIVE),
        get(fd, abi.IPPROTO_TCP, abi.TCP_NODELAY),
        get(fd, abi.SOL_SOCKET, abi.SO_SNDBUF),
        get(fd, abi.IPPROTO_IPV6, abi.IPV6_TCLASS),
      ],
      [1, 0, 2 * 65_536, 10 << 2],
    );
    replaceSocketOptions(libc(), fd, { backlog: 7 }, before);
    t.same(
      [
        get(fd, abi.SOL_SOCKET, abi.SO_KEEPALIVE),
        get(fd, abi.IPPROTO_TCP, abi.TCP_NODELAY),
        get(fd, abi.SOL_SOCKET, abi.SO_SNDBUF),
        get(fd, abi.IPPROTO_IPV6, abi.IPV6_TCLASS),
        get(fd, abi.IPPROTO_TCP, abi.TCP_USER_TIMEOUT),
      ],
      [0, 1, fresh, 0, 0],
      'as a new socket',
    );
    t.end();
  },
);
