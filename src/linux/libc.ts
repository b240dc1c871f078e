/**
 * The system calls of the epoll engine, as functions over the C library (koffi, an optional dependency).
 *
 * Place: loaded once per thread; everything else in this folder takes a `Libc` and never sees koffi.
 * Conventions: as in C, a result of -1 is a failure and `errno()` must be read right after it. Buffers are passed
 * by address; for a call that keeps none of them after it returns, they need not be kept alive.
 */
import { createRequire } from 'node:module';

import { wordsOf } from '../errors.ts';
import { epollLayout, type EpollLayout } from './abi.ts';

export interface Libc {
  readonly epollLayout: EpollLayout;
  errno(): number;
  /** Where a buffer's bytes are; good for as long as the buffer is kept alive. */
  address(buffer: Uint8Array): bigint;
  socket(domain: number, type: number, protocol: number): number;
  socketpair(domain: number, type: number, protocol: number, fds: Uint8Array): number;
  bind(fd: number, address: Uint8Array, bytes: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Uint8Array, bytes: Uint8Array, flags: number): number;
  connect(fd: number, address: Uint8Array, bytes: number): number;
  getsockname(fd: number, address: Uint8Array, bytes: Uint8Array): number;
  getpeername(fd: number, address: Uint8Array, bytes: Uint8Array): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, bytes: number): number;
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, bytes: Uint8Array): number;
  recv(fd: number, buffer: Uint8Array, bytes: number, flags: number): number;
  send(fd: number, buffer: Uint8Array, bytes: number, flags: number): number;
  splice(from: number, fromOffset: null, to: number, toOffset: null, bytes: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epollFd: number, operation: number, fd: number, event: Uint8Array): number;
  epoll_wait(epollFd: number, events: Uint8Array, maxEvents: number, timeoutMs: number): number;
  eventfd(value: number, flags: number): number;
  pipe2(fds: Uint8Array, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  read(fd: number, buffer: Uint8Array, bytes: number): number;
  write(fd: number, buffer: Uint8Array, bytes: number): number;
  /** Sets what this process does at a signal: `SIG_IGN`, for which Node has no function. */
  signal(signal: number, action: number): number;
  /** Ends the process at once, whatever its threads do. */
  _exit(code: number): void;
}

/** ssize_t is spelled int64_t for koffi; fcntl and ioctl are variadic in C, with the same registers on Linux. */
const PROTOTYPES = [
  'int socket(int, int, int)',
  'int socketpair(int, int, int, void *)',
  'int bind(int, void *, uint32_t)',
  'int listen(int, int)',
  'int accept4(int, void *, void *, int)',
  'int connect(int, void *, uint32_t)',
  'int getsockname(int, void *, void *)',
  'int getpeername(int, void *, void *)',
  'int setsockopt(int, int, int, void *, uint32_t)',
  'int getsockopt(int, int, int, void *, void *)',
  'int64_t recv(int, void *, size_t, int)',
  'int64_t send(int, void *, size_t, int)',
  'int64_t splice(int, void *, int, void *, size_t, unsigned int)',
  'int shutdown(int, int)',
  'int close(int)',
  'int epoll_create1(int)',
  'int epoll_ctl(int, int, int, void *)',
  'int epoll_wait(int, void *, int, int)',
  'int eventfd(unsigned int, int)',
  'int pipe2(void *, int)',
  'int fcntl(int, int, int)',
  'int ioctl(int, unsigned long, void *)',
  'int64_t read(int, void *, size_t)',
  'int64_t write(int, void *, size_t)',
  'int64_t signal(int, int64_t)',
  'void _exit(int)',
] as const;

export type LibcResult =
  { readonly ok: true; readonly libc: Libc } | { readonly ok: false; readonly reason: string };

/** Loads the C library into this thread, or returns the reason why that is impossible here. */
export function loadLibc(
  platform: string = process.platform,
  arch: string = process.arch,
  requireModule: (name: string) => unknown = createRequire(import.meta.url),
): LibcResult {
  if (platform !== 'linux') return { ok: false, reason: `it needs Linux, this is ${platform}` };
  const layout = epollLayout(arch);
  if (layout === undefined) return { ok: false, reason: `it knows x64 and arm64, this is ${arch}` };
  try {
    return { ok: true, libc: declare(requireModule('koffi'), layout) };
  } catch (error) {
    const [why = ''] = wordsOf(error).split('\n', 1);
    return { ok: false, reason: `koffi cannot be loaded (${why})` };
  }
}

function declare(module: unknown, layout: EpollLayout): Libc {
  // The one place where koffi's types are believed without a check: each prototype above is a method of `Libc`.
  const koffi = module as {
    load(path: null): { func(prototype: string): unknown };
    errno(): number;
    address(buffer: Uint8Array): bigint;
  };
  const library = koffi.load(null);
  const calls = PROTOTYPES.map(prototype => [nameOf(prototype), library.func(prototype)] as const);
  return {
    ...(Object.fromEntries(calls) as unknown as Libc),
    epollLayout: layout,
    errno: () => koffi.errno(),
    address: buffer => koffi.address(buffer),
  };
}

function nameOf(prototype: string): string {
  return /(\w+)\(/.exec(prototype)?.[1] ?? '';
}
