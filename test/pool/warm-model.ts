/**
 * A warm pool driven by arbitrary steps, with everything checked after each of them.
 *
 * Place: test/pool/warm-pool-property.test.ts. The model counts on the side of the network and of the sessions
 * only; what the pool says of itself must agree with it.
 */
import assert from 'node:assert/strict';
import type { Cancel } from '../../pool/connection-pool.ts';
import { type FakeConnect, type FakeConnection, settle } from './fake-backend.ts';
import { type WarmHarness, warmHarness } from './warm-harness.ts';

export const STEPS = [
  'acquire',
  'acquireFresh',
  'acquireAndRelease',
  'cancel',
  'release',
  'releaseClean',
  'succeed',
  'fail',
  'die',
  'readable',
  'suspend',
  'resume',
  'adjust',
  'advance',
  'microtask',
  'settle',
] as const;
export type Step = (typeof STEPS)[number];

export interface ModelOptions {
  readonly limit: number;
  readonly warm: number;
  readonly maxWaiting: number;
  readonly reuse?: boolean;
}

const MAX_REUSED = 2;

interface Session {
  state: 'waiting' | 'done' | 'cancelled';
  cancel: Cancel;
}

export class WarmModel {
  #limit: number;
  /** What is open beyond a limit that was lowered. */
  #beyond = 0;
  #warm: number;
  readonly #maxReused: number;
  readonly #harness: WarmHarness;
  readonly #sessions: Session[] = [];
  readonly #lent: FakeConnection[] = [];
  readonly #everLent = new Set<FakeConnection>();
  /** Released clean, and silent since. */
  readonly #leftClean = new Set<FakeConnection>();
  #isSuspended = false;
  #succeeded = new Set<FakeConnect>();

