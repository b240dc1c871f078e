/**
 * The data plane's side of one upstream: the current picker and the backends behind it.
 *
 * Place: fed with snapshots by control, asked by the dispatcher. A snapshot replaces the picker whole; backends
 * that the new snapshot names again keep their pool, and their live counts stand in shared memory anyway.
 */
import type { StrategyDeps, StrategyFactory } from '../../strategies/index.ts';
import type { Engine } from '../engine/engine.ts';
import type { LiveCounts } from '../shared-memory/live-counts.ts';
import type { UpstreamSnapshot } from '../upstream/snapshot.ts';
import { BackendRuntime } from './backend-runtime.ts';
import { createBackendPool, type PoolSettings } from './create-backend-pool.ts';
import { Picker } from './picker.ts';

export interface UpstreamSettings {
  readonly name: string;
  readonly factory: StrategyFactory;
  readonly connect: { readonly timeoutMs: number; readonly attempts: number };
  readonly pool: PoolSettings;
}

export interface UpstreamRuntimeDeps extends StrategyDeps {
  readonly engine: Engine;
  readonly counts: LiveCounts;
  /** Hears of a strategy that throws or picks what it must not. */
  readonly onStrategyFailed: (upstream: string, error: unknown) => void;
}

export class UpstreamRuntime {
  readonly settings: UpstreamSettings;
  readonly #deps: UpstreamRuntimeDeps;
  readonly #backends = new Map<string, BackendRuntime>();
  #picker: Picker;

  constructor(settings: UpstreamSettings, deps: UpstreamRuntimeDeps) {
    this.settings = settings;
    this.#deps = deps;
    this.#picker = this.#createPicker([]);
  }

  get picker(): Picker {
    return this.#picker;
  }

  backends(): Iterable<BackendRuntime> {
    return this.#backends.values();
  }

  /** Replaces the picker; sessions that run keep their backend whatever the snapshot says of it. */
  apply(snapshot: UpstreamSnapshot): void {
    this.#forgetOthersThan(snapshot);
    const eligible = [];
    for (const backend of snapshot.backends) {
      const runtime = this.#backends.get(backend.id) ?? this.#addBackend(backend);
      runtime.update(backend);
      if (backend.eligible)
        eligible.push({ runtime, weight: backend.weight, maxSessions: backend.maxSessions });
    }
    this.#picker = this.#createPicker(eligible, this.#picker);
  }

  /** Destroys the spare connections for good. */
  close(): void {
    for (const backend of this.#backends.values()) backend.pool.close();
  }

  #addBackend(backend: UpstreamSnapshot['backends'][number]): BackendRuntime {
    const { connect, pool } = this.settings;
    const runtime = new BackendRuntime(backend, {
      engine: this.#deps.engine,
      connectTimeoutMs: connect.timeoutMs,
      createPool: connectBackend =>
        createBackendPool(
          { ...pool, maxSessions: backend.maxSessions, connectTimeoutMs: connect.timeoutMs },
          connectBackend,
          this.#deps,
        ),
    });
    this.#backends.set(backend.id, runtime);
    return runtime;
  }

  #forgetOthersThan(snapshot: UpstreamSnapshot): void {
    const named = new Set(snapshot.backends.map(({ id }) => id));
    for (const [id, runtime] of this.#backends) {
      if (named.has(id)) continue;
      runtime.pool.close();
      this.#backends.delete(id);
    }
  }

  #createPicker(eligible: ConstructorParameters<typeof Picker>[0], previous?: Picker): Picker {
    const { counts, now, random, onStrategyFailed } = this.#deps;
    const { name, factory } = this.settings;
    const release = (backend: BackendRuntime): void => {
      counts.release(backend.slot);
      // The current picker's strategy must know, whichever picker the lease came from.
      this.#picker.changed(backend);
    };
    return new Picker(
      eligible,
      { counts, now, random, factory, release, onStrategyFailed: error => onStrategyFailed(name, error) },
      previous,
    );
  }
}
