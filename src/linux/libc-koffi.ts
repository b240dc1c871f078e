/**
 * The C library over koffi, an optional dependency.
 *
 * Place: one of the two ways to a `Libc` (libc.ts chooses); knows koffi, and nothing else does.
 */
import type { EpollLayout } from './abi.ts';
import type { Libc, LibcCalls } from './libc.ts';
import { nameOf, PROTOTYPES } from './libc-prototypes.ts';

/** Throws when `module` is not koffi, or lacks a function. */
export function libcOverKoffi(module: unknown, epollLayout: EpollLayout): Libc {
  // The one place where koffi's types are believed without a check: each prototype is a method of `Libc`.
  const koffi = module as {
    load(path: null): { func(prototype: string): unknown };
    errno(): number;
    address(buffer: Uint8Array): bigint;
  };
  const library = koffi.load(null);
  const calls = PROTOTYPES.map(prototype => {
    // koffi knows no ssize_t.
    return [nameOf(prototype), library.func(prototype.replace('ssize_t', 'int64_t'))] as const;
  });
  return {
    ...(Object.fromEntries(calls) as unknown as LibcCalls),
    ffi: 'koffi',
    epollLayout,
    errno: () => koffi.errno(),
    address: buffer => koffi.address(buffer),
  };
}
