/**
 * Receives the small changes that other instances report, over a connection of its own.
 *
 * Place: part of `redis-exchange.ts`. Nothing depends on it: a change that is missed is noticed by its version, and
 * the next exchange makes up for it. So there are no retries and no errors here, only a connection that comes back.
 * Invariants:
 * - After each connect everything is subscribed anew.
 * - A ping every 10 s finds a silent connection that is dead (ioredis drops one that does not answer).
 */
import type { Redis } from 'ioredis';
import type { SetTimer } from '../../support/timer.ts';
import type { Change } from './exchange.ts';
import { parseChange } from './exchange-codec.ts';
import { changesChannel } from './exchange-keys.ts';
import type { RedisConnection } from './redis-connection.ts';
import { RedisLink } from './redis-link.ts';
import { createSubscriberClient, type RedisDeps } from './redis-options.ts';

const PING_EVERY_MS = 10_000;

export interface ChangeSubscriberOptions {
  readonly timeoutMs: number;
  onChange(change: Change): void;
}

export class ChangeSubscriber {
  readonly #link: RedisLink<Redis>;
  /** Channel → upstream. */
  readonly #channels = new Map<string, string>();
  readonly #setTimer: SetTimer;
  #cancelPing: () => void = () => undefined;

  constructor(connection: RedisConnection, options: ChangeSubscriberOptions, deps: RedisDeps) {
    const { topology } = connection;
    const limits = { timeoutMs: options.timeoutMs, lookup: deps.lookup };
    const nodes = topology.kind === 'single' ? [topology.node] : topology.nodes;
    let next = Math.floor(deps.random() * nodes.length);
    this.#link = new RedisLink(
      {
        create: () => {
          const client = createSubscriberClient(connection, limits, nodes[next++ % nodes.length]);
          client.on('message', (channel: string, message: string) => {
            const upstream = this.#channels.get(channel);
            const change = upstream === undefined ? undefined : parseChange(upstream, message);
            if (change !== undefined) options.onChange(change);
          });
          return client;
        },
        readyWithinMs: 10_000,
        onReady: client => {
          if (this.#channels.size > 0) this.#subscribe(client, [...this.#channels.keys()]);
        },
        onError: () => undefined,
      },
      deps,
    );
    this.#setTimer = deps.setTimer;
    this.#pingLater();
  }

  /** Subscribes to an upstream's changes, now or as soon as there is a connection. Idempotent. */
  follow(upstream: string): void {
    const channel = changesChannel(upstream);
    if (this.#channels.has(channel)) return;
    this.#channels.set(channel, upstream);
    const client = this.#link.ready;
    if (client !== undefined) this.#subscribe(client, [channel]);
  }

  /** Ends a subscription. Idempotent. */
  leave(upstream: string): void {
    const channel = changesChannel(upstream);
    if (!this.#channels.delete(channel)) return;
    this.#link.ready?.unsubscribe(channel).catch(() => undefined);
  }

  /** Idempotent. */
  close(): void {
    this.#cancelPing();
    this.#link.close();
  }

  #pingLater(): void {
    this.#cancelPing = this.#setTimer(() => {
      this.#link.ready?.ping().catch(() => undefined);
      this.#pingLater();
    }, PING_EVERY_MS);
  }

  /** An answer shows that the connection works. After a refusal (an ACL without `&lb4:*`) no changes come. */
  #subscribe(client: Redis, channels: readonly string[]): void {
    client.subscribe(...channels).then(
      () => {
        this.#link.worked();
      },
      () => undefined,
    );
  }
}