  constructor(options: ModelOptions) {
    this.#limit = options.limit;
    this.#warm = options.warm;
    this.#maxReused = options.reuse === true ? MAX_REUSED : 0;
    this.#harness = warmHarness({
      ...options,
      maxReused: MAX_REUSED,
      maxIdleMs: 4_000,
      acquireTimeoutMs: 3_000,
    });
  }

  /** Takes one step; `n` chooses among what there is. Steps that do not apply do nothing. */
  async step(step: Step, n: number): Promise<void> {
    const { backend, clock, pool } = this.#harness;
    const parked = backend.connects.map(({ connection }) => connection).filter(({ isWatched }) => isWatched);
    switch (step) {
      case 'acquire':
        this.acquire();
        break;
      case 'acquireFresh':
        this.acquire({ fresh: true });
        break;
      case 'acquireAndRelease':
        this.acquire({ releases: n % 2 === 0 ? 'used' : 'clean' });
        break;
      case 'cancel': {
        const session = pick(this.#sessions, n);
        if (session?.state === 'waiting') session.state = 'cancelled';
        session?.cancel();
        break;
      }
      case 'release':
        this.release(pick(this.#lent, n));
        break;
      case 'releaseClean':
        this.release(pick(this.#lent, n), true);
        break;
      case 'succeed':
        this.#succeed(pick(backend.opening, n));
        break;
      case 'fail':
        pick(backend.opening, n)?.fail();
        break;
      case 'die':
        pick(parked, n)?.die();
        break;
      case 'readable':
        this.#readable(pick(parked, n));
        break;
      case 'suspend':
        this.#isSuspended = true;
        pool.suspend();
        break;
      case 'resume':
        this.#isSuspended = false;
        pool.resume();
        break;
      case 'adjust':
        this.#limit = 1 + (n % 4);
        this.#warm = 1 + (n % 3);
        pool.adjust({ limit: this.#limit, warm: this.#warm });
        this.#beyond = Math.max(this.#open() - this.#limit, 0);
        assert.ok(this.#beyond === 0 || pool.stats().parked === 0, 'what is parked goes first');
        break;
      case 'advance':
        clock.advance([10, 100, 1_500, 4_000][n % 4]!);
        break;
      case 'microtask':
        for (let i = 0; i <= n; i++) await Promise.resolve();
        break;
      case 'settle':
        await settle();
        this.#checkSettled();
        break;
    }
    this.#check();
  }

  acquire(how: { fresh?: boolean; releases?: 'used' | 'clean' } = {}): void {
    const session: Session = { state: 'waiting', cancel: () => undefined };
    const { fresh = false, releases } = how;
    this.#sessions.push(session);
    session.cancel = this.#harness.pool.acquire(
      result => {
        assert.equal(session.state, 'waiting', 'done once, and not after its cancel');
        session.state = 'done';
        if (!result.ok) return;
        const { connection, origin } = result;
        const isReused = this.#everLent.has(connection);
        assert.equal(origin === 'reused', isReused, 'the origin says whether it was used before');
        if (isReused)
          assert.ok(this.#leftClean.delete(connection), 'lent again only if left clean and silent');
        if (fresh) assert.equal(origin, 'new');
        assert.ok(!connection.isReset && !connection.isWatched, 'lent alive and unwatched');
        this.#everLent.add(connection);
        this.#lent.push(connection);
        if (releases !== undefined) {
          this.release(connection, releases === 'clean');
          this.acquire();
        }
      },
      { fresh },
    );
  }

  release(connection: FakeConnection | undefined, clean = false): void {
    if (connection === undefined) return;
    this.#lent.splice(this.#lent.indexOf(connection), 1);
    if (clean) this.#leftClean.add(connection);
    this.#harness.pool.release(connection, clean);
    const isCared = connection.isReset || connection.isWatched || this.#lent.includes(connection);
    assert.ok(!clean || isCared || this.#releasedAgain(connection), 'left clean: parked, lent or reset');
  }

  /** Ends every run: no session is forgotten, the pool fills up again, nothing is left behind, no place is lost. */
  async finish(): Promise<void> {
    const { backend, clock, pool } = this.#harness;
    await this.step('suspend', 0);
    await this.step('resume', 0);
    await this.#succeedAll();
    const wanted = Math.max(Math.min(this.#warm, this.#limit - this.#lent.length), 0);
    assert.equal(pool.stats().parked, this.#waiting() > 0 ? 0 : wanted, 'filled again');

    pool.close();
    this.#isSuspended = true;
    while (this.#lent.length > 0) this.release(this.#lent[0]);
    await this.#succeedAll();
    while (this.#lent.length > 0) this.release(this.#lent[0]);
    clock.advance(3_000);
    await settle();
    this.#check();
    assert.equal(this.#waiting(), 0, 'every acquire is done or cancelled');
    assert.equal(this.#open(), 0, 'every connection is released or reset');
    assert.deepEqual(clock.delaysMs, [], 'no timer is left');

    for (let n = 0; n < this.#limit; n++) this.acquire();
    assert.equal(backend.opening.length, this.#limit, 'no place is lost');
  }

  /** From within its own hand-over, by a session that had waited for it. */
  #releasedAgain(connection: FakeConnection): boolean {
    return this.#everLent.has(connection) && !this.#leftClean.has(connection);
  }

  #readable(connection: FakeConnection | undefined): void {
    if (connection === undefined) return;
    connection.readable();
    const isSpare = !this.#everLent.has(connection);
    assert.equal(connection.isReset, !isSpare, 'a greeting is kept, a late byte destroys');
    this.#leftClean.delete(connection);
  }

  async #succeedAll(): Promise<void> {
    const { backend } = this.#harness;
    do {
      for (const connect of backend.opening) this.#succeed(connect);
      await this.step('settle', 0);
    } while (backend.opening.length > 0);
  }

  #succeed(connect: FakeConnect | undefined): void {
    if (connect === undefined) return;
    this.#succeeded.add(connect);
    connect.succeed();
  }

  #waiting(): number {
    return this.#sessions.filter(({ state }) => state === 'waiting').length;
  }

  /** Connections that take a place at the backend: being opened, or connected and neither reset nor released. */
  #open(): number {
    const lent = new Set(this.#lent);
    return this.#harness.backend.connects.filter(connect => {
      const { connection } = connect;
      if (!this.#succeeded.has(connect)) return connect.isOpening;
      const isParked = connection.isWatched || !this.#everLent.has(connection);
      return !connection.isReset && (lent.has(connection) || isParked);
    }).length;
  }

  #check(): void {
    const { backend, evicted: reported, pool } = this.#harness;
    const { lent, parked, hits, misses, evicted } = pool.stats();
    for (const [cause, times] of Object.entries(evicted))
      assert.equal(
        reported.filter(each => each === cause).length,
        times,
        `each eviction is reported: ${cause}`,
      );
    const watched = backend.connects.filter(({ connection }) => connection.isWatched).length;
    const beyond = Math.max(this.#open() - this.#limit, 0);
    assert.ok(beyond <= this.#beyond, `${this.#open()} connections at a limit of ${this.#limit}`);
    this.#beyond = beyond;
    assert.equal(parked, watched, 'parked is watched');
    assert.ok(parked <= this.#warm + this.#maxReused);
    const spares = backend.connects.filter(
      ({ connection }) => connection.isWatched && !this.#everLent.has(connection),
    );
    assert.ok(spares.length <= this.#warm);
    assert.equal(lent, this.#lent.length);
    assert.equal(hits + misses, this.#sessions.length);
    const refills = this.#isSuspended ? 0 : 1;
    assert.ok(backend.opening.length <= this.#waiting() + refills, 'one refill at a time');
    if (this.#isSuspended) assert.equal(parked, 0);
    for (const connection of this.#lent) assert.ok(!connection.isReset && !connection.isWatched);
  }

  /** With no promise pending, an acquire waits only for its own connect or for a place. */
  #checkSettled(): void {
    const { backend, pool } = this.#harness;
    const isQueued = this.#waiting() > backend.opening.length;
    assert.ok(!isQueued || this.#open() >= this.#limit, 'an acquire waits although there is room');
    assert.ok(!isQueued || pool.stats().parked === 0, 'an acquire waits for a place that a spare takes');
  }
}

function pick<T>(items: readonly T[], n: number): T | undefined {
  return items[n % items.length];
}
