/**
 * Cuts what a Redis sends into whole replies, of bounded size.
 *
 * Place: `reply-guard.ts` puts it between a socket and ioredis.
 * Why: ioredis trusts lengths, counts and line ends. So an endless length takes endless memory, and a line that ioredis
 * reads otherwise than the server meant it shifts all replies after it.
 * Invariants:
 * - What is passed on is strict RESP2 or RESP3, so that ioredis finds the same ends in it.
 * - No more is kept than one reply of `LARGEST_REPLY_BYTES`.
 */
import { StrangeReply } from './strange-reply.ts';

/** Four times the names and counts of 100,000 backends. */
export const LARGEST_REPLY_BYTES = 64 * 2 ** 20;
/** Most values in all lists of one reply: more than those of a Cluster in which each slot has other nodes. */
export const MOST_VALUES = 300_000;
const LONGEST_LINE = 65_536;
const DEEPEST = 8;

/** Types whose line is the whole value. */
const LINES: Readonly<Record<string, RegExp>> = {
  '+': /^/,
  '-': /^/,
  ':': /^[+-]?\d{1,19}$/,
  _: /^$/,
  '#': /^[tf]$/,
  ',': /^(?:[+-]?\d{1,400}(?:\.\d{0,400})?(?:[eE][+-]?\d{1,4})?|[+-]?inf|nan)$/,
  '(': /^[+-]?\d{1,400}$/,
};
const TEXTS = '$=!';
const LISTS = '*~>%';

export class ReplyFrames {
  /** The chunks so far of the reply under way. */
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #values = 0;
  /** Values that each list under way still lacks, the outermost first. */
  readonly #lacking: number[] = [];
  #line = '';
  /** Bytes of a text that are still to come. */
  #text = 0;
  #isAfterText = false;

  /**
   * The replies that this chunk completes, in their order.
   *
   * @throws StrangeReply, after all replies before it; the rest of the connection is unusable
   */
  *take(chunk: Buffer): Generator<Buffer> {
    let from = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#text > 0) {
        const length = Math.min(this.#text, chunk.length - at);
        at += length;
        this.#text -= length;
        continue;
      }
      const end = chunk.indexOf(0x0a, at) + 1 || chunk.length;
      if (this.#line.length + end - at > LONGEST_LINE) throw new StrangeReply('a line is too long');
      this.#line += chunk.toString('latin1', at, end);
      at = end;
      if (!this.#line.endsWith('\n') || !this.#endLine()) continue;
      const whole = chunk.subarray(from, at);
      from = at;
      yield this.#parts.length === 0 ? whole : Buffer.concat([...this.#parts.splice(0), whole]);
      this.#bytes = 0;
      this.#values = 0;
    }
    if (from === chunk.length) return;
    this.#bytes += chunk.length - from;
    this.#checkSize(this.#text);
    this.#parts.push(chunk.subarray(from));
  }

  /** Takes the line that is complete. True when the reply ends with it. */
  #endLine(): boolean {
    const line = this.#line;
    this.#line = '';
    // ioredis finds another end in a line that ends otherwise or has a CR elsewhere.
    if (line.indexOf('\r') !== line.length - 2) throw new StrangeReply('a line does not end as lines do');
    if (!this.#isAfterText) return this.#begin(line.charAt(0), line.slice(1, -2));
    if (line.length !== 2) throw new StrangeReply('a text has another length than was said');
    this.#isAfterText = false;
    return this.#endValue();
  }

  #begin(type: string, rest: string): boolean {
    this.#values += 1;
    const pattern = LINES[type];
    if (pattern !== undefined) {
      if (!pattern.test(rest)) throw new StrangeReply('a value is none of its kind');
      return this.#endValue();
    }
    const isText = TEXTS.includes(type);
    if (type === '' || !(isText || LISTS.includes(type)))
      throw new StrangeReply('there is no such kind of value');
    if (rest === '-1' && (type === '$' || type === '*')) return this.#endValue();
    if (!/^\d{1,10}$/.test(rest)) throw new StrangeReply('a length is none');
    const length = Number(rest);
    // The kind of the text takes four bytes.
    if (type === '=' && length < 4) throw new StrangeReply('a length is none');
    if (isText) return this.#beginText(length);
    if (type === '>' && this.#lacking.length > 0) throw new StrangeReply('a push is within a reply');
    return this.#beginList(type === '%' ? 2 * length : length);
  }

  #beginText(length: number): boolean {
    this.#checkSize(length);
    this.#text = length;
    this.#isAfterText = true;
    return false;
  }

  #beginList(length: number): boolean {
    if (length === 0) return this.#endValue();
    if (this.#values + length > MOST_VALUES) throw new StrangeReply('a list is too long');
    if (this.#lacking.length === DEEPEST) throw new StrangeReply('lists are too deep');
    this.#lacking.push(length);
    return false;
  }

  #endValue(): boolean {
    while (this.#lacking.length > 0) {
      const last = this.#lacking.length - 1;
      const left = (this.#lacking[last] ?? 0) - 1;
      this.#lacking[last] = left;
      if (left > 0) return false;
      this.#lacking.pop();
    }
    return true;
  }

  #checkSize(more: number): void {
    if (this.#bytes + more > LARGEST_REPLY_BYTES) throw new StrangeReply('a reply is too large');
  }
}
