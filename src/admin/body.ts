/**
 * Reads the body of a request: JSON, of bounded size.
 *
 * Place: dispatch.ts, for routes that take a body.
 * Why what is too much is still read for a while: an answer that is sent while the client is still writing is lost with
 * the reset that follows.
 */
import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.ts';

const MOST_BYTES = 65_536;
/** Read and thrown away before the answer to a body that is too large. */
const MOST_DISCARDED_BYTES = 32 * 2 ** 20;

const tooLarge = (): Problem =>
  new Problem(413, `the body is larger than ${MOST_BYTES} bytes`, { connection: 'close' });

/** Whether a client that waits for leave to send its body (`Expect: 100-continue`) gets it. */
export function mayContinue({ headers }: IncomingMessage): boolean {
  return !(Number(headers['content-length'] ?? 0) > MOST_BYTES);
}

/** The text; '' when there is none. Throws a `Problem`; rejects when the client goes away. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length <= MOST_BYTES) pieces.push(piece);
    else pieces.length = 0;
    if (length > MOST_DISCARDED_BYTES) break;
  }
  if (length > MOST_BYTES) throw tooLarge();
  return Buffer.concat(pieces).toString();
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
