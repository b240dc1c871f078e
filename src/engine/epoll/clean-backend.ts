/**
 * Whether a backend's connection may serve another client, once its client has left.
 *
 * Place: asked by a relay with `reuse`, when the client's FIN has been read and everything before it delivered.
 */
import type { Direction } from './direction.ts';

/**
 * Everything the client has sent is answered, and nothing else is on its way. `lastWord`: the direction in which
 * bytes moved last. A greeting answers nothing.
 */
export function leftClean(up: Direction, down: Direction, lastWord: Direction | undefined): boolean {
  const wasAnswered = lastWord === undefined || (lastWord === down && up.receivedBytes > 0);
  return wasAnswered && owesNothing(down);
}

/** Nothing that the backend sent is on its way to its client, and it has acknowledged everything it was sent. */
function owesNothing(fromBackend: Direction): boolean {
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
