/**
 * A connection to Redis that comes back: whatever ends it, another one is made, until it is closed.
 *
 * Place: `redis-client.ts` and `change-subscriber.ts` hold one each.
 * Invariants:
 * - At most one client at a time.
 * - A client that is lost, not ready in time or dropped emits nothing any more.
 * - The next client follows after a delay: 100 ms at first, twice as much after each that has not worked, up to 2 s. It
 *   is random within the latter half of that time, so that many instances do not come back at once.
 * Why not ioredis's own retries: a connection that is dropped while it is being made ends for good there, and what
 * survives a reconnect has been the source of its bugs.
 */
import type { Cluster, Redis } from 'ioredis';
import type { SetTimer } from '../../support/timer.ts';

export interface RedisLinkOptions<C extends Redis | Cluster> {
  /** Makes a client that is not connected yet. */
  create(): C;
  /** The longest that a client may take to become ready, in milliseconds. */
  readonly readyWithinMs: number;
  onReady(client: C): void;
  /** The connection has an error, which is the best reason there is for commands that fail. */
  onError(error: unknown, client: C): void;
}

export interface RedisLinkDeps {
  readonly random: () => number;
  readonly setTimer: SetTimer;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

export class RedisLink<C extends Redis | Cluster> {
  readonly #options: RedisLinkOptions<C>;
  readonly #deps: RedisLinkDeps;
  #client: C | undefined;
  #isReady = false;
  #failures = 0;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;
  /** Called once the present attempt is over, good or bad. */
  #waiting: (() => void)[] = [];

  constructor(options: RedisLinkOptions<C>, deps: RedisLinkDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#open();
  }

  /** The client if it is ready to take commands. */
  get ready(): C | undefined {
    return this.#isReady ? this.#client : undefined;
  }

  /** Resolves with the client; without one if there is none, or the attempt that is under way fails. */
  async whenReady(): Promise<C | undefined> {
    if (this.#client !== undefined && !this.#isReady) {
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
    return this.ready;
  }

  /** Called when the client has done its work: if it is lost now, the next one follows after the shortest delay. */
  worked(): void {
    this.#failures = 0;
  }

  /** Gives a faulty client up; another one follows. Without effect for a former client. */
  drop(client: Redis | Cluster): void {
    if (client !== this.#client) return;
    this.#forget();
    this.#openLater();
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#forget();
  }

  #open(): void {
    const client = this.#options.create();
    this.#client = client;
    const current = (): boolean => client === this.#client;
    const fail = (error: unknown): void => {
      if (current()) this.#options.onError(error, client);
    };
    const emitter: NodeJS.EventEmitter = client;
    emitter.on('error', fail);
    emitter.on('node error', fail);
    emitter.on('sentinelError', fail);
    emitter.on('ready', () => {
      if (!current()) return;
      this.#cancelTimer?.();
      this.#isReady = true;
      this.#wake();
      this.#options.onReady(client);
    });
    emitter.on('end', () => {
      this.drop(client);
    });
    this.#cancelTimer = this.#deps.setTimer(() => this.drop(client), this.#options.readyWithinMs);
    // The events report a connect that fails.
    client.connect().catch(() => undefined);
  }

  #forget(): void {
    this.#cancelTimer?.();
    const client = this.#client;
    this.#client = undefined;
    this.#isReady = false;
    client?.disconnect();
    this.#wake();
  }

  #openLater(): void {
    if (this.#isClosed) return;
    const longest = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    const afterMs = longest * (0.5 + this.#deps.random() / 2);
    this.#cancelTimer = this.#deps.setTimer(() => this.#open(), afterMs);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
