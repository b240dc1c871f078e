/**
 * Runs the exchange's script on Redis, Sentinel or Cluster, and gives the reason when it cannot.
 *
 * Place: between `redis-exchange.ts` and ioredis. `redis-options.ts` bounds each connection, `redis-link.ts` renews it.
 * Invariants:
 * - A run ends within `timeoutMs`, whatever happens.
 * - Each failure is an `ExchangeError`. Without a connection its reason is the connection's last error: a refused
 *   password fails commands with `denied`, although ioredis only reports that there is no connection.
 */
import type { Cluster, Redis, Result } from 'ioredis';
import type { SetTimer } from '../../support/timer.ts';
import { ExchangeError } from './exchange.ts';
import { exchangeFailure } from './exchange-failure.ts';
import { EXCHANGE_SCRIPT } from './exchange-script.ts';
import type { RedisConnection } from './redis-connection.ts';
import { RedisLink } from './redis-link.ts';
import { createCommandClient, type RedisDeps } from './redis-options.ts';

export type ScriptValue = string | number | Buffer;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    lb4ExchangeBuffer(...keysAndArguments: ScriptValue[]): Result<unknown, Context>;
  }
}

export interface RedisClientOptions {
  /** The longest that a run may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Called whenever a connection is ready. */
  onReady(): void;
}

export class RedisClient {
  readonly #timeoutMs: number;
  readonly #setTimer: SetTimer;
  readonly #link: RedisLink<Redis | Cluster>;
  /** The last error of the connection, while there is none. */
  #trouble: ExchangeError | undefined;
  /** The server of the last attempt sends what Redis does not. Later errors of it only follow from this one. */
  #strange: ExchangeError | undefined;

  constructor(connection: RedisConnection, options: RedisClientOptions, deps: RedisDeps) {
    this.#timeoutMs = options.timeoutMs;
    this.#setTimer = deps.setTimer;
    this.#link = new RedisLink(
      {
        create: () => {
          this.#strange = undefined;
          const client = createCommandClient(connection, {
            timeoutMs: options.timeoutMs,
            lookup: deps.lookup,
            onStrange: error => (this.#strange = exchangeFailure(error)),
          });
          client.defineCommand('lb4Exchange', { numberOfKeys: 4, lua: EXCHANGE_SCRIPT });
          return client;
        },
        readyWithinMs: 10_000,
        onReady: () => {
          this.#trouble = undefined;
          options.onReady();
        },
        onError: (error, client) => {
          this.#trouble = exchangeFailure(error);
          // ioredis would go on in database 0.
          if (isRefusedDatabase(error)) this.#link.drop(client);
        },
      },
      deps,
    );
  }

  /**
   * Runs the script; resolves with its reply, texts as Buffers. Rejects with an `ExchangeError`, after which the script
   * may have run all the same.
   */
  async run(keys: readonly string[], values: readonly ScriptValue[]): Promise<unknown> {
    const call = { isLate: false };
    let cancelTimer: (() => void) | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      cancelTimer = this.#setTimer(() => {
        call.isLate = true;
        reject(this.#known ?? new ExchangeError('timeout', 'Redis did not answer in time'));
      }, this.#timeoutMs);
    });
    try {
      return await Promise.race([this.#run(keys, values, call), late]);
    } finally {
      cancelTimer?.();
    }
  }

  /** Idempotent; waits for nothing. */
  close(): void {
    this.#link.close();
  }

  get #known(): ExchangeError | undefined {
    return this.#strange ?? this.#trouble;
  }

  async #run(
    keys: readonly string[],
    values: readonly ScriptValue[],
    call: { readonly isLate: boolean },
  ): Promise<unknown> {
    const client = await this.#link.whenReady();
    // A run whose caller has given up is not sent: the next publication is more recent.
    if (client === undefined || call.isLate) {
      throw this.#known ?? new ExchangeError('unreachable', 'there is no connection to Redis');
    }
    try {
      const reply = await client.lb4ExchangeBuffer(...keys, ...values);
      this.#trouble = undefined;
      this.#link.worked();
      return reply;
    } catch (error) {
      const failure = exchangeFailure(error);
      // After a failover the old master stays connected; a new connection goes to the new one.
      if (failure.reason === 'readOnly') {
        this.#trouble = failure;
        this.#link.drop(client);
      }
      throw failure.reason === 'unreachable' ? (this.#known ?? failure) : failure;
    }
  }
}

/** Whether it was the choice of the database that failed. */
function isRefusedDatabase(error: unknown): boolean {
  const command = error instanceof Error && 'command' in error ? error.command : undefined;
  return typeof command === 'object' && command !== null && 'name' in command && command.name === 'select';
}
