/**
 * The data plane's side of one upstream: the current picker and the backends behind it.
 *
 * Place: fed with snapshots by control, asked by the dispatcher. A snapshot replaces the picker whole; backends
 * that the new snapshot names again keep their pool, and their live counts stand in shared memory anyway.
 */
import type { StrategyDeps, StrategyFactory } from '../../strategies/index.ts';
import type { Engine, SocketOptions } from '../engine/engine.ts';
import { wordsOf } from '../errors.ts';
import type { Report } from '../model/data-event.ts';
import type { BackendFailures } from '../shared-memory/backend-failures.ts';
import type { ElsewhereNews } from '../shared-memory/elsewhere-counts.ts';
import type { LiveCounts } from '../shared-memory/live-counts.ts';
import type { SharedState } from '../shared-memory/shared-state.ts';
import type { UpstreamMemory } from '../shared-memory/upstream-state.ts';
import type { SetTimer } from '../support/timer.ts';
import type { UpstreamSnapshot } from '../upstream/snapshot.ts';
import { BackendRuntime } from './backend-runtime.ts';
import { createBackendPool, type PoolSettings } from './create-backend-pool.ts';
import type { PickableBackend } from './candidate.ts';
import { Picker, type BackupRules } from './picker.ts';
import { RetryBudget } from './retry-budget.ts';
import { sharedTurns, type SharedTurns } from './shared-turns.ts';
import { Stickiness } from './stickiness.ts';
import { WaitingLine } from './waiting-line.ts';

export interface ConnectSettings {
  /** For one attempt. */
  readonly timeoutMs: number;
  /** Distinct backends per round and group; undefined: see `Retries`. */
  readonly attempts: number | undefined;
  readonly retriesPerBackend: number;
  readonly retryDelayMs: number;
  readonly rounds: number;
  /** Before the second round; twice as long each time after. */
  readonly backoffMs: number;
  /** For all attempts together; 0 for none. */
  readonly deadlineMs: number;
  readonly retryBudget: RetryBudgetSettings;
}

export interface RetryBudgetSettings {
  /** Further attempts, in percent of first ones. */
  readonly percent: number;
  /** Further attempts besides, each second; in this data plane. */
  readonly minPerSecond: number;
}

/** What the data plane must know of ejection: when to tell control. */
export interface EjectionSettings {
  /** Infinity: never. */
  readonly failures: number;
  /** 0: such sessions are not counted. */
  readonly earlyCloseMs: number;
}

export interface QueueSettings {
  /** Sessions that wait at a time, in all data planes together. */
  readonly max: number;
  readonly timeoutMs: number;
  /** Where waiting sessions are counted. */
  readonly slot: number;
}

export interface UpstreamSettings {
  readonly name: string;
  /** What all data planes share of it. */
  readonly memory: UpstreamMemory;
  readonly factory: StrategyFactory;
  readonly connect: ConnectSettings;
  /** For the backends' sockets. */
  readonly sockets: SocketOptions;
  readonly pool: PoolSettings;
  readonly ejection: EjectionSettings;
  readonly queue: QueueSettings;
  readonly backups: BackupRules;
}

export interface UpstreamRuntimeDeps extends StrategyDeps {
  readonly engine: Engine;
  readonly shared: SharedState;
  readonly setTimer: SetTimer;
  readonly report: Report;
  /** There may be a place for a session that waits in another worker: all are to recheck their lines. */
  readonly onOthersTurn: () => void;
}

export class UpstreamRuntime {
  readonly settings: UpstreamSettings;
  readonly counts: LiveCounts;
  readonly failures: BackendFailures;
  readonly budget: RetryBudget;
  /** Where sessions wait while every backend is full. */
  readonly line: WaitingLine;
  /** Undefined: clients are not remembered. */
  readonly stickiness: Stickiness<BackendRuntime> | undefined;
  readonly #deps: UpstreamRuntimeDeps;
  readonly #backends = new Map<string, BackendRuntime>();
  readonly #byTag = new Map<number, BackendRuntime>();
  readonly #news: ElsewhereNews | undefined;
  readonly #turns: SharedTurns | undefined;
  #picker: Picker;

