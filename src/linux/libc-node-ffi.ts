/**
 * The C library over `node:ffi`, which is a part of Node from 26.9 on.
 *
 * Place: one of the two ways to a `Libc` (libc.ts chooses); knows node:ffi, and nothing else does.
 * Why each function is wrapped: node:ffi has no errno, so that of the C library is read where it lies, as the first
 * thing after a call has failed; and node:ffi takes a buffer's address before it converts the arguments behind it, which
 * may collect a buffer that nothing else refers to.
 * Invariant: one object per thread, because each thread has an errno of its own.
 */
import { constants } from 'node:os';

import type { EpollLayout } from './abi.ts';
import type { Libc, LibcCalls } from './libc.ts';
import { nameOf, PROTOTYPES } from './libc-prototypes.ts';

/** The part of node:ffi that is used here. */
interface NodeFfi {
  dlopen(path: null, signatures: Readonly<Record<string, Signature>>): { functions: unknown };
  getRawPointer(buffer: Uint8Array): bigint;
  toArrayBuffer(address: bigint, bytes: number, copy: false): ArrayBuffer;
}

/** As node:ffi makes them: results of 64 bits are BigInts. */
type ForeignCalls = Omit<LibcCalls, 'signal'> & {
  signal(signal: number, action: number): bigint;
  __errno_location(): bigint;
};

interface Signature {
  readonly arguments: readonly string[];
  readonly return: string;
}

const ARGUMENTS: Readonly<Record<string, string>> = {
  int: 'int32',
  'unsigned int': 'uint32',
  uint32_t: 'uint32',
  int64_t: 'int64',
  'unsigned long': 'uint64',
  size_t: 'uint64',
  'void *': 'pointer',
};

/** Linux moves less than 2^31 bytes per call, and a number is quicker than a BigInt. */
const RESULTS: Readonly<Record<string, string>> = {
  int: 'int32',
  ssize_t: 'int32',
  int64_t: 'int64',
  void: 'void',
};

/** Throws when `module` is not node:ffi, lacks a function, or may not be used (Node's permission model). */
export function libcOverNodeFfi(module: unknown, epollLayout: EpollLayout): Libc {
  // The one place where node:ffi's types are believed without a check: each prototype is a method of `Libc`.
  const ffi = module as NodeFfi;
  const signatures = Object.fromEntries(
    PROTOTYPES.map(prototype => [nameOf(prototype), signatureOf(prototype)]),
  );
  const { functions } = ffi.dlopen(null, {
    ...signatures,
    __errno_location: { arguments: [], return: 'pointer' },
  });
  const calls = functions as ForeignCalls;
  const errnoOfThread = new Int32Array(ffi.toArrayBuffer(calls.__errno_location(), 4, false));
  const libc = wrapped(calls, errnoOfThread);
  if (libc.close(-1) !== -1 || libc.errno() !== constants.errno.EBADF)
    throw new Error('it reports no errors');
  return { ...libc, ffi: 'node:ffi', epollLayout, address: buffer => ffi.getRawPointer(buffer) };
}

function signatureOf(prototype: string): Signature {
  const [, result = '', list = ''] = /^(\w+) \w+\((.*)\)$/.exec(prototype) ?? [];
  const known = (types: Readonly<Record<string, string>>, type: string): string => {
    const name = types[type];
    if (name === undefined) throw new Error(`${type} in ${prototype}`);
    return name;
  };
  return { arguments: list.split(', ').map(type => known(ARGUMENTS, type)), return: known(RESULTS, result) };
}

/** Each function with what node:ffi leaves to its caller. */
function wrapped(c: ForeignCalls, errnoOfThread: Int32Array): LibcCalls & { errno(): number } {
  let errno = 0;
  const done = (result: number): number => {
    if (result < 0) errno = errnoOfThread[0] ?? 0;
    return result;
  };
  // A place that outlives the call: what is stored here after it was alive until then.
  const kept: { buffer: Uint8Array | null; also: Uint8Array | null } = { buffer: null, also: null };
  const keeping = (result: number, buffer: Uint8Array): number => {
    if (result < 0) errno = errnoOfThread[0] ?? 0;
    kept.buffer = buffer;
    return result;
  };
  const keepingBoth = (result: number, buffer: Uint8Array, also: Uint8Array): number => {
    kept.also = also;
    return keeping(result, buffer);
  };
  return {
    errno: () => errno,
    socket: (domain, type, protocol) => done(c.socket(domain, type, protocol)),
    socketpair: (domain, type, protocol, fds) => keeping(c.socketpair(domain, type, protocol, fds), fds),
    bind: (fd, address, bytes) => keeping(c.bind(fd, address, bytes), address),
    listen: (fd, backlog) => done(c.listen(fd, backlog)),
    accept4: (fd, address, bytes, flags) => keepingBoth(c.accept4(fd, address, bytes, flags), address, bytes),
    connect: (fd, address, bytes) => keeping(c.connect(fd, address, bytes), address),
    getsockname: (fd, address, bytes) => keepingBoth(c.getsockname(fd, address, bytes), address, bytes),
    getpeername: (fd, address, bytes) => keepingBoth(c.getpeername(fd, address, bytes), address, bytes),
    setsockopt: (fd, level, option, value, bytes) =>
      keeping(c.setsockopt(fd, level, option, value, bytes), value),
    getsockopt: (fd, level, option, value, bytes) =>
      keepingBoth(c.getsockopt(fd, level, option, value, bytes), value, bytes),
    recv: (fd, buffer, bytes, flags) => keeping(c.recv(fd, buffer, bytes, flags), buffer),
    send: (fd, buffer, bytes, flags) => keeping(c.send(fd, buffer, bytes, flags), buffer),
    splice: (from, fromOffset, to, toOffset, bytes, flags) =>
      done(c.splice(from, fromOffset, to, toOffset, bytes, flags)),
    shutdown: (fd, how) => done(c.shutdown(fd, how)),
    close: fd => done(c.close(fd)),
    epoll_create1: flags => done(c.epoll_create1(flags)),
    epoll_ctl: (epollFd, operation, fd, event) => keeping(c.epoll_ctl(epollFd, operation, fd, event), event),
    epoll_wait: (epollFd, events, max, timeoutMs) =>
      keeping(c.epoll_wait(epollFd, events, max, timeoutMs), events),
    eventfd: (value, flags) => done(c.eventfd(value, flags)),
    pipe2: (fds, flags) => keeping(c.pipe2(fds, flags), fds),
    fcntl: (fd, command, argument) => done(c.fcntl(fd, command, argument)),
    flock: (fd, operation) => done(c.flock(fd, operation)),
    ioctl: (fd, request, argument) => keeping(c.ioctl(fd, request, argument), argument),
    read: (fd, buffer, bytes) => keeping(c.read(fd, buffer, bytes), buffer),
    write: (fd, buffer, bytes) => keeping(c.write(fd, buffer, bytes), buffer),
    signal: (signal, action) => done(Number(c.signal(signal, action))),
    adjtimex: timex => keeping(c.adjtimex(timex), timex),
    _exit: code => {
      c._exit(code);
    },
  };
}
