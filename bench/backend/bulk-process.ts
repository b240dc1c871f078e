/**
 * Serves the bulk half of the service `mixed`, on the load core but behind everything else there.
 *
 * Place: started by responder.ts, which passes it each connection whose first request asks for bulk, that request
 * already read. Ends with its parent.
 */
import { Socket } from 'node:net';
import { BODY_BYTES, response } from '../load/messages.ts';
import { makeWay } from '../processes/priority.ts';

/** A larger write would keep the core in the kernel for milliseconds, and other processes would wait. */
const PIECE_BYTES = 256 * 1024;

const answer = response(BODY_BYTES.bulk, 'keep-alive');
const pieces = Array.from({ length: Math.ceil(answer.length / PIECE_BYTES) }, (_, index) =>
  answer.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES),
);

makeWay();
process.on('disconnect', () => process.exit(0));
process.on('message', (_message, socket) => {
  if (!(socket instanceof Socket)) return;
  socket.on('error', () => undefined);
  const send = (index = 0): void => {
    const piece = pieces[index];
    if (piece !== undefined) socket.write(piece, () => send(index + 1));
  };
  // One request at a time, and no longer than the first one: it never comes in two pieces.
  socket.on('data', () => send());
  send();
});
