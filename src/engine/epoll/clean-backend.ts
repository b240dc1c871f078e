/**
 * Whether a backend's connection may serve another client, once its client has left.
 *
 * Place: asked by a relay with `reuse`, when the client's FIN has been read and the backend had the last word.
 */
import type { Direction } from './direction.ts';

/** Nothing of the backend's is on its way to anybody, and it has acknowledged everything it was sent. */
export function owesNothing(fromBackend: Direction): boolean {
  const backend = fromBackend.from;
  return (
    !fromBackend.hasPending &&
    !fromBackend.ended &&
    !fromBackend.deaf &&
    !backend.hungUp &&
    backend.unreadBytes === 0 &&
    (!backend.isTcp || backend.unackedBytes === 0)
  );
}
