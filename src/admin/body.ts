/**
 * Reads the body of a request: JSON, of bounded size.
 *
 * Place: dispatch.ts, for routes that take a body.
 * Why a refused body is still read for a while: with a reset of the connection the client would lose the answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Problem } from './problem.ts';

const MOST_BYTES = 65_536;
/** Read and thrown away after the answer to a request of which more comes. */
const MOST_DISCARDED_BYTES = 32 * 2 ** 20;

const tooLarge = (): Problem =>
  new Problem(413, `the body is larger than ${MOST_BYTES} bytes`, { connection: 'close' });

/** Whether a client that waits for leave to send its body (`Expect: 100-continue`) gets it. */
export function mayContinue({ headers }: IncomingMessage): boolean {
  return !(Number(headers['content-length'] ?? 0) > MOST_BYTES);
}

/** The text; '' when there is none. Throws a `Problem`; rejects when the client goes away. */
export async function readBody(request: IncomingMessage): Promise<string> {
  if (!mayContinue(request)) throw tooLarge();
  const pieces: Buffer[] = [];
  let length = 0;
  // The request is not destroyed when the loop ends early: that would destroy the connection before the answer.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MOST_BYTES) throw tooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/**
 * Sends an answer's last bytes to a client that may still be writing, and ends this side of the connection. The client
 * ends the other one, or the bound does, or the deadline of the request.
 */
export function endEarly(request: IncomingMessage, response: ServerResponse, text: string): void {
  const { socket } = request;
  // Of the answer to HEAD there is nothing to write but this.
  response.flushHeaders();
  // `response.end` would close the connection with bytes unread, which resets it.
  response.write(text, () => socket.end());
  let length = 0;
  request.on('data', (piece: Buffer) => {
    length += piece.length;
    if (length > MOST_DISCARDED_BYTES) socket.destroy();
  });
  request.resume();
}

/** The value of a body; an empty one is an empty mapping. */
export function parseBody(text: string, type: string | undefined): unknown {
  if (text === '') return {};
  if (!/^application\/json\s*(?:;.*)?$/i.test(type ?? '')) {
    throw new Problem(415, 'a body needs the content-type application/json');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(400, 'the body is not JSON');
  }
}
