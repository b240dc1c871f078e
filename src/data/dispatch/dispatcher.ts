/**
 * Finds a session its backend connection: pick, acquire from the backend's pool, and on failure again, as
 * `retries.ts` says and the upstream's budget allows; waits where every backend is full. Holds connection and lease
 * until the session gives them back, and reports how the backend did.
 *
 * Place: between admission and relay; nothing the client sent has been delivered yet (its early bytes wait in
 * its socket, or come first in its next relay), so another attempt can never repeat a byte.
 * Invariants:
 * - Its owner is called once per search, never after a cancel.
 * - At most one lease is held, and each is released once; a trial that was taken is decided or given back.
 * - A failure of this machine blames no backend; while a backend that is well has room the search goes on.
 */
import type { Cancel, ConnectFailure, Connection, RelayOutcome } from '../../engine/engine.ts';
import type { Termination } from '../../model/termination.ts';
import { countConnection, countConnectFailure, countFurther } from './attempt-counts.ts';
import { giveBack, type AcquiredConnection, type Lender, type Origin } from './backend-pool.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import { addressIn, stickyKeyOf, type Client } from './client-keys.ts';
import { connectFailed, connectSucceeded, sessionEnded, Trial } from './ejection-signals.ts';
import type { Lease } from './lease.ts';
import type { DispatcherDeps, DispatchOwner } from './dispatch-owner.ts';
import { whereTo } from './move-on.ts';
import { afterFailure, balancers } from './refusals.ts';
import { MOST_TRIED, Retries, type NextStep } from './retries.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';
import type { PickResult } from './picker.ts';
import { Wait, type Found, type WaitOwner } from './wait.ts';

/** One session's search and its result. */
export class Dispatch implements WaitOwner {
  readonly upstream: UpstreamRuntime;
  /** Connects and hand-overs of parked connections so far. This and the next four are written here only. */
  attempts = 0;
  /** Where the connection came from; undefined while there is none. */
  origin: Origin | undefined;
  /** From the last pick to the connection, in milliseconds; undefined while there is none. */
  connectMs: number | undefined;
  connectedAtMs = 0;
  /** Its connection has begun with what the owner sends first. */
  hasPreface = false;
  readonly #client: Client;
  readonly #deps: DispatcherDeps;
  readonly #owner: DispatchOwner;
  /** Held from the pick to the failure, the cancel or the release. */
  #lease: Lease | undefined;
  #connection: Connection | undefined;
  /** Ends what is going on: an attempt, or the pause before one. */
  #cancelStep: Cancel | undefined;
  #cancelDeadline: Cancel | undefined;
  #backend: BackendRuntime | undefined;
  /** The pool that was asked for the connection, and the backend's `moves` at that time. */
  #lender: Lender | undefined;
  #moves = 0;
  /** Where the attempts before the last one were made. */
  #earlier: string[] | undefined;
  /** Undefined until something has failed. */
  #retries: Retries | undefined;
  #lastFailure: ConnectFailure | undefined;
  /** Where it waits for a backend with room. */
  #wait: Wait | undefined;
  #trial: Trial | undefined;
  #isFresh = false;
  #isCancelled = false;

  constructor(upstream: UpstreamRuntime, client: Client, deps: DispatcherDeps, owner: DispatchOwner) {
    this.upstream = upstream;
    this.#client = client;
    this.#deps = deps;
    this.#owner = owner;
  }

  /** The last backend tried, if any was. */
  get backend(): string | undefined {
    return this.#backend?.id;
  }

  /** The backend of each attempt, in their order; of very many the first ones and the last. */
  get tried(): readonly string[] {
    return this.#backend === undefined ? [] : [...(this.#earlier ?? []), this.#backend.id];
  }

  /** The backend whose connection it has. */
  get servedBy(): BackendRuntime | undefined {
    return this.#connection && this.#lease?.backend;
  }

  /** Whether it matters when a session ends. */
  get judgesEnds(): boolean {
    return this.upstream.plan.ejection.earlyClose > 0;
  }

  /** Begins the search; its owner may be called before this returns. `nowMs`: the time, where it is known. */
  start(nowMs?: number): void {
    if (this.upstream.queue.mustWait()) this.#waitForRoom('inQueue');
    else this.#search(nowMs);
  }

