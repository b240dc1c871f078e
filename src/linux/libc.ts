/**
 * The system calls of the epoll engine, as functions over the C library: by koffi, an optional dependency, or by
 * `node:ffi`, a part of Node from 26.9 on.
 *
 * Place: loaded once per thread; everything else in this folder takes a `Libc` and sees neither of the two.
 * Why koffi first: it is the faster one for calls of four arguments and more, up to Node 26.12 (docs/adr/0015).
 * Conventions: as in C, a result of -1 is a failure and `errno()` must be read right after it. Buffers are passed
 * by address; for a call that keeps none of them after it returns, they need not be kept alive.
 */
import { createRequire, isBuiltin } from 'node:module';

import { wordsOf } from '../errors.ts';
import { epollLayout, type EpollLayout } from './abi.ts';
import { libcOverKoffi } from './libc-koffi.ts';
import { libcOverNodeFfi } from './libc-node-ffi.ts';

/** What calls into the C library. */
export type FfiName = 'koffi' | 'node:ffi';

export interface Libc extends LibcCalls {
  readonly ffi: FfiName;
  readonly epollLayout: EpollLayout;
  errno(): number;
  /** Where a buffer's bytes are; good for as long as the buffer is kept alive. */
  address(buffer: Uint8Array): bigint;
}

/** The functions of the C library themselves (libc-prototypes.ts). */
export interface LibcCalls {
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
  flock(fd: number, operation: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  read(fd: number, buffer: Uint8Array, bytes: number): number;
  write(fd: number, buffer: Uint8Array, bytes: number): number;
  /** Sets what this process does at a signal: `SIG_IGN`, for which Node has no function. */
  signal(signal: number, action: number): number;
  /** How the kernel keeps the time; changes nothing while `modes`, the first word, is 0. */
  adjtimex(timex: Uint8Array): number;
  /** Ends the process at once, whatever its threads do. */
  _exit(code: number): void;
}

export type LibcResult =
  { readonly ok: true; readonly libc: Libc } | { readonly ok: false; readonly reason: string };

export interface LibcSources {
  readonly platform?: string;
  readonly arch?: string;
  /** The first that can be loaded is taken. */
  readonly ffis?: readonly FfiName[];
  readonly requireModule?: (name: string) => unknown;
}

/** Those that this Node may have, in the order in which they are tried. */
export const FFI_NAMES: readonly FfiName[] = isBuiltin('node:ffi') ? ['koffi', 'node:ffi'] : ['koffi'];

/** Loads the C library into this thread, or returns the reason why that is impossible here. */
export function loadLibc({
  platform = process.platform,
  arch = process.arch,
  ffis = FFI_NAMES,
  requireModule = createRequire(import.meta.url),
}: LibcSources = {}): LibcResult {
  if (platform !== 'linux') return { ok: false, reason: `it needs Linux, this is ${platform}` };
  const layout = epollLayout(arch);
  if (layout === undefined) return { ok: false, reason: `it knows x64 and arm64, this is ${arch}` };
  const reasons: string[] = [];
  for (const ffi of ffis) {
    try {
      return { ok: true, libc: load(ffi, requireModule, layout) };
    } catch (error) {
      const [why = ''] = wordsOf(error).split('\n', 1);
      reasons.push(`${ffi} cannot be loaded (${why})`);
    }
  }
  return { ok: false, reason: reasons.join(', ') };
}

/** For code that can do without it. */
export function libcOrNone(): Libc | undefined {
  const loaded = loadLibc();
  return loaded.ok ? loaded.libc : undefined;
}

function load(ffi: FfiName, requireModule: (name: string) => unknown, layout: EpollLayout): Libc {
  if (ffi === 'koffi') return libcOverKoffi(requireModule('koffi'), layout);
  return libcOverNodeFfi(
    withoutItsWarning(() => requireModule('node:ffi')),
    layout,
  );
}

/** Node warns of each experimental module when it is loaded. Every other warning passes. */
function withoutItsWarning<T>(loadModule: () => T): T {
  const warner = process as unknown as { emitWarning: (...of: unknown[]) => void };
  const pass = warner.emitWarning;
  warner.emitWarning = (warning, ...rest) => {
    if (!wordsOf(warning).startsWith('FFI is an experimental feature')) pass.call(process, warning, ...rest);
  };
  try {
    return loadModule();
  } finally {
    warner.emitWarning = pass;
  }
}
