/** The C library of this machine, for tests that make system calls themselves. */
import { loadLibc, type Libc } from '../../src/linux/libc.ts';

const loaded = loadLibc();

/** Tap's `skip`: why there is none, or false. */
export const withoutLibc = loaded.ok ? false : loaded.reason;

/** Throws where it cannot be loaded. */
export function libc(): Libc {
  if (!loaded.ok) throw new Error(loaded.reason);
  return loaded.libc;
}