  /** Gives the search up. Without effect once its owner has been called. */
  cancel(): void {
    this.#isCancelled = true;
    if (this.#connection !== undefined) return;
    this.#cancelDeadline?.();
    this.#stopWaiting();
    this.#giveUpStep();
  }

  /**
   * The session has ended with this outcome: judges the backend by it, and gives connection and lease back.
   * @param firstEndMs when one side had ended, if that was before
   */
  release(outcome: RelayOutcome, firstEndMs?: number): void {
    if (this.judgesEnds) this.#judge(outcome, firstEndMs);
    const lease = this.#lease;
    this.#returnConnection(outcome.cleanBackend !== undefined);
    this.#lease = undefined;
    lease?.release();
  }

  /** Its upstream has changed: an attempt that is given up now says nothing about its backend. */
  moveOn(): void {
    this.#wait?.moveOn();
    if (this.#lease === undefined || this.#connection !== undefined) return;
    this.#retries ??= new Retries(this.upstream.plan.connect);
    const next = whereTo(this.upstream, this.#lease, this.#client, this.#retries);
    if (next === 'stay') return;
    this.#giveUpStep();
    if (next === 'wait') this.#search();
    else this.#acquire(next);
  }

  /**
   * The parked connection was dead already, and nothing was delivered over it: searches once more for a fresh
   * one, first at the same backend and without counting the session twice. The owner is called as at first.
   */
  replaceStale(): void {
    const lease = this.#lease;
    this.#returnConnection(false);
    this.origin = undefined;
    this.connectMs = undefined;
    this.#isFresh = true;
    this.#again(lease?.isTrial === true ? undefined : lease);
  }

  /** For its wait only. */
  pick(): PickResult {
    const { picker, budget } = this.upstream;
    if (this.#retries === undefined || this.#retries.tried.size === 0) return picker.pick(this.#client);
    return picker.pickAgain(this.#client, this.#retries, budget.allows(this.#deps.now()));
  }

  /** For its wait only: no failure of its own keeps it from a backend that others may have. */
  mayQueue(): boolean {
    const { picker } = this.upstream;
    return this.#retries === undefined || this.#retries.forgetUnless(backend => picker.has(backend));
  }

  /** For its wait only. */
  onPlace(found: Found): void {
    this.#stopWaiting();
    this.#take(found);
  }

  /** For its wait only. */
  onWaitTimeout(): void {
    this.#stopWaiting();
    this.#unavailable({ by: 'balancer', phase: 'queue', reason: 'queueTimeout' });
  }

  #search(nowMs?: number): void {
    const picked = this.pick();
    if (picked !== 'full') this.#take(picked, nowMs);
    else this.#waitForRoom(this.mayQueue() ? 'inQueue' : 'aside');
  }

  #take(picked: Found, nowMs?: number): void {
    if (picked === 'spent') this.#unavailable(balancers('retryBudget'));
    else if (picked !== 'noBackend') this.#acquire(picked, nowMs);
    else if (this.#lastFailure === undefined) this.#unavailable(balancers('noBackend'));
    else this.#goOn(this.#retries?.nextRound(() => this.#deps.random()));
  }

  #waitForRoom(where: 'inQueue' | 'aside'): void {
    this.#wait = new Wait(this.upstream, this, this.#deps);
    this.#owner.onWaiting(true);
    if (this.#wait[where]()) return;
    this.#stopWaiting();
    this.#unavailable(balancers('full'));
  }

  #stopWaiting(): void {
    if (this.#wait === undefined) return;
    this.#wait.end();
    this.#wait = undefined;
    this.#owner.onWaiting(false);
  }

  #acquire(lease: Lease, pickedMs = this.#deps.now()): void {
    this.#lease = lease;
    this.#trial = lease.isTrial ? new Trial(this.upstream, lease.backend, this.#deps) : undefined;
    if (!this.#account(lease.backend, pickedMs)) {
      // During the pause others may have spent the rest of the budget: what is left are backends that cost nothing.
      this.#retries?.leave(lease.backend.id);
      this.#dropLease();
      this.#search();
      return;
    }
    if (this.#backend !== undefined) {
      countFurther(this.upstream, lease.backend, this.#backend);
      if (this.attempts <= MOST_TRIED) (this.#earlier ??= []).push(this.#backend.id);
    }
    this.#backend = lease.backend;
    this.#moves = lease.backend.moves;
    const attempt = ++this.attempts;
    this.#lender = lease.backend.pool.lender;
    const how = lease.backend.howToAcquire(this.#isFresh, addressIn(this.#client), this.#owner);
    this.hasPreface = how.own?.preface !== undefined;
    const cancel = this.#lender.acquire(acquired => this.#acquired(lease, pickedMs, acquired), how);
    // A pool may answer within the call, so the next step may already have begun.
    const isSame = this.#lease === lease && this.attempts === attempt;
    if (isSame && this.#connection === undefined) this.#cancelStep ??= cancel;
  }

  /** Charges an attempt to the budget, if that allows it; the first attempt starts the time for all of them. */
  #account(backend: BackendRuntime, nowMs: number): boolean {
    const { budget, picker, plan } = this.upstream;
    // A connection that replaces a stale one is not a further attempt.
    if (this.#isFresh && this.#lastFailure === undefined) return true;
    if (this.attempts > 0) return !picker.isCharged(backend) || budget.further(nowMs);
    budget.first(nowMs);
    if (plan.connect.deadline === 0) return true;
    this.#cancelDeadline = this.#deps.setTimer(() => {
      this.cancel();
      this.#owner.onUnavailable(balancers('deadline'));
    }, plan.connect.deadline);
    return true;
  }

  #acquired(lease: Lease, pickedMs: number, acquired: AcquiredConnection): void {
    this.#cancelStep = undefined;
    if (!acquired.ok) {
      this.#failed(lease, acquired.failure);
      return;
    }
    const { connection, origin } = acquired;
    const nowMs = this.#deps.now();
    const connectMs = (this.connectMs = nowMs - pickedMs);
    this.#connection = connection;
    this.origin = origin;
    this.connectedAtMs = nowMs;
    this.#cancelDeadline?.();
    countConnection(lease.backend, origin, connectMs);
    if (origin === 'new') {
      this.upstream.picker.connected(lease.backend, connectMs);
      connectSucceeded(this.upstream, lease.backend);
    }
    // A client that had to take a backup is not remembered there: it belongs to a regular backend.
    if (!lease.isReserve) this.upstream.stickiness?.remember(stickyKeyOf(this.#client), lease.backend.tag);
    this.#trial?.connected();
    this.#owner.onConnected(connection);
  }

  #failed(lease: Lease, failure: ConnectFailure): void {
    const { backend } = lease;
    const { plan, budget } = this.upstream;
    this.#lastFailure = failure;
    this.#retries ??= new Retries(plan.connect);
    countConnectFailure(backend, failure);
    // First the event, then its consequence: an ejection names its last failure.
    this.#deps.report({ kind: 'connectFailed', upstream: plan.name, backend: backend.id, failure, times: 1 });
    connectFailed(this.upstream, backend, failure, this.#trial, this.#deps);
    // A listener of the event may have stopped everything.
    if (this.#isCancelled) return;
    const { picker } = this.upstream;
    const mayRetryHere = !lease.isTrial && picker.mayRetryAt(backend, budget.allows(this.#deps.now()));
    const isOver = failure.reason === 'localResources';
    const step = isOver ? undefined : this.#retries.next(backend.id, lease.group, mayRetryHere);
    if (step?.where !== 'sameBackend') this.#dropLease();
    this.#goOn(step);
  }

  #goOn(step: NextStep | undefined): void {
    if (step === undefined) {
      this.#unavailable(afterFailure(this.#lastFailure));
      return;
    }
    const { picker, budget } = this.upstream;
    // No pause before an attempt that will not be made.
    if (step.where === 'anyBackend' && !picker.hasWell && !budget.allows(this.#deps.now())) {
      this.#unavailable(balancers('retryBudget'));
      return;
    }
    const goOn = (): void => {
      this.#cancelStep = undefined;
      this.#again(this.#lease);
    };
    if (step.afterMs === 0) goOn();
    else this.#cancelStep = this.#deps.setTimer(goOn, step.afterMs);
  }

  /** Another attempt: at the backend of the lease that is still held, while that gets sessions; else at any. */
  #again(lease: Lease | undefined): void {
    if (lease !== undefined && this.upstream.picker.takesSessions(lease.backend)) {
      this.#acquire(lease);
    } else {
      this.#dropLease();
      this.#search();
    }
  }

  /** What the end of the session says about its backend; only a connection opened for this session says anything. */
  #judge(outcome: RelayOutcome, firstEndMs = this.#deps.now()): void {
    const backend = this.#lease?.backend;
    if (backend === undefined || this.origin !== 'new') return;
    const lastedMs = firstEndMs - this.connectedAtMs;
    sessionEnded(this.upstream, backend, { outcome, lastedMs, trial: this.#trial }, this.#deps);
  }

  #giveUpStep(): void {
    this.#cancelStep?.();
    this.#cancelStep = undefined;
    this.#dropLease();
  }

  #dropLease(): void {
    const lease = this.#lease;
    this.#lease = undefined;
    this.#trial?.giveBack();
    lease?.release();
  }

  #returnConnection(clean: boolean): void {
    const connection = this.#connection;
    this.#connection = undefined;
    const backend = this.#lease?.backend;
    if (connection === undefined || backend === undefined) return;
    this.#trial?.giveBack();
    if (this.#lender !== undefined) giveBack(this.#lender, connection, clean, backend.moves !== this.#moves);
  }

  #unavailable(termination: Termination): void {
    this.#cancelDeadline?.();
    this.#owner.onUnavailable(termination);
  }
}
