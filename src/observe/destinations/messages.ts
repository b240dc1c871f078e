/**
 * An output for receivers that take messages, not bytes: each line is one message, sent whole or not at all.
 *
 * Place: below `LineBuffer`, above a unix datagram socket. A message that is longer than the receiver takes is cut.
 * Why it connects again to a receiver that takes nothing: another one may have taken its place, while the first still
 * has its socket and stands still.
 */
import type { Output, Written } from '../output.ts';

/** One message out, without waiting; undefined: sent, else the name of the error. */
export interface MessageSender {
  send(message: Uint8Array): string | undefined;
  /** Gives up the connection; the next message opens another one. */
  close(): void;
}

const CUT_BYTES = 2_000;
const NEWLINE = 0x0a;
/** After this many attempts in a row, about a second, at a receiver whose queue is full, it connects again. */
const MOST_FULL = 16;

/** Sends the lines of each chunk one by one; `encode` makes a message of a line, as UTF-8 without its end. */
export class MessageOutput implements Output {
  readonly #sender: MessageSender;
  readonly #encode: (line: Buffer) => Uint8Array;
  #fullInARow = 0;

  constructor(sender: MessageSender, encode: (line: Buffer) => Uint8Array) {
    this.#sender = sender;
    this.#encode = encode;
  }

  write(bytes: Buffer, done: (written: Written) => void): void {
    done(this.#send(bytes));
  }

  writeNow(bytes: Buffer): void {
    this.#send(bytes);
  }

  endProcess(exitCode: number): void {
    process.exit(exitCode);
  }

  close(): void {
    this.#sender.close();
  }

  #send(bytes: Buffer): Written {
    let taken = 0;
    for (const line of linesOf(bytes)) {
      let code = this.#sender.send(this.#encode(line));
      if (code === 'EMSGSIZE') code = this.#sender.send(this.#encode(cut(line, CUT_BYTES)));
      // A receiver that does not take even this will not take it later.
      const isLost = code === 'EMSGSIZE';
      if (code !== undefined && !isLost) return { taken, code: this.#kindOf(code) };
      this.#fullInARow = 0;
      taken += line.length + 1;
      if (isLost) return { taken, code: 'EMSGSIZE', lost: 1 };
    }
    return { taken };
  }

  #kindOf(code: string): string {
    if (code !== 'EAGAIN' && code !== 'ENOBUFS') return code;
    this.#fullInARow += 1;
    if (this.#fullInARow % MOST_FULL === 0) this.#sender.close();
    return 'EAGAIN';
  }
}

/** The lines of a chunk, without their ends. */
export function* linesOf(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, start);
    const stop = end === -1 ? bytes.length : end;
    yield bytes.subarray(start, stop);
    start = stop + 1;
  }
}

const MARK = Buffer.from('…');

/** At most this many bytes of UTF-8, between two characters, with a mark where something is missing. */
export function cut(text: Buffer, mostBytes: number): Buffer {
  if (text.length <= mostBytes) return text;
  let end = mostBytes - MARK.length;
  while (end > 0 && ((text[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return Buffer.concat([text.subarray(0, end), MARK]);
}
