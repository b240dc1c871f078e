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
  'acquireAndRelease',
  'cancel',
  'release',
  'succeed',
  'fail',
  'die',
  'readable',
  'suspend',
  'resume',
  'advance',
  'microtask',
  'settle',
] as const;
export type Step = (typeof STEPS)[number];

interface Session {
  state: 'waiting' | 'done' | 'cancelled';
  cancel: Cancel;
}

export class WarmModel {
  readonly #limit: number;
  readonly #warm: number;
  readonly #harness: WarmHarness;
  readonly #sessions: Session[] = [];
  readonly #lent: FakeConnection[] = [];
  readonly #everLent = new Set<FakeConnection>();
  #isSuspended = false;
  #succeeded = new Set<FakeConnect>();

  constructor(limit: number, warm: number, maxWaiting: number) {
    this.#limit = limit;
    this.#warm = warm;
    this.#harness = warmHarness({ limit, warm, maxWaiting, maxIdleMs: 4_000, acquireTimeoutMs: 3_000 });
  }

  /** Takes one step; `n` chooses among what there is. Steps that do not apply do nothing. */
  async step(step: Step, n: number): Promise<void> {
    const { backend, clock, pool } = this.#harness;
    const parked = backend.connects.map(({ connection }) => connection).filter(({ isWatched }) => isWatched);
    switch (step) {
      case 'acquire':
        this.acquire(false);
        break;
      case 'acquireAndRelease':
        this.acquire(true);
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
        pick(parked, n)?.readable();
        break;
      case 'suspend':
        this.#isSuspended = true;
        pool.suspend();
        break;
      case 'resume':
        this.#isSuspended = false;
        pool.resume();
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

  acquire(releasesAtOnce: boolean): void {
    const session: Session = { state: 'waiting', cancel: () => undefined };
    this.#sessions.push(session);
    session.cancel = this.#harness.pool.acquire(result => {
      assert.equal(session.state, 'waiting', 'done once, and not after its cancel');
      session.state = 'done';
      if (!result.ok) return;
      const { connection } = result;
      assert.ok(!this.#everLent.has(connection), 'lent once');
      assert.ok(!connection.isReset && !connection.isWatched, 'lent alive and unwatched');
      this.#everLent.add(connection);
      this.#lent.push(connection);
      if (releasesAtOnce) {
        this.release(connection);
        this.acquire(false);
      }
    });
  }

  release(connection: FakeConnection | undefined): void {
    if (connection === undefined) return;
    this.#lent.splice(this.#lent.indexOf(connection), 1);
    this.#harness.pool.release(connection);
  }

  /** Ends every run: no session is forgotten, the pool fills up again, nothing is left behind, no place is lost. */
  async finish(): Promise<void> {
    const { backend, clock, pool } = this.#harness;
    await this.step('suspend', 0);
    await this.step('resume', 0);
    await this.#succeedAll();
    const wanted = Math.min(this.#warm, this.#limit - this.#lent.length);
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

    for (let n = 0; n < this.#limit; n++) this.acquire(false);
    assert.equal(backend.opening.length, this.#limit, 'no place is lost');
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
      return !connection.isReset && (lent.has(connection) || !this.#everLent.has(connection));
    }).length;
  }

  #check(): void {
    const { backend, pool } = this.#harness;
    const { lent, parked, hits, misses } = pool.stats();
    const watched = backend.connects.filter(({ connection }) => connection.isWatched).length;
    assert.ok(this.#open() <= this.#limit, `${this.#open()} connections at a limit of ${this.#limit}`);
    assert.equal(parked, watched, 'parked is watched');
    assert.ok(parked <= this.#warm);
    assert.equal(lent, this.#lent.length);
    assert.equal(hits + misses, this.#sessions.length);
    const spares = this.#isSuspended ? 0 : 1;
    assert.ok(backend.opening.length <= this.#waiting() + spares, 'one refill at a time');
    if (this.#isSuspended) assert.equal(parked, 0);
    for (const connection of this.#lent) assert.ok(!connection.isReset && !connection.isWatched);
  }

  /** With no promise pending, an acquire waits only for its own connect or for a place. */
  #checkSettled(): void {
    const { backend } = this.#harness;
    const isStuck = this.#waiting() > backend.opening.length && this.#open() < this.#limit;
    assert.ok(!isStuck, 'an acquire waits although there is room');
  }
}

function pick<T>(items: readonly T[], n: number): T | undefined {
  return items[n % items.length];
}
