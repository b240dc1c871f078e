/**
 * The pool of one backend, as its plan wants it: direct connections, or one that parks connections where the upstream
 * asks for it. It follows the plan: limits and spares change in place, another kind of pool takes the place of the old.
 *
 * Place: the one file that knows both `pool/`'s options and the plan's settings.
 * Invariants:
 * - A connection is given back to the pool that lent it.
 * - Figures go on counting over a change of pools.
 */
import {
  createDirectPool,
  createWarmPool,
  type Acquired,
  type ConnectionPool,
  type EvictionCause,
  type OwnConnect,
  type WarmPool,
} from '../../../pool/index.ts';
import type { Cancel, ConnectFailure, ConnectResult, Connection } from '../../engine/engine.ts';
import type { SlotFigures } from '../../model/pool-figures.ts';
import type { UpstreamPlan } from '../../model/upstream-plan.ts';
import type { SetTimer } from '../../support/timer.ts';

export type Lender = ConnectionPool<Connection, ConnectFailure>;

/** Gives a connection back. No other session wants one to an address that the backend no longer has (`isMoved`). */
export function giveBack(lender: Lender, connection: Connection, isClean: boolean, isMoved: boolean): void {
  if (isClean && isMoved) connection.reset();
  lender.release(connection, isClean && !isMoved);
}
export type AcquiredConnection = Acquired<Connection, ConnectFailure>;
/** Where a connection came from. */
export type Origin = (AcquiredConnection & { ok: true })['origin'];

/** Opens a connection to the addresses that the backend has when the attempt begins, one after the other if need be. */
export type ConnectBackend = (
  done: (result: ConnectResult) => void,
  client?: string,
  own?: OwnConnect,
) => Cancel;

export interface BackendPoolDeps {
  now(): number;
  random(): number;
  readonly setTimer: SetTimer;
}

/** What becomes of what is parked. */
export type OnEvicted = (cause: EvictionCause) => void;

/** The parts of a plan that matter here. */
export type PoolPlan = Pick<UpstreamPlan, 'pool' | 'connect' | 'tls' | 'sendProxy'>;

/** A session waits in the pool only while a spare is being opened at the backend's limit: a few at most. */
const MAX_WAITING = 64;
/** Beyond the engine's own connect timeout, so that the engine's more exact failure comes first. */
const ACQUIRE_GRACE_MS = 1_000;

export class BackendPool {
  readonly #connect: ConnectBackend;
  readonly #onEvicted: OnEvicted;
  readonly #deps: BackendPoolDeps;
  #lender: Lender;
  /** The pool that lends, where it parks connections. */
  #warm: WarmPool<Connection, ConnectFailure> | undefined;
  #before = { hits: 0, misses: 0 };
  /** Pools that were replaced, as long as connections of theirs are open. */
  #replaced: Lender[] = [];
  #isClosed = false;

  /** @param maxSessions the backend's own limit; parked connections count towards it */
  constructor(
    plan: PoolPlan,
    maxSessions: number | undefined,
    connect: ConnectBackend,
    onEvicted: OnEvicted,
    deps: BackendPoolDeps,
  ) {
    this.#connect = connect;
    this.#onEvicted = onEvicted;
    this.#deps = deps;
    this.#warm = this.#createWarm(plan, maxSessions);
    this.#lender = this.#warm ?? createDirectPool({ connect });
  }

  /** The pool to acquire from now; a connection is given back to the pool that lent it. */
  get lender(): Lender {
    return this.#lender;
  }

  /** Takes over what a new plan says; lent connections are not touched. */
  follow(plan: PoolPlan, maxSessions: number | undefined): void {
    if (parks(plan)) this.#warm?.adjust(warmOptions(plan, maxSessions));
    if (parks(plan) === (this.#warm !== undefined)) return;
    const { hits, misses } = this.figures();
    this.#before = { hits, misses };
    this.#lender.close();
    this.#replaced.push(this.#lender);
    this.#warm = this.#createWarm(plan, maxSessions);
    this.#lender = this.#warm ?? createDirectPool({ connect: this.#connect });
    if (this.#isClosed) this.#lender.close();
  }

  /** The backend gets no new sessions: destroys what is parked. */
  suspend(): void {
    this.#lender.suspend();
  }

  resume(): void {
    this.#lender.resume();
  }

  /** Destroys what is parked for good. */
  close(): void {
    this.#isClosed = true;
    this.#lender.close();
  }

  /** How many connections are there, and how many acquires got a parked one or had to connect. */
  figures(): SlotFigures {
    const { lent, opening, parked, hits, misses } = this.#lender.stats();
    return {
      parked,
      hits: this.#before.hits + hits,
      misses: this.#before.misses + misses,
      connections: lent + opening + parked + this.#ofReplaced(),
      retriesLeft: 0,
    };
  }

  #ofReplaced(): number {
    if (this.#replaced.length === 0) return 0;
    const open = (lender: Lender): number => {
      const { lent, opening } = lender.stats();
      return lent + opening;
    };
    this.#replaced = this.#replaced.filter(lender => open(lender) > 0);
    return this.#replaced.reduce((sum, lender) => sum + open(lender), 0);
  }

  #createWarm(
    plan: PoolPlan,
    maxSessions: number | undefined,
  ): WarmPool<Connection, ConnectFailure> | undefined {
    if (!parks(plan)) return undefined;
    return createWarmPool(
      { ...warmOptions(plan, maxSessions), maxWaiting: MAX_WAITING },
      {
        connect: this.#connect,
        now: () => this.#deps.now(),
        random: () => this.#deps.random(),
        setTimer: this.#deps.setTimer,
        onEvicted: this.#onEvicted,
        failures: {
          timeout: { reason: 'timeout', code: 'ETIMEDOUT' },
          // Not reachable while leases keep a backend's sessions within its limit.
          full: { reason: 'timeout', code: 'POOL_FULL' },
        },
      },
    );
  }
}

/** Is there anything to park? A header that comes before TLS names the client of a connection when that is made. */
export function parks({ pool, tls, sendProxy }: Omit<PoolPlan, 'connect'>): boolean {
  if (tls !== undefined && sendProxy !== undefined) return false;
  return pool.warm > 0 || pool.reuse;
}

function warmOptions({ pool, connect }: PoolPlan, maxSessions: number | undefined) {
  return {
    warm: pool.warm,
    reuse: pool.reuse,
    maxIdleMs: pool.maxIdle,
    limit: maxSessions,
    acquireTimeoutMs: connect.timeout + ACQUIRE_GRACE_MS,
  };
}
