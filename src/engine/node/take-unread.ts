/**
 * What an error found in a stream's own buffer: read from the peer, but not yet taken by the owner of its connection.
 *
 * Place: for connections whose socket could not be made with `onread`.
 */
import type { Socket } from 'node:net';

export function takeUnread(socket: Socket, take: (chunk: Buffer) => void): void {
  socket.removeAllListeners('data');
  for (let chunk: unknown = socket.read(); chunk !== null; chunk = socket.read()) {
    if (!Buffer.isBuffer(chunk)) return;
    take(chunk);
  }
}
