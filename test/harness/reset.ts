/**
 * Resetting one of Node's sockets, whatever it is doing.
 *
 * While shutdown(2) is under way libuv refuses a reset (EINVAL); Node 20 then forgets the descriptor without closing
 * it, and spins at the end of the process. So the reset waits for the shutdown, within this turn or the next unless
 * bytes are in its way.
 */
import type { Socket } from 'node:net';

export function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.once('finish', () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}
