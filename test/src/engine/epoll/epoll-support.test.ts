/** Whether the engine works here: each call that may be missing is named, and nothing stays open. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import t from 'tap';

import { epollSupport } from '../../../../src/engine/epoll/epoll-support.ts';
import { loadLibc, type Libc } from '../../../../src/linux/libc.ts';
import { NetworkNamespace, skipWithoutNamespaces } from '../../../harness/network-namespace.ts';
import { runWithoutCall } from '../../../harness/seccomp.ts';

const CALLS = [
  'epoll_create1',
  'eventfd',
  'socketpair',
  'socket',
  'setsockopt',
  'bind',
  'listen',
  'getsockname',
  'connect',
  'accept4',
  'epoll_ctl',
  'send',
  'epoll_wait',
  'ioctl',
  'getsockopt',
  'pipe2',
  'splice',
  'recv',
  'shutdown',
  'fcntl',
] as const satisfies readonly (keyof Libc)[];

/** As the kernel calls it, where that is not the C library's name: these have no system call of their own. */
const KERNEL_NAMES: Readonly<Record<string, string>> = { send: 'sendto', recv: 'recvfrom' };

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

void t.test('this machine has all it takes, or a reason', t => {
  const support = epollSupport();
  if (loaded.ok) t.strictSame(support.ok, true);
  else t.strictSame(support, loaded);
  t.end();
});

void t.test('what is missing before any call is passed on', t => {
  t.strictSame(
    epollSupport(() => ({ ok: false, reason: 'no koffi' })),
    { ok: false, reason: 'no koffi' },
  );
  t.end();
});

for (const call of CALLS) {
  void t.test(`${call} not allowed is a reason that names it, with nothing left open`, { skip }, t => {
    if (!loaded.ok) return;
    let failed = false;
    const libc = { ...loaded.libc };
    libc[call] = () => {
      failed = true;
      return -1;
    };
    libc.errno = () => (failed ? constants.errno.EPERM : loaded.libc.errno());
    const before = openDescriptors();
    t.strictSame(
      epollSupport(() => ({ ok: true, libc })),
      {
        ok: false,
        reason: `the system does not allow ${call} (EPERM)`,
      },
    );
    t.equal(openDescriptors(), before);
    t.end();
  });
}

const { EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EINVAL, EMFILE, ENETUNREACH, ENOBUFS } = constants.errno;
for (const [call, errno, what] of [
  ['bind', EADDRINUSE, 'all ports are in use'],
  ['bind', EADDRNOTAVAIL, 'the interface is down'],
  ['connect', ENETUNREACH, 'there is no route'],
  ['accept4', EAGAIN, 'there is no client'],
  ['accept4', EINVAL, 'the socket could not be bound'],
  ['socketpair', EMFILE, 'descriptors have run out'],
  ['socket', ENOBUFS, 'memory has run out'],
] as const) {
  void t.test(`${what}: ${call} fails, and is allowed all the same`, { skip }, t => {
    if (!loaded.ok) return;
    let failed = false;
    const libc = { ...loaded.libc };
    libc[call] = () => {
      failed = true;
      return -1;
    };
    libc.errno = () => (failed ? errno : loaded.libc.errno());
    const before = openDescriptors();
    t.ok(epollSupport(() => ({ ok: true, libc })).ok);
    t.ok(failed);
    t.equal(openDescriptors(), before);
    t.end();
  });
}

const withoutNamespaces = skipWithoutNamespaces('nft');
void t.test(
  'what the network is like decides nothing: loopback down, dropped, or without a port left',
  { skip: loaded.ok ? withoutNamespaces : skip },
  async t => {
    const namespace = await NetworkNamespace.create(`lb4-support-${process.pid}`);
    t.teardown(() => namespace.delete());
    const ask = (): Promise<boolean> => namespace.run(async () => epollSupport().ok);

    const ports = [50_000, 50_001, 50_002, 50_003];
    await namespace.set('ipv4/ip_local_port_range', '50000 50003');
    const undo = await namespace.filter(ports, 'drop');
    t.ok(await ask(), 'dropped');
    await undo();
    await namespace.run(async () => {
      const listening = createServer();
      const all = ports.map(port => createServer().listen({ host: '127.0.0.1', port }));
      await Promise.all(all.map(server => once(server, 'listening')));
      listening.listen({ host: '127.0.0.1', port: 0 });
      t.match((await once(listening, 'error'))[0], { code: 'EADDRINUSE' }, 'no port is left');
      t.ok(epollSupport().ok, 'used up');
      for (const server of all) server.close();
    });
    await namespace.ip('link', 'set', 'lo', 'down');
    t.ok(await ask(), 'down');
  },
);

void t.test('an error that is no failed call is not taken for one', { skip }, t => {
  if (!loaded.ok) return;
  const libc = {
    ...loaded.libc,
    listen: () => {
      throw new TypeError('a defect');
    },
  };
  const before = openDescriptors();
  t.throws(() => epollSupport(() => ({ ok: true, libc })), { message: 'a defect' });
  t.equal(openDescriptors(), before);
  t.end();
});

const PROGRAM = `
  import { epollSupport } from ${JSON.stringify(new URL('../../../../src/engine/epoll/epoll-support.js', import.meta.url).href)};
  const support = epollSupport();
  process.stdout.write(support.ok ? 'ok' : support.reason);`;

// Without epoll_ctl, epoll_wait, eventfd2, pipe2, ioctl, fcntl, read or write Node itself does not start, and
// without getsockopt it has no stdout.
for (const call of [
  'splice',
  'accept4',
  'sendto',
  'recvfrom',
  'shutdown',
  'bind',
  'listen',
  'none',
] as const) {
  void t.test(`under a seccomp filter that forbids ${call} the reason names it`, { skip }, async t => {
    const ran = await runWithoutCall(call, ['--input-type=module', '-e', PROGRAM]);
    if (ran === undefined) {
      t.pass('skipped: no seccomp filters here', { skip: true });
      return;
    }
    const [name = call] = Object.entries(KERNEL_NAMES).find(each => each[1] === call) ?? [];
    const expected = call === 'none' ? 'ok' : `the system does not allow ${name} (EPERM)`;
    t.equal(ran.stdout, expected, ran.stderr);
  });
}
