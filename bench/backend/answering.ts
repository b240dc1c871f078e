/**
 * A canned answer to every request: what ends a request is its blank line, all else in it is not looked at.
 */
import type { Socket } from 'node:net';

const REQUEST_END = [0x0d, 0x0a, 0x0d, 0x0a] as const;

/** Answers each blank line that ends a request; the match is carried over from one chunk to the next. */
export function answering(answer: Buffer, closes: boolean): (socket: Socket) => void {
  return socket => {
    let matched = 0;
    socket.on('data', chunk => {
      for (const byte of chunk) {
        // Only 13 10 13 10 is looked for, so after a mismatch a match can only start anew with this byte.
        matched = byte === REQUEST_END[matched] ? matched + 1 : byte === REQUEST_END[0] ? 1 : 0;
        if (matched < REQUEST_END.length) continue;
        matched = 0;
        if (closes) socket.end(answer);
        else socket.write(answer);
      }
    });
  };
}
