/**
 * The suite that every way into the C library passes: results, errors and bytes of each call, first as V8 interprets
 * it and then compiled, because an FFI may have a way of its own for compiled code.
 *
 * Place: test/src/linux/libc.test.ts calls it once for each FFI that this Node can load.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';

import * as abi from '../../src/linux/abi.ts';
import type { Libc } from '../../src/linux/libc.ts';
import { encodeAddress, hostOf, portOf, SOCKADDR_BYTES } from '../../src/linux/sockaddr.ts';
import { errnoName } from '../../src/linux/system-error.ts';

const STREAM = abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
const ROUNDS = 30_000;
const { SIGKILL, SIGTTIN } = constants.signals;

/** `isStandIn`: it exists in this thread only, so what needs another one is left out. */
export function libcContract(t: Test, libc: Libc, { isStandIn = false } = {}): void {
  const failure = (result: number): string => (result < 0 ? errnoName(libc.errno()) : 'it has not failed');
  const pair = (t: Test): readonly [number, number] => {
    const fds = Buffer.alloc(8);
    t.equal(libc.socketpair(abi.AF_UNIX, STREAM, 0, fds), 0);
    const [one, other] = [fds.readInt32LE(0), fds.readInt32LE(4)] as const;
    t.teardown(() => [one, other].map(fd => libc.close(fd)));
    return [one, other];
  };
  const opened = (t: Test, fd: number): number => {
    t.ok(fd >= 0, `a descriptor, not ${failure(fd)}`);
    t.teardown(() => libc.close(fd));
    return fd;
  };

  void t.test('a call that fails returns -1, and errno says why', t => {
    const byte = Buffer.alloc(1);
    t.equal(failure(libc.close(-1)), 'EBADF');
    t.equal(failure(libc.recv(-1, byte, 1, 0)), 'EBADF', 'also where the result has 64 bits');
    t.equal(failure(libc.listen(0x7fffffff, 1)), 'EBADF');
    t.equal(failure(libc.socket(abi.AF_INET, 0x7fff, 0)), 'EINVAL');
    t.equal(failure(libc.splice(-1, null, -1, null, 16, 0)), 'EBADF');
    t.equal(failure(libc.signal(SIGKILL, abi.SIG_IGN)), 'EINVAL');
    const [one] = pair(t);
    t.equal(failure(libc.recv(one, byte, 1, 0)), 'EAGAIN');
    t.equal(failure(libc.connect(one, byte, 1)), 'EINVAL');
    t.end();
  });

  void t.test('errno is that of the last call that failed, whatever succeeded since', t => {
    const [one] = pair(t);
    // Nothing else between them: Node sets the errno of its thread to 0 before it reads a file.
    const closed = libc.close(-1);
    const flags = libc.fcntl(one, abi.F_GETFL, 0);
    const errno = libc.errno();
    t.equal(closed, -1);
    t.equal(flags & abi.O_NONBLOCK, abi.O_NONBLOCK);
    t.equal(errnoName(errno), 'EBADF');
    t.end();
  });

  void t.test('bytes go where the view begins, and no further than asked for', t => {
    const [one, other] = pair(t);
    const text = Buffer.from('..hello, world..');
    t.equal(libc.send(other, text.subarray(2, 14), 12, abi.MSG_NOSIGNAL), 12);
    const target = Buffer.alloc(16, '.');
    t.equal(libc.recv(one, target.subarray(3), 5, 0), 5);
    t.equal(target.toString(), '...hello........');
    const array = new Uint8Array(new Int32Array(4).buffer, 4);
    t.equal(libc.recv(one, array, 12, 0), 7);
    t.equal(Buffer.from(array.buffer).toString('latin1', 4, 11), ', world');
    t.equal(libc.address(target.subarray(3)) - libc.address(target), 3n);
    t.end();
  });

  void t.test('a pipe takes bytes from a socket and gives them back, without offsets', t => {
    const [one, other] = pair(t);
    const fds = Buffer.alloc(8);
    t.equal(libc.pipe2(fds, abi.O_CLOEXEC | abi.O_NONBLOCK), 0);
    const [readFd, writeFd] = [opened(t, fds.readInt32LE(0)), opened(t, fds.readInt32LE(4))];
    libc.send(other, Buffer.from('spliced'), 7, abi.MSG_NOSIGNAL);
    t.equal(libc.splice(one, null, writeFd, null, 1 << 20, abi.SPLICE_F_NONBLOCK), 7);
    t.equal(libc.splice(readFd, null, one, null, 7, abi.SPLICE_F_MOVE), 7);
    const back = Buffer.alloc(16);
    t.equal(libc.recv(other, back, 16, 0), 7);
    t.equal(back.toString('latin1', 0, 7), 'spliced');
    t.end();
  });

  void t.test('a listener, a client, their addresses and their options', t => {
    const listening = opened(t, libc.socket(abi.AF_INET, STREAM, 0));
    const one = Buffer.from([1, 0, 0, 0]);
    t.equal(libc.setsockopt(listening, abi.SOL_SOCKET, abi.SO_REUSEPORT, one, 4), 0);
    const here = encodeAddress({ kind: 'tcp', host: '127.0.0.1', port: 0 }).bytes;
    t.equal(libc.bind(listening, here, here.length), 0);
    t.equal(libc.listen(listening, 5), 0);
    const { peer, length } = room();
    t.equal(libc.getsockname(listening, peer, length), 0);
    t.equal(length.readUInt32LE(), 16);
    t.equal(hostOf(peer), '127.0.0.1');
    const port = portOf(peer);

    const client = opened(t, libc.socket(abi.AF_INET, STREAM, 0));
    const target = encodeAddress({ kind: 'tcp', host: '127.0.0.1', port }).bytes;
    t.equal(failure(libc.connect(client, target, target.length)), 'EINPROGRESS');
    const from = room();
    const accepted = opened(t, libc.accept4(listening, from.peer, from.length, abi.SOCK_NONBLOCK));
    const own = room();
    t.equal(libc.getsockname(client, own.peer, own.length), 0);
    t.equal(portOf(from.peer), portOf(own.peer), 'accept4 has told who it is');
    const other = room();
    t.equal(libc.getpeername(accepted, other.peer, other.length), 0);
    t.equal(portOf(other.peer), portOf(own.peer));
    const value = Buffer.alloc(4, 0xff);
    const bytes = Buffer.from([4, 0, 0, 0]);
    t.equal(libc.getsockopt(client, abi.SOL_SOCKET, abi.SO_ERROR, value, bytes), 0);
    t.equal(value.readInt32LE(), 0);
    t.equal(libc.shutdown(client, abi.SHUT_WR), 0);
    t.equal(libc.recv(accepted, value, 4, 0), 0, 'the end');
    t.end();
  });

  void t.test('an event says what happened where, and a wait without one ends in time', t => {
    const [one, other] = pair(t);
    const epollFd = opened(t, libc.epoll_create1(abi.EPOLL_CLOEXEC));
    const { words, dataWord } = libc.epollLayout;
    const events = new Int32Array(4 * words);
    const bytes = new Uint8Array(events.buffer);
    events[0] = abi.EPOLLIN | abi.EPOLLET;
    events[dataWord] = 17;
    events[dataWord + 1] = -2;
    t.equal(libc.epoll_ctl(epollFd, abi.EPOLL_CTL_ADD, one, bytes), 0);
    t.equal(failure(libc.epoll_ctl(epollFd, abi.EPOLL_CTL_ADD, one, bytes)), 'EEXIST');
    t.equal(libc.epoll_wait(epollFd, bytes, 4, 1), 0);
    libc.send(other, Buffer.from('x'), 1, abi.MSG_NOSIGNAL);
    events.fill(0);
    t.equal(libc.epoll_wait(epollFd, bytes, 4, -1), 1);
    t.strictSame([events[0], events[dataWord], events[dataWord + 1]], [abi.EPOLLIN, 17, -2]);
    const queued = Buffer.alloc(4);
    t.equal(libc.ioctl(one, abi.SIOCINQ, queued), 0);
    t.equal(queued.readInt32LE(), 1);
    t.end();
  });

  void t.test('an eventfd counts what is written to it, and a duplicate is a descriptor of its own', t => {
    const fd = opened(t, libc.eventfd(3, abi.EFD_CLOEXEC | abi.EFD_NONBLOCK));
    const again = opened(t, libc.fcntl(fd, abi.F_DUPFD_CLOEXEC, 100));
    t.ok(again >= 100);
    const count = Buffer.alloc(8);
    count.writeBigUInt64LE(5n);
    t.equal(libc.write(again, count, 8), 8);
    t.equal(libc.read(fd, count, 8), 8);
    t.equal(count.readBigUInt64LE(), 8n);
    t.equal(failure(libc.read(fd, count, 8)), 'EAGAIN');
    t.end();
  });

  void t.test(
    'compiled code gets the same results, errors and bytes, of buffers that live for one call',
    t => {
      const [one, other] = pair(t);
      const target = Buffer.alloc(64);
      let wrong = 0;
      const round = (i: number): void => {
        const size = 1 + (i % 40);
        // Allocated apart from each other, so that the collector may free each.
        const sent = libc.send(other, new Uint8Array(size).fill(i & 0xff), size, abi.MSG_NOSIGNAL);
        const got = libc.recv(one, target, target.length, 0);
        const isWhole =
          sent === size && got === size && target[0] === (i & 0xff) && target[size - 1] === target[0];
        const isEmpty = libc.recv(one, target, 1, 0) === -1 && libc.errno() === constants.errno.EAGAIN;
        const isRefused = libc.shutdown(-1, 1) === -1 && libc.errno() === constants.errno.EBADF;
        if (!isWhole || !isEmpty || !isRefused) wrong += 1;
      };
      for (let i = 0; i < ROUNDS; i++) round(i);
      t.equal(wrong, 0);
      t.end();
    },
  );

  void t.test('a signal can be ignored, which is what its handler was the next time', t => {
    const before = libc.signal(SIGTTIN, abi.SIG_IGN);
    t.ok(before >= 0);
    t.equal(libc.signal(SIGTTIN, before), abi.SIG_IGN);
    t.end();
  });

  if (isStandIn) return;
  void t.test('each thread has an errno of its own', async t => {
    const [one] = pair(t);
    const step = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(
      `import { parentPort, workerData } from 'node:worker_threads';
       const { loadLibc } = await import(workerData.url);
       const { libc } = loadLibc({ ffis: [workerData.ffi] });
       const { step, fd } = workerData;
       parentPort.postMessage('ready');
       Atomics.wait(step, 0, 0);
       libc.recv(fd, Buffer.alloc(1), 1, 0);
       step[1] = libc.errno();
       Atomics.store(step, 0, 2);
       Atomics.notify(step, 0);`,
      { eval: true, workerData: { url: LIBC_URL, ffi: libc.ffi, fd: one, step } },
    );
    await once(worker, 'message');
    const result = libc.close(-1);
    Atomics.store(step, 0, 1);
    Atomics.notify(step, 0);
    // Without a turn of the event loop, whose own calls of the C library may fail.
    const waited = Atomics.wait(step, 0, 1, 10_000);
    const errno = libc.errno();
    t.not(waited, 'timed-out');
    t.equal(errnoName(step[1] ?? 0), 'EAGAIN', 'in the worker');
    t.equal(result, -1);
    t.equal(errnoName(errno), 'EBADF', 'here');
    await once(worker, 'exit');
  });

  void t.test('_exit ends the process with its code; nothing was written to the user', t => {
    const program = `
      import { loadLibc } from ${JSON.stringify(LIBC_URL)};
      const loaded = loadLibc({ ffis: [${JSON.stringify(libc.ffi)}] });
      setTimeout(() => loaded.libc._exit(7), 20);
      process.on('exit', () => process.stderr.write('an orderly exit'));`;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 10_000 });
    t.equal(ran.stderr.toString(), '');
    t.equal(ran.status, 7);
    t.end();
  });
}

const LIBC_URL = new URL('../../src/linux/libc.js', import.meta.url).href;

function room(): { readonly peer: Buffer; readonly length: Buffer } {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(SOCKADDR_BYTES);
  return { peer: Buffer.alloc(SOCKADDR_BYTES), length };
}