  constructor(settings: UpstreamSettings, deps: UpstreamRuntimeDeps) {
    const { shared } = deps;
    const { name, queue, connect } = settings;
    const state = shared.viewOf(settings.memory);
    this.settings = settings;
    this.counts = shared.counts;
    this.failures = shared.failures;
    this.budget = new RetryBudget(connect.retryBudget);
    this.line = new WaitingLine(queue, {
      counts: shared.counts,
      order: state.queue,
      now: () => deps.now(),
      setTimer: deps.setTimer,
      onOthersTurn: () => deps.onOthersTurn(),
      onQueueing: isQueueing => deps.report({ kind: 'queueing', upstream: name, isQueueing }),
    });
    if (state.sticky !== undefined) {
      this.stickiness = new Stickiness(state.sticky, tag => this.#byTag.get(tag));
    }
    this.#news = state.news;
    this.#turns = state.rings && sharedTurns(state.rings, shared.turns);
    this.#deps = deps;
    this.#picker = this.#createPicker([]);
  }

  get picker(): Picker {
    return this.#picker;
  }

  backends(): Iterable<BackendRuntime> {
    return this.#backends.values();
  }

  /**
   * Replaces the picker; sessions that run keep their backend whatever the snapshot says of it.
   * @returns whether sessions that connect to a backend which is not well may have a better one now
   */
  apply(snapshot: UpstreamSnapshot): boolean {
    this.#forgetOthersThan(snapshot);
    const pickable: PickableBackend[] = [];
    for (const backend of snapshot.backends) {
      const runtime = this.#backends.get(backend.id) ?? this.#addBackend(backend);
      runtime.update(backend);
      const { eligible, weight, maxSessions, trial, reserve, well } = backend;
      if (eligible || trial || reserve) pickable.push({ runtime, weight, maxSessions, trial, reserve, well });
    }
    const before = this.#picker;
    this.#picker = this.#createPicker(pickable, before);
    if (this.#picker.isEmpty) this.line.recheckAll();
    else this.line.recheck();
    return this.#picker.invitesToMove(before);
  }

  /** Destroys the spare connections for good. */
  close(): void {
    for (const backend of this.#backends.values()) backend.pool.close();
  }

  #addBackend(backend: UpstreamSnapshot['backends'][number]): BackendRuntime {
    const { connect, sockets, pool } = this.settings;
    const runtime = new BackendRuntime(backend, {
      engine: this.#deps.engine,
      connect: { ...sockets, timeoutMs: connect.timeoutMs },
      now: () => this.#deps.now(),
      createPool: connectBackend =>
        createBackendPool(
          { ...pool, maxSessions: backend.maxSessions, connectTimeoutMs: connect.timeoutMs },
          connectBackend,
          this.#deps,
        ),
    });
    this.#backends.set(backend.id, runtime);
    this.#byTag.set(backend.tag, runtime);
    return runtime;
  }

  #forgetOthersThan(snapshot: UpstreamSnapshot): void {
    const named = new Set(snapshot.backends.map(({ id }) => id));
    for (const [id, runtime] of this.#backends) {
      if (named.has(id)) continue;
      runtime.pool.close();
      this.#backends.delete(id);
      this.#byTag.delete(runtime.tag);
    }
  }

  #createPicker(pickable: readonly PickableBackend[], previous?: Picker): Picker {
    const { shared, now, random, report } = this.#deps;
    const { counts } = shared;
    const { name, factory, backups } = this.settings;
    const release = (backend: BackendRuntime): void => {
      counts.release(backend.slot);
      // The current picker's strategy must know, whichever picker the lease came from.
      this.#picker.changed(backend);
      this.line.placeFreed();
    };
    return new Picker(
      pickable,
      {
        shared,
        backups,
        news: this.#news,
        sharedTurns: this.#turns,
        now,
        random,
        factory,
        release,
        stickiness: this.stickiness,
        onStrategyFailed: error =>
          report({ kind: 'strategyFailed', upstream: name, reason: wordsOf(error), times: 1 }),
      },
      previous,
    );
  }
}
