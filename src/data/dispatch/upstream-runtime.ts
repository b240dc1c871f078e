/**
 * The data plane's side of one upstream: its plan, the current picker and the backends behind it.
 *
 * Place: control feeds it with plans, the dispatcher asks it. A plan replaces the picker whole; backends that the new
 * plan names again keep their pool, and their live counts are in shared memory.
 * Invariant: `plan`, `picker` and `stickiness` are always those applied last, so no caller may keep them.
 */
import type { StrategyDeps, StrategyFactory } from '../../../strategies/index.ts';
import type { Engine } from '../../engine/engine.ts';
import type { TlsClientSettings, TlsClientTerms } from '../../engine/tls.ts';
import { wordsOf } from '../../errors.ts';
import type { Report } from '../../model/data-event.ts';
import type { BackendPlan, UpstreamPlan } from '../../model/upstream-plan.ts';
import type { BackendFailures } from '../../shared-memory/backend-failures.ts';
import type { ElsewhereNews } from '../../shared-memory/elsewhere-counts.ts';
import type { Cells } from '../../shared-memory/counters/counters.ts';
import type { LiveCounts } from '../../shared-memory/live-counts.ts';
import type { SharedState } from '../../shared-memory/shared-state.ts';
import type { UpstreamState } from '../../shared-memory/upstream-state.ts';
import type { SetTimer } from '../../support/timer.ts';
import { PlanTerms } from '../plan-terms.ts';
import { BackendRuntime } from './backend-runtime.ts';
import type { PickableBackend } from './candidate.ts';
import { clientOf, type ClientOf } from './client-keys.ts';
import { Picker } from './picker.ts';
import { RetryBudget } from './retry-budget.ts';
import { sharedTurns, type SharedTurns } from './shared-turns.ts';
import { Stickiness } from './stickiness.ts';
import { Queue } from './queue.ts';
import { UpstreamPlaces } from './upstream-places.ts';

export interface UpstreamRuntimeDeps extends StrategyDeps {
  readonly engine: Engine;
  readonly shared: SharedState;
  readonly setTimer: SetTimer;
  readonly report: Report;
  /** There may be a place for a session that waits in another worker: all workers have to recheck their queues. */
  readonly onOthersFirst: () => void;
}

/** What all data planes share of the upstream, as seen from this one; replaced when the plan brings other memory. */
interface SharedParts {
  readonly stickiness: Stickiness<BackendRuntime> | undefined;
  readonly news: ElsewhereNews | undefined;
  readonly turns: SharedTurns | undefined;
}

export class UpstreamRuntime {
  readonly counts: LiveCounts;
  readonly failures: BackendFailures;
  readonly budget: RetryBudget;
  /** Where sessions wait while every backend is full. */
  readonly queue: Queue;
  /** Where this data plane counts what becomes of its sessions. */
  readonly cells: Cells;
  /** Over all its backends. */
  readonly #places: UpstreamPlaces;
  readonly #deps: UpstreamRuntimeDeps;
  /** By what its clients are known; replaced with the plan. */
  clientOf: ClientOf;
  readonly #backends = new Map<string, BackendRuntime>();
  readonly #byTag = new Map<number, BackendRuntime>();
  readonly #terms: PlanTerms<TlsClientSettings, TlsClientTerms>;
  #plan: UpstreamPlan;
  #factory: StrategyFactory;
  #shared: SharedParts;
  #picker: Picker;

  /** Gives no session a backend until the first `apply`. */
  constructor(plan: UpstreamPlan, factory: StrategyFactory, deps: UpstreamRuntimeDeps) {
    const { shared } = deps;
    const { name } = plan;
    this.#terms = new PlanTerms(settings => deps.engine.tls?.clientTerms(settings));
    this.#plan = plan;
    this.#factory = factory;
    this.#deps = deps;
    this.clientOf = clientOf(plan.hashBy, plan.stickyBy);
    this.counts = shared.counts;
    this.failures = shared.failures;
    this.cells = shared.counters.cells(plan.queueSlot);
    this.budget = new RetryBudget(plan.connect.retryBudget);
    const state = shared.viewOf(plan.memory);
    this.#places = new UpstreamPlaces(state.sessions, plan.limits.maxSessions);
    this.queue = new Queue(plan.queue, {
      slot: plan.queueSlot,
      counts: shared.counts,
      order: state.queue,
      now: () => deps.now(),
      setTimer: deps.setTimer,
      onOthersFirst: () => deps.onOthersFirst(),
      onQueueing: isQueueing => deps.report({ kind: 'queueing', upstream: name, isQueueing }),
    });
    this.#shared = this.#partsOf(state);
    this.#picker = this.#createPicker([]);
  }

