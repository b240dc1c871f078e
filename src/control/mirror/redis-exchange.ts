/**
 * The exchange over Redis.
 *
 * Place: implements `exchange.ts` for the mirror: one run of the script per exchange (`redis-client.ts`), and the
 * changes that other instances report (`change-subscriber.ts`). Both this and the plain model pass
 * `test/contracts/exchange.ts`.
 * Invariants:
 * - The caller has at most one exchange per upstream in flight.
 * - Nothing is queued here, and nothing is repeated after a failure.
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
import {
  encodeChanges,
  encodeCounts,
  encodeUnseen,
  parseReply,
  type Answered,
  type EncodedCounts,
  type Incomplete,
  type Roster,
} from './exchange-codec.ts';
import { exchangeKeys } from './exchange-keys.ts';
import { SAME_BACKENDS, TOMBSTONE_MS } from './exchange-script.ts';
import { RedisClient, type ScriptValue } from './redis-client.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisDeps } from './redis-options.ts';

export interface RedisExchangeOptions {
  /** The longest that an exchange may take, in milliseconds. */
  readonly timeoutMs: number;
}

const STRANGE = "what Redis holds of this upstream is not lb4's";

/** Starts to connect at once, and goes on trying until it is closed. */
export function createRedisExchange(
  connection: RedisConnection,
  options: RedisExchangeOptions,
  deps: RedisDeps,
): Exchange {
  return new RedisExchange(connection, options, deps);
}

/** What is known from an upstream's last exchange. */
interface Known {
  readonly roster: Roster;
  readonly said: EncodedCounts;
  readonly number: number;
  /** Whether it is certain that the publication has arrived. */
  hasArrived: boolean;
}

function isAsBefore({ roster, said }: Known, { backends }: EncodedCounts): boolean {
  return backends === said.backends && backends === roster.list;
}

class RedisExchange implements Exchange {
  readonly #client: RedisClient;
  readonly #subscriber: ChangeSubscriber;
  /** By the key of the publishing instance. */
  readonly #known = new Map<string, Known>();
  #onChange: (change: Change) => void = () => undefined;
  #onReady: () => void = () => undefined;

  constructor(connection: RedisConnection, { timeoutMs }: RedisExchangeOptions, deps: RedisDeps) {
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
    const { upstream, number } = publication;
    this.#subscriber.follow(upstream);
    const [own] = exchangeKeys(upstream, publication.instance);
    const known = this.#known.get(own);
    const encoded = encodeCounts(publication.counts, known?.said);
    const since = known?.hasArrived === true && isAsBefore(known, encoded) ? known : undefined;
    // Until the exchange has worked, it is uncertain whether the publication arrived.
    if (known !== undefined) known.hasArrived = false;
    let reply = await this.#publish(publication, encoded, known?.roster, since);
    if (reply.kind === 'again') reply = await this.#publish(publication, encoded, known?.roster, undefined);
    switch (reply.kind) {
      case 'nameTaken':
        return reply;
      case 'again':
        throw new ExchangeError('error', STRANGE);
      case 'answered':
        // A publication that arrives late gets an answer, but changes nothing.
        this.#known.set(own, {
          ...{ roster: reply.roster, said: encoded, number },
          hasArrived: number > (known?.number ?? -Infinity),
        });
        return reply.answer;
    }
  }

  async #publish(
    { upstream, instance, owner, number, leaseMs, unseen }: Publication,
    encoded: EncodedCounts,
    roster: Roster | undefined,
    since: Known | undefined,
  ): Promise<Answered | NameTaken | Incomplete> {
    const { backends, counts } = encoded;
    const difference: ScriptValue[] =
      since === undefined ? ['', ''] : [since.number, encodeChanges(since.said, encoded)];
    const reply = parseReply(
      await this.#client.run(exchangeKeys(upstream, instance), [
        ...['publish', instance, owner, number, Math.ceil(leaseMs), encodeUnseen(unseen)],
        ...[since === undefined ? backends : SAME_BACKENDS, counts, roster?.epoch ?? '', ...difference],
      ]),
      roster,
    );
    if (reply !== undefined) return reply;
    // For a caller that knows no epoch the script checks what it has, and sums up anew what does not fit.
    this.#known.delete(exchangeKeys(upstream, instance)[0]);
    throw new ExchangeError('error', STRANGE);
  }

  async withdraw(who: Pick<Publication, 'upstream' | 'instance' | 'owner' | 'number'>): Promise<void> {
    const { upstream, instance, owner, number } = who;
    this.#subscriber.leave(upstream);
    const keys = exchangeKeys(upstream, instance);
    this.#known.delete(keys[0]);
    await this.#client.run(keys, [
      ...['withdraw', instance, owner, number, TOMBSTONE_MS, 0, '', '', '', '', ''],
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
