/**
 * Stands between a connection to Redis and ioredis: passes on replies that ioredis takes without a mistake, and drops
 * the connection at the first other one.
 *
 * Place: `redis-connectors.ts` puts one before every connection. Why: docs/adr/0012.
 * Invariants:
 * - ioredis gets whole replies only, each to a command that waits for one.
 * - A refused reply fails the waiting commands with the reason, and `redis-link.ts` connects again.
 * - One turn of the event loop reads a bounded part of what is sent.
 * Limit: it relies on two habits of ioredis: each write is one command, and `data` events bring what comes. A version
 * with other habits would not connect at all: redis-*.test.ts.
 */
import type { Socket } from 'node:net';
import { ReplyFrames } from './reply-frames.ts';
import { pushOf, wrongWithReply, type CommandName } from './reply-shapes.ts';
import { StrangeReply } from './strange-reply.ts';

/** ioredis takes a few milliseconds for small messages of this many bytes together. */
const BYTES_OF_A_TURN = 65_536;
/** The command's name, how many words it has, and its first argument. */
const COMMAND = /^\*(\d+)\r\n\$\d+\r\n([^\r]+)\r\n(?:\$\d+\r\n([^\r]*)\r\n)?/;

interface Waiting {
  readonly command: CommandName;
  /** Replies still to come: SUBSCRIBE has one for each channel. */
  replies: number;
}

/** `onStrange` receives the reason when the connection is dropped. */
export function guardReplies(stream: Socket, onStrange?: (error: Error) => void): void {
  const guard = new ReplyGuard(stream, onStrange);
  // `write` and `emit` have overloads that TypeScript cannot put in one signature.
  const write = stream.write.bind(stream) as (...all: unknown[]) => boolean;
  stream.write = (data: unknown, ...more: unknown[]): boolean => {
    guard.asked(data);
    return write(data, ...more);
  };
  const emit = stream.emit.bind(stream) as (...all: unknown[]) => boolean;
  stream.emit = (event: string, ...all: unknown[]): boolean => {
    if (event !== 'data') return emit(event, ...all);
    guard.heard(all[0] as Buffer, reply => emit('data', reply));
    return true;
  };
}

class ReplyGuard {
  readonly #stream: Socket;
  readonly #onStrange: ((error: Error) => void) | undefined;
  readonly #frames = new ReplyFrames();
  readonly #waiting: Waiting[] = [];
  #isResp3 = false;
  #isSubscribed = false;
  #bytesOfTurn = 0;

  constructor(stream: Socket, onStrange: ((error: Error) => void) | undefined) {
    this.#stream = stream;
    this.#onStrange = onStrange;
  }

  asked(data: unknown): void {
    const head = Buffer.isBuffer(data) ? data.toString('latin1', 0, 200) : String(data).slice(0, 200);
    const [, words = '', name = 'unknown', argument = ''] = COMMAND.exec(head.toLowerCase()) ?? [];
    const isForEach = name === 'subscribe' || name === 'unsubscribe';
    const isOfTwoWords = name === 'cluster' || name === 'sentinel';
    this.#waiting.push({
      command: isOfTwoWords ? `${name} ${argument}` : name,
      replies: isForEach ? Number(words) - 1 : 1,
    });
  }

  heard(chunk: Buffer, pass: (reply: Buffer) => void): void {
    this.#restSoon(chunk.length);
    try {
      for (const reply of this.#frames.take(chunk)) {
        if (this.#isForIoredis(reply)) pass(reply);
        if (this.#stream.destroyed) return;
      }
    } catch (error) {
      if (!(error instanceof StrangeReply)) throw error;
      this.#onStrange?.(error);
      // Waiting commands must fail with the reason, and not only with the end of the connection.
      const refusal = Buffer.from(`-${error.message}\r\n`);
      for (let left = this.#waiting.length; left > 0; left -= 1) pass(refusal);
      this.#stream.destroy(error);
    }
  }

  /** Whether to pass the reply on; throws when no command and no subscription expects it. */
  #isForIoredis(reply: Buffer): boolean {
    const type = reply.toString('latin1', 0, 1);
    if (type === '>') return this.#isWantedPush(reply);
    if (type === '*' && this.#mayBeMessage() && pushOf(reply) !== 'other') return this.#isWantedPush(reply);
    const [first] = this.#waiting;
    if (first === undefined) throw new StrangeReply('that is an answer to nothing');
    const wrong = wrongWithReply(first.command, reply);
    if (wrong !== undefined) throw new StrangeReply(wrong);
    this.#waiting.shift();
    if (first.command === 'hello' && type !== '-' && type !== '!') this.#isResp3 = true;
    return true;
  }

  /** Before RESP3, messages look like answers. */
  #mayBeMessage(): boolean {
    const command = this.#waiting[0]?.command;
    return !this.#isResp3 && (this.#isSubscribed || command === 'subscribe' || command === 'unsubscribe');
  }

  #isWantedPush(reply: Buffer): boolean {
    const push = pushOf(reply);
    if (push === 'wrong') throw new StrangeReply('that is no message');
    if (push === 'other') return false;
    if (push === 'message') {
      if (!this.#isSubscribed) throw new StrangeReply('that is a message from nowhere');
      return true;
    }
    const [first] = this.#waiting;
    if (first?.command !== push) throw new StrangeReply('that is an answer to nothing');
    first.replies -= 1;
    if (first.replies === 0) this.#waiting.shift();
    // The number of channels left stands at the end.
    this.#isSubscribed =
      push === 'subscribe' || !/\n:0\r\n$/.test(reply.toString('latin1', reply.length - 8));
    return true;
  }

  /** Lets other work of this thread run before more is read. */
  #restSoon(bytes: number): void {
    this.#bytesOfTurn += bytes;
    if (this.#bytesOfTurn < BYTES_OF_A_TURN) return;
    this.#bytesOfTurn = 0;
    this.#stream.pause();
    setImmediate(() => this.#stream.resume());
  }
}
