/**
 * What the admin API needs of a load balancer, and of the program that runs it.
 *
 * Place: `LoadBalancer` has the methods of `Balanced`; the command line adds the rest. Tests put something else behind
 * it.
 */
import type { CounterView, CountsKind } from '../model/counter-view.ts';
import type { EventMap, EventName } from '../model/events.ts';
import type { LogView } from '../model/log-view.ts';
import type { ProcessFigures } from '../model/process-figures.ts';
import type { ReloadReport } from '../model/reload-report.ts';
import type { UpgradeReport } from '../model/upgrade-report.ts';
import type { SessionQuery, SessionView } from '../model/session-view.ts';
import type { LoadBalancerSnapshot } from '../model/snapshot.ts';
import type { OperatorState } from '../model/words.ts';

/** A backend to be added. */
export interface NewBackend {
  readonly address: string;
  readonly weight?: number | undefined;
  readonly maxSessions?: number | undefined;
  readonly backup?: boolean | undefined;
}

/** The part of `LoadBalancer` that is used; it says what the methods do and throw. */
export interface Balanced {
  snapshot(): LoadBalancerSnapshot;
  /** Undefined before it has started. */
  counters(kind?: CountsKind): CounterView | undefined;
  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void;
  setBackendState(upstream: string, backend: string, state: OperatorState): void;
  setBackendWeight(upstream: string, backend: string, weight: number): void;
  addBackend(upstream: string, backend: NewBackend, options?: { ttlMs?: number | undefined }): void;
  removeBackend(upstream: string, backend: string, options: { resetSessions: boolean }): void;
  /** Resolves when every worker has taken over what was changed before; a worker that stands still is waited for. */
  settled(): Promise<void>;
  sessions(query: SessionQuery): Promise<readonly SessionView[]>;
  endSessions(query: SessionQuery): Promise<number>;
}

/** The process, as `/api/v1/status` shows it. */
export interface About {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
}

export interface AdminPort {
  readonly balancer: Balanced;
  readonly about: About;
  /** What `/readyz` looks at besides whether clients are accepted. */
  readonly readyNeeds: 'listeners' | 'upstream';
  /** A successor takes the new clients. Absent where there can be none. */
  readonly isHandedOver?: (() => boolean) | undefined;
  /** Absent where the process is not lb4's own. */
  readonly figures?: (() => ProcessFigures) | undefined;
  /** Absent where the process is not lb4's own. */
  readonly logs?: (() => readonly LogView[]) | undefined;
  /** Why a backend may not be added: lb4 itself listens there. Undefined: it may. Absent where that is not known. */
  readonly refusal?: ((upstream: string, backend: string) => string | undefined) | undefined;
  /** Ends the process as SIGTERM does; with a time instead of `drainTimeout`. */
  readonly drain: (timeoutMs: number | undefined) => void;
  /** The configuration file; absent where there is none. */
  readonly file?: string | undefined;
  /** Why nothing can be reloaded; undefined where it can. */
  readonly noReload?: string | undefined;
  /** Absent where there is nothing to reload. */
  readonly reload?: ((dryRun: boolean) => Promise<ReloadReport>) | undefined;
  /** The last reload that was no dry run; undefined before the first. */
  readonly lastReload?: (() => ReloadReport | undefined) | undefined;
  /** Absent where nothing can take over. */
  readonly upgrade?: (() => Promise<UpgradeReport>) | undefined;
}
