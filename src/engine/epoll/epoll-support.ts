/** Stand-in until the engine's own self-test is merged: says that it cannot be had. */
import type { LibcResult } from './libc.ts';

export function epollSupport(): LibcResult {
  return { ok: false, reason: 'it is not part of this build' };
}