  /** The plan applied last. */
  get plan(): UpstreamPlan {
    return this.#plan;
  }

  /** Of the plan's strategy. */
  get factory(): StrategyFactory {
    return this.#factory;
  }

  get picker(): Picker {
    return this.#picker;
  }

  /** Undefined: clients are not remembered. */
  get stickiness(): Stickiness<BackendRuntime> | undefined {
    return this.#shared.stickiness;
  }

  backends(): Iterable<BackendRuntime> {
    return this.#backends.values();
  }

  /**
   * Takes over a plan whole, and replaces the picker; running sessions keep their backend, whatever the plan says of
   * it.
   * @param factory the plan's strategy
   * @returns whether sessions that connect to a backend which is not well may have a better one now
   */
  apply(plan: UpstreamPlan, factory: StrategyFactory): boolean {
    this.#terms.follow(plan.tls);
    const isOtherStrategy = factory !== this.#factory;
    if (plan.memory.version !== this.#plan.memory.version) {
      this.#shared = this.#partsOf(this.#deps.shared.viewOf(plan.memory));
    }
    this.#plan = plan;
    this.clientOf = clientOf(plan.hashBy, plan.stickyBy);
    this.#factory = factory;
    this.budget.configure(plan.connect.retryBudget);
    this.queue.configure(plan.queue);
    this.#places.configure(plan.limits.maxSessions);
    this.#forgetOthersThan(plan);
    const pickable: PickableBackend[] = [];
    for (const backend of plan.backends) {
      const runtime = this.#backends.get(backend.id) ?? this.#addBackend(backend);
      runtime.update(backend, plan, this.#terms.current);
      const { eligible, weight, maxSessions, trial, reserve, well } = backend;
      if (eligible || trial || reserve) pickable.push({ runtime, weight, maxSessions, trial, reserve, well });
    }
    const before = this.#picker;
    // A strategy goes on from the state of the one before, if that was of its own kind.
    this.#picker = this.#createPicker(pickable, isOtherStrategy ? undefined : before);
    if (this.#picker.isEmpty) this.queue.recheckAll();
    else this.queue.recheck();
    return this.#picker.invitesToMove(before);
  }

  /** Destroys the spare connections for good. */
  close(): void {
    for (const backend of this.#backends.values()) backend.pool.close();
  }

  #partsOf({ sticky, news, rings }: UpstreamState): SharedParts {
    return {
      stickiness: sticky && new Stickiness(sticky, tag => this.#byTag.get(tag)),
      news,
      turns: rings && sharedTurns(rings, this.#deps.shared.turns),
    };
  }

  #addBackend(backend: BackendPlan): BackendRuntime {
    const runtime = new BackendRuntime(backend, this.#plan, this.#deps, this.#terms.current);
    this.#backends.set(backend.id, runtime);
    this.#byTag.set(backend.tag, runtime);
    return runtime;
  }

  #forgetOthersThan(plan: UpstreamPlan): void {
    const named = new Map(plan.backends.map(({ id, tag }) => [id, tag]));
    for (const [id, runtime] of this.#backends) {
      // A backend that was forgotten and has come back is a new one: its slot may be new, too.
      if (named.get(id) === runtime.tag) continue;
      runtime.pool.close();
      this.#backends.delete(id);
      this.#byTag.delete(runtime.tag);
    }
  }

  #createPicker(pickable: readonly PickableBackend[], previous?: Picker): Picker {
    const { shared, now, random, report } = this.#deps;
    const { counts } = shared;
    const { name, backups, balanceFactor } = this.#plan;
    const factory = this.#factory;
    const { stickiness, news, turns } = this.#shared;
    const giveBack = (backend: BackendRuntime): void => {
      counts.release(backend.slot);
      // The current picker's strategy must learn of it, whichever picker the lease came from.
      this.#picker.changed(backend);
      this.queue.placeFreed();
    };
    const release = (backend: BackendRuntime): void => {
      this.#places.leave();
      giveBack(backend);
    };
    return new Picker(
      pickable,
      {
        shared,
        backups,
        balanceFactor,
        news,
        sharedTurns: turns,
        now,
        random,
        factory,
        places: this.#places,
        ...{ release, giveBack },
        stickiness,
        onStrategyFailed: error =>
          report({ kind: 'strategyFailed', upstream: name, reason: wordsOf(error), times: 1 }),
      },
      previous,
    );
  }
}
