/** Options of sockets that a system does not have are named before anything is bound. */
import t from 'tap';

import { missingOptions, type System } from '../../../src/host/socket-support.ts';
import * as abi from '../../../src/linux/abi.ts';
import type { Libc } from '../../../src/linux/libc.ts';
import type { SocketOptions } from '../../../src/support/socket.ts';
import { libc, withoutLibc } from '../../harness/real-libc.ts';
import { constants } from 'node:os';

const read = (): string => '3\n';
const WITHOUT: System = { libc: () => ({ ok: false, reason: 'koffi cannot be loaded (gone)' }), read };

void t.test('without the C library Node sets some, and the others are named with the reason', t => {
  const ofNode: SocketOptions = {
    ...{ keepalive: { idleMs: 1000, intervalMs: 1000, count: 1 }, noDelay: false, backlog: 5 },
  };
  t.same(missingOptions(ofNode, WITHOUT), []);
  const others: SocketOptions = {
    ...{ userTimeoutMs: 1, deferAcceptMs: 1, fastOpen: 1 },
    early: {
      ...{ sendBufferBytes: 1, receiveBufferBytes: 1, dscp: 0, interface: 'lo' },
      ...{ freebind: true, mptcp: true },
    },
  };
  const why = 'koffi cannot be loaded (gone)';
  t.same(
    missingOptions(others, WITHOUT),
    [
      ...(['userTimeoutMs', 'deferAcceptMs', 'fastOpen', 'sendBufferBytes', 'receiveBufferBytes'] as const),
      ...(['dscp', 'interface', 'freebind', 'mptcp'] as const),
    ].map(option => ({ option, why })),
  );
  t.end();
});

void t.test('where nothing is asked for the C library is not even loaded', t => {
  const system: System = {
    libc: () => {
      throw new Error('loaded');
    },
    read,
  };
  t.same(missingOptions({ early: undefined, userTimeoutMs: undefined }, system), []);
  t.end();
});

void t.test('what the kernel refuses', { skip: withoutLibc }, t => {
  const failing = (option: number, code: number): System => {
    let failed = false;
    const broken: Libc = {
      ...libc(),
      socket: (family, type, protocol) => {
        failed = protocol === option;
        return failed ? -1 : libc().socket(family, type, protocol);
      },
      setsockopt: (fd, level, name, value, bytes) => {
        failed = name === option;
        return failed ? -1 : libc().setsockopt(fd, level, name, value, bytes);
      },
      errno: () => (failed ? code : libc().errno()),
    };
    return { libc: () => ({ ok: true, libc: broken }), read };
  };
  const why = (options: SocketOptions, option: number, code: number): string | undefined =>
    missingOptions(options, failing(option, code))[0]?.why;
  const through = { early: { interface: 'eth9' } };
  t.equal(why(through, abi.SO_BINDTODEVICE, constants.errno.EPERM), 'it needs root or CAP_NET_RAW (EPERM)');
  t.equal(why(through, abi.SO_BINDTODEVICE, constants.errno.ENODEV), 'there is no interface eth9 (ENODEV)');
  t.equal(
    why({ early: { mptcp: true } }, abi.IPPROTO_MPTCP, constants.errno.EPROTONOSUPPORT),
    'this kernel has no MPTCP (EPROTONOSUPPORT)',
  );
  t.equal(
    why({ early: { mptcp: true } }, abi.IPPROTO_MPTCP, constants.errno.ENOPROTOOPT),
    'MPTCP is switched off (sysctl -w net.mptcp.enabled=1)',
  );
  t.equal(
    why({ early: { mptcp: true } }, abi.IPPROTO_MPTCP, constants.errno.EMFILE),
    undefined,
    'a shortage',
  );
  t.equal(
    why({ early: { freebind: true } }, abi.IP_FREEBIND, constants.errno.ENOPROTOOPT),
    'this kernel does not have it (ENOPROTOOPT)',
  );
  t.end();
});

void t.test('TCP Fast Open that is switched off for servers', { skip: withoutLibc }, t => {
  const system = (text: string | undefined): System => ({
    libc: () => ({ ok: true, libc: libc() }),
    read: () => text,
  });
  t.same(missingOptions({ fastOpen: 5 }, system('1\n')), [
    {
      option: 'fastOpen',
      why: 'no listener has it while net.ipv4.tcp_fastopen is 1 (sysctl -w net.ipv4.tcp_fastopen=3)',
    },
  ]);
  t.same(missingOptions({ fastOpen: 5 }, system('2\n')), []);
  t.same(missingOptions({ fastOpen: 5 }, system(undefined)), [], 'the system does not say');
  t.end();
});
