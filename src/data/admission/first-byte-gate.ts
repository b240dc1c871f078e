/**
 * The gate that lets a client through when it has sent its first byte (`connectWhen: firstByte`): one that says nothing
 * costs no backend anything.
 *
 * Place: the last gate of a listener, so that the others need not wait for it.
 * Invariant: it takes nothing. A client that is silent for too long, or ends before it has said anything, is refused by
 * the admission.
 */
import type { Gate, Verdict } from './gate.ts';

/** One byte would do. It looks at more because what it reads is sent in one piece. */
export const FIRST_LOOK_BYTES = 16 * 1024;

export function firstByteGate<U>(timeoutMs: number): Gate<U> {
  const pass: Verdict<U> = { kind: 'pass' };
  const wait: Verdict<U> = { kind: 'more', bytes: FIRST_LOOK_BYTES, withinMs: timeoutMs };
  return (_facts, { bytes }) => (bytes.length > 0 ? pass : wait);
}
