/** Listening sockets for several workers: who gets which client, and which address is refused. */
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import t, { type Test } from 'tap';

import * as abi from '../../../src/linux/abi.ts';
import { createEpollEngine, type EpollEngine } from '../../../src/engine/epoll/epoll-engine.ts';
import { loadLibc, type Libc } from '../../../src/linux/libc.ts';
import {
  bindListeningSockets,
  closeDescriptor,
  duplicate,
  resetDescriptor,
} from '../../../src/linux/listening-sockets.ts';
import { encodeAddress } from '../../../src/linux/sockaddr.ts';
import type { Address } from '../../../src/support/address.ts';
import { hasFamily, socketPath } from '../../contracts/engine/fixture.ts';
import { startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import { until } from '../../harness/until.ts';

const ANYWHERE: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

const loaded = loadLibc();
if (loaded.ok) tests(loaded.libc);
else t.pass(`skipped: ${loaded.reason}`, { skip: true });

function tests(libc: Libc): void {
  function newEngine(): EpollEngine {
    return createEpollEngine({ libc, now: () => performance.now(), clock: { nowMs: 0 }, ceilingMs: 1 });
  }

  async function bind(
    t: Test,
    address: Address,
    count = 1,
  ): Promise<{ address: Address; fds: readonly number[] }> {
    const sockets = await bindListeningSockets(libc, address, count);
    t.teardown(() => {
      for (const fd of sockets.fds) closeDescriptor(libc, fd);
    });
    return sockets;
  }

  /** Accepts on a duplicate of each descriptor; how many clients each got. */
  async function acceptOn(t: Test, address: Address, fds: readonly number[]): Promise<number[]> {
    const counts = fds.map(() => 0);
    for (const [i, fd] of fds.entries()) {
      const listener = await newEngine().listen(
        { kind: 'listening', fd: duplicate(libc, fd), address },
        {
          onClient: client => {
            counts[i]! += 1;
            t.teardown(() => client.reset());
          },
        },
      );
      t.teardown(() => listener.close());
    }
    return counts;
  }

  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

  async function connectMany(t: Test, address: Address, count: number): Promise<void> {
    for (let i = 0; i < count; i += 50)
      await Promise.all(Array.from({ length: 50 }, () => connectClient(t, address)));
  }

  void t.test('several sockets of one address share its clients, with port 0 too', async t => {
    const { address, fds } = await bind(t, ANYWHERE, 3);
    t.ok(address.kind === 'tcp' && address.port > 0, 'the port is told');
    t.equal(new Set(fds).size, 3);
    const counts = await acceptOn(t, address, fds);
    await connectMany(t, address, 300);
    await until('everybody is accepted', () => sum(counts) === 300);
    t.ok(
      counts.every(count => count > 30),
      counts.join(', '),
    );
  });

  void t.test('all workers accept from the one socket of a unix address', async t => {
    const { address, fds } = await bind(t, { kind: 'unix', path: socketPath(t) }, 3);
    t.equal(new Set(fds).size, 3);
    const counts = await acceptOn(t, address, fds);
    await connectMany(t, address, 100);
    await until('everybody is accepted', () => sum(counts) === 100);
    t.pass();
  });

  void t.test('a client that waits is served although its worker has died', async t => {
    const { address, fds } = await bind(t, ANYWHERE);
    closeDescriptor(libc, duplicate(libc, fds[0]!));
    const early = await connectClient(t, address);
    await early.send('early');
    const counts = await acceptOn(t, address, fds);
    await until('it is accepted', () => sum(counts) === 1);
    t.pass();
  });

  void t.test('an address that another program listens on is refused, with nothing left open', async t => {
    const { address } = await startBackend(t);
    const before = openDescriptors();
    for (const count of [1, 3]) {
      await t.rejects(bindListeningSockets(libc, address, count), {
        code: 'LB4_LISTEN_FAILED',
        message: /EADDRINUSE, the address is in use by this process itself$/,
      });
    }
    t.equal(openDescriptors(), before);
  });

  void t.test('also when that program would share it (SO_REUSEPORT)', async t => {
    const { address } = await bind(t, ANYWHERE, 2);
    const before = openDescriptors();
    await t.rejects(bindListeningSockets(libc, address, 2), { code: 'LB4_LISTEN_FAILED' });
    t.equal(openDescriptors(), before);

    // One that has only bound the address, sharing, and does not listen yet.
    const { family } = encodeAddress(ANYWHERE);
    const fd = libc.socket(family, abi.SOCK_STREAM | abi.SOCK_CLOEXEC, 0);
    t.teardown(() => libc.close(fd));
    const on = Buffer.from([1, 0, 0, 0]);
    libc.setsockopt(fd, abi.SOL_SOCKET, abi.SO_REUSEPORT, on, on.length);
    const { bytes } = encodeAddress(ANYWHERE);
    t.equal(libc.bind(fd, bytes, bytes.length), 0);
    const length = Buffer.from([bytes.length, 0, 0, 0]);
    t.equal(libc.getsockname(fd, bytes, length), 0);
    const port = bytes.readUInt16BE(2);
    await t.rejects(bindListeningSockets(libc, { kind: 'tcp', host: '127.0.0.1', port }, 2), {
      code: 'LB4_LISTEN_FAILED',
    });
  });

  void t.test('a call that fails half-way leaves nothing open', async t => {
    for (const call of ['socket', 'setsockopt', 'bind', 'listen', 'getsockname', 'fcntl'] as const) {
      for (const after of [0, 1, 2, 3]) {
        let calls = 0;
        let failed = false;
        const failing = { ...libc };
        const real = Reflect.get(libc, call) as (...args: unknown[]) => number;
        failing[call] = (...args: unknown[]): number => {
          if (calls++ < after) return real(...args);
          failed = true;
          return -1;
        };
        failing.errno = () => (failed ? constants.errno.EMFILE : libc.errno());
        const path = socketPath(t);
        for (const address of [ANYWHERE, { kind: 'unix', path } as const]) {
          calls = 0;
          failed = false;
          const before = openDescriptors();
          try {
            for (const fd of (await bindListeningSockets(failing, address, 3)).fds) libc.close(fd);
            t.notOk(failed, `${call} failed unnoticed`);
          } catch (error) {
            t.match(error, { code: 'LB4_LISTEN_FAILED', message: /EMFILE/ });
          }
          t.equal(openDescriptors(), before, `${call}, call ${after + 1}, ${address.kind}`);
        }
      }
    }
  });

  void t.test('an address that is nobody’s is refused in plain words', async t => {
    await t.rejects(bindListeningSockets(libc, { kind: 'tcp', host: '192.0.2.99', port: 0 }, 2), {
      message: /EADDRNOTAVAIL, no interface of this machine has this address$/,
    });
    const nowhere = { kind: 'unix', path: '/no-such-directory/socket' } as const;
    await t.rejects(bindListeningSockets(libc, nowhere, 1), { message: /the directory does not exist$/ });
  });

  void t.test('without a host both families are let in, on every socket', async t => {
    if (!(await hasFamily(t, 'IPv6'))) return;
    const { address, fds } = await bind(t, { kind: 'tcp', host: '', port: 0 }, 2);
    t.equal(address.kind === 'tcp' && address.host, '::');
    const counts = await acceptOn(t, address, fds);
    const port = address.kind === 'tcp' ? address.port : 0;
    await connectMany(t, { kind: 'tcp', host: '::1', port }, 50);
    await connectMany(t, { kind: 'tcp', host: '127.0.0.1', port }, 50);
    await until('everybody is accepted', () => sum(counts) === 100);
    t.ok(counts.every(count => count > 0));
  });

  void t.test('[::] is IPv6 alone, and stands beside 0.0.0.0 on one port', async t => {
    if (!(await hasFamily(t, 'IPv6'))) return;
    const { address: six, fds: sixFds } = await bind(t, { kind: 'tcp', host: '::', port: 0 }, 2);
    const port = six.kind === 'tcp' ? six.port : 0;
    await t.rejects(connectClient(t, { kind: 'tcp', host: '127.0.0.1', port }), { code: 'ECONNREFUSED' });
    const four = { kind: 'tcp', host: '0.0.0.0', port } as const;
    const { fds: fourFds } = await bind(t, four, 2);
    const sixCounts = await acceptOn(t, six, sixFds);
    const fourCounts = await acceptOn(t, four, fourFds);
    await connectMany(t, { kind: 'tcp', host: '127.0.0.1', port }, 50);
    await until('everybody is accepted', () => sum(fourCounts) === 50);
    t.equal(sum(sixCounts), 0);
  });

  void t.test('a machine without IPv6 listens on IPv4 when no host is given', async t => {
    const none = { ...libc };
    none.socket = (family, type, protocol) =>
      family === abi.AF_INET6 ? -1 : libc.socket(family, type, protocol);
    none.errno = () => constants.errno.EAFNOSUPPORT;
    const { address, fds } = await bindListeningSockets(none, { kind: 'tcp', host: '', port: 0 }, 1);
    t.equal(address.kind === 'tcp' && address.host, '0.0.0.0');
    for (const fd of fds) libc.close(fd);
  });

  void t.test('what does not listen is not taken over, and closed', async t => {
    const { family } = encodeAddress(ANYWHERE);
    const before = openDescriptors();
    for (const open of [
      () => libc.eventfd(0, abi.EFD_CLOEXEC),
      () => libc.socket(family, abi.SOCK_STREAM | abi.SOCK_CLOEXEC, 0),
    ]) {
      await t.rejects(
        newEngine().listen(
          { kind: 'listening', fd: open(), address: ANYWHERE },
          { onClient: () => undefined },
        ),
        { code: 'LB4_LISTEN_FAILED' },
      );
    }
    // Two engines, each with a descriptor of its own.
    t.equal(openDescriptors(), before + 2);
  });

  void t.test('a connection that its worker has left behind can be reset', async t => {
    const backend = await startBackend(t);
    const { bytes } = encodeAddress(backend.address);
    const fd = libc.socket(abi.AF_INET, abi.SOCK_STREAM | abi.SOCK_CLOEXEC, 0);
    t.equal(libc.connect(fd, bytes, bytes.length), 0);
    const peer = await backend.next();
    resetDescriptor(libc, fd);
    t.equal(await peer.untilEnded(), 'reset');
    t.equal(libc.close(fd), -1, 'it is closed');
  });
}
