/**
 * Resets a socket at once.
 *
 * Place: what `reset` of a connection comes down to.
 */
import type { Socket } from 'node:net';

/** Idempotent; unix sockets are closed. */
export function resetSocket(socket: Socket, isTcp: boolean): void {
  if (socket.destroyed) return;
  if (!isTcp) {
    socket.destroy();
  } else if (socket.writableEnded && !socket.writableFinished) {
    // shutdown(2) is under way. libuv refuses a reset until that is done, within this turn or the next, and
    // Node would lose the descriptor over the refusal (EINVAL from uv_tcp_close_reset).
    socket.once('finish', () => socket.resetAndDestroy());
  } else {
    socket.resetAndDestroy();
  }
}
