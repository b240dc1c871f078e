/**
 * The exchange over Redis.
 *
 * Place: implements `exchange.ts` for the mirror: a script run per exchange (`redis-client.ts`), and the changes that
 * the others tell (`change-subscriber.ts`). `test/contracts/exchange.ts` is what both this and the plain model keep to.
 * Invariants: whoever calls keeps at most one exchange per upstream in flight; nothing is queued or repeated here.
 */
import { ChangeSubscriber } from './change-subscriber.ts';
import {
  ExchangeError,
  type Change,
  type Exchange,
  type NameTaken,
  type Publication,
  type Totals,
} from './exchange.ts';
import { encodeCounts, encodeUnseen, parseReply } from './exchange-codec.ts';
import { changesChannel, exchangeKeys, instancePrefix, TOMBSTONE_MS } from './exchange-script.ts';
import { RedisClient } from './redis-client.ts';
import type { RedisConnection } from './redis-connection.ts';

export interface RedisExchangeOptions {
  /** For how long an exchange may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Starts to connect at once, and goes on trying until it is closed. */
export function createRedisExchange(
  connection: RedisConnection,
  options: RedisExchangeOptions,
  deps: { readonly random: () => number },
): Exchange {
  return new RedisExchange(connection, options, deps);
}

class RedisExchange implements Exchange {
  readonly #client: RedisClient;
  readonly #subscriber: ChangeSubscriber;
  #onChange: (change: Change) => void = () => undefined;
  #onReady: () => void = () => undefined;

  constructor(
    connection: RedisConnection,
    { timeoutMs }: RedisExchangeOptions,
    deps: { readonly random: () => number },
  ) {
    this.#client = new RedisClient(
      connection,
      {
        timeoutMs,
        onReady: () => {
          this.#onReady();
        },
      },
      deps,
    );
    this.#subscriber = new ChangeSubscriber(
      connection,
      {
        timeoutMs,
        onChange: change => {
          this.#onChange(change);
        },
      },
      deps,
    );
  }

  async exchange(publication: Publication): Promise<Totals | NameTaken> {
    const { upstream, instance, owner, number, leaseMs, unseen } = publication;
    this.#subscriber.follow(upstream);
    const { backends, counts } = encodeCounts(publication.counts);
    const reply = parseReply(
      await this.#client.run(exchangeKeys(upstream, instance), [
        ...['publish', instancePrefix(upstream), changesChannel(upstream), instance, owner, number],
        ...[Math.ceil(leaseMs), encodeUnseen(unseen), backends, counts],
      ]),
    );
    if (reply === undefined) {
      throw new ExchangeError('error', "what Redis holds of this upstream is not lb4's");
    }
    return reply;
  }

  async withdraw(who: Pick<Publication, 'upstream' | 'instance' | 'owner' | 'number'>): Promise<void> {
    const { upstream, instance, owner, number } = who;
    this.#subscriber.leave(upstream);
    await this.#client.run(exchangeKeys(upstream, instance), [
      ...['withdraw', instancePrefix(upstream), changesChannel(upstream), instance, owner, number],
      ...[TOMBSTONE_MS, 0, '', ''],
    ]);
  }

  onChange(listener: (change: Change) => void): void {
    this.#onChange = listener;
  }

  onReady(listener: () => void): void {
    this.#onReady = listener;
  }

  close(): void {
    this.#client.close();
    this.#subscriber.close();
  }
}
