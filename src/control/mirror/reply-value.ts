/**
 * A whole reply of Redis, as values.
 *
 * Place: `reply-shapes.ts` checks replies with it. Pure. Only for replies that `reply-frames.ts` has cut, in which
 * every line and every length is right.
 */

export type ReplyValue =
  | { readonly kind: 'text' | 'number' | 'error' | 'other'; readonly text: string }
  | { readonly kind: 'null' }
  | { readonly kind: 'list'; readonly type: string; readonly items: readonly ReplyValue[] };

export function replyValue(bytes: Buffer): ReplyValue {
  return new Reader(bytes).next();
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  next(): ReplyValue {
    const end = this.#bytes.indexOf('\r\n', this.#at);
    const type = this.#bytes.toString('latin1', this.#at, this.#at + 1);
    const line = this.#bytes.toString('utf8', this.#at + 1, end);
    this.#at = end + 2;
    switch (type) {
      case '+':
        return { kind: 'text', text: line };
      case '-':
        return { kind: 'error', text: line };
      case ':':
        return { kind: 'number', text: line };
      case '_':
        return { kind: 'null' };
      case '$':
      case '=':
        return line === '-1' ? { kind: 'null' } : { kind: 'text', text: this.#text(Number(line)) };
      case '!':
        return { kind: 'error', text: this.#text(Number(line)) };
      case '*':
      case '~':
      case '>':
      case '%':
        if (line === '-1') return { kind: 'null' };
        return { kind: 'list', type, items: this.#items(Number(line) * (type === '%' ? 2 : 1)) };
      default:
        return { kind: 'other', text: line };
    }
  }

  #text(length: number): string {
    const text = this.#bytes.toString('utf8', this.#at, this.#at + length);
    this.#at += length + 2;
    return text;
  }

  #items(count: number): ReplyValue[] {
    return Array.from({ length: count }, () => this.next());
  }
}
