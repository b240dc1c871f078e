/**
 * An upstream and its backends as `snapshot()` shows them: plain values for people and programs.
 *
 * Place: `Upstream.status()` makes these values, `LoadBalancer.snapshot()` adds what data planes publish.
 */
import type { UpstreamStatus, BackendStatus, OperatorOverride } from '../../model/snapshot.ts';
import type { UpstreamConfig } from '../../config/schema/schema.ts';
import type { ControlledState, SharedState } from '../../shared-memory/shared-state.ts';
import { UPSTREAM_SESSIONS } from '../../shared-memory/upstream-state.ts';
import { percentOf, type BackendRecord } from './backend-record.ts';
import type { BackendJudgement, Judgement } from './eligibility.ts';
import { WHOLE } from './slow-start.ts';
import { whyOf } from './why.ts';

export interface StatusParts {
  readonly config: UpstreamConfig;
  readonly shared: ControlledState;
  /** Where its waiting sessions are counted. */
  readonly queueSlot: number;
  readonly records: readonly BackendRecord[];
  /** The judgement on the records, in their order. */
  readonly judgement: Judgement;
  /** Backends that were removed and still have sessions. */
  readonly removed: readonly BackendRecord[];
  permilleOf(record: BackendRecord): number;
  readonly nowMs: number;
  /** By backend; empty where there are none. */
  readonly sourcesOf: ReadonlyMap<string, readonly string[]>;
}

/** With its slots, for what data planes publish. */
export interface SlottedStatus extends UpstreamStatus {
  readonly queueSlot: number;
  /** In the order of the backends. */
  readonly slots: readonly number[];
}

/** An upstream and its backends by their slots. */
export interface SlottedUpstream {
  readonly name: string;
  readonly queueSlot: number;
  readonly backends: readonly (readonly [backend: string, slot: number])[];
}

export function upstreamStatus(parts: StatusParts): SlottedStatus {
  const { config, shared, queueSlot, records, judgement, removed, nowMs, sourcesOf } = parts;
  const { queue, sessions } = shared.upstream(config.name);
  const max = config.limits.maxSessions;
  return {
    name: config.name,
    strategy: config.strategy,
    mode: judgement.mode,
    queue: {
      waiting: shared.counts.live(queueSlot),
      max: config.queue.max,
      longestMs: queue.longestWaitMs,
    },
    ...(max === undefined ? {} : { limit: { sessions: sessions.live(UPSTREAM_SESSIONS), max } }),
    backends: [
      ...records.map((record, i) =>
        backendStatus(record, judgement.backends[i] ?? UNJUDGED, {
          ...{ permille: parts.permilleOf(record), shared, nowMs, sourcesOf },
        }),
      ),
      ...removed.map(record => backendStatus(record, REMOVED, { permille: 0, shared, nowMs, sourcesOf })),
    ],
    overrides: overridesOf(config, records),
    queueSlot,
    slots: [...records, ...removed].map(({ slot }) => slot),
  };
}

/** Remembers since when each backend is in its state. */
export function noteStates(records: readonly BackendRecord[], { backends }: Judgement, nowMs: number): void {
  for (const [i, record] of records.entries()) {
    const state = backends[i]?.state;
    if (record.shown.state !== state) record.shown = { state, sinceMs: nowMs };
  }
}

/** In the order of the backends; those that were removed come last. */
function overridesOf({ backends }: UpstreamConfig, records: readonly BackendRecord[]): OperatorOverride[] {
  const configured = new Set(backends.map(({ id }) => id));
  const overrides: OperatorOverride[] = [];
  for (const { settings, weight: now, operator } of records) {
    const { id: backend, weight } = settings;
    // What is left are those that were removed.
    if (!configured.delete(backend)) overrides.push({ backend, what: 'added' });
    if (now !== weight) overrides.push({ backend, what: 'weight', configured: weight, now });
    if (operator !== 'ready') overrides.push({ backend, what: 'state', configured: 'ready', now: operator });
  }
  for (const backend of configured) overrides.push({ backend, what: 'removed' });
  return overrides;
}

function backendStatus(
  record: BackendRecord,
  { state, takesSessions }: Pick<BackendStatus, 'state' | 'takesSessions'>,
  {
    permille,
    shared: { counts, elsewhere },
    nowMs,
    sourcesOf,
  }: Pick<StatusParts, 'nowMs' | 'sourcesOf'> & { readonly permille: number; readonly shared: SharedState },
): BackendStatus {
  const { settings, slot, checked, healthy, operator, agent, ejection, weight, shown } = record;
  const status: BackendStatus = {
    backend: settings.id,
    state,
    stateForMs: shown.state === state ? Math.max(0, Math.round(nowMs - shown.sinceMs)) : 0,
    takesSessions,
    health: !checked ? 'unchecked' : healthy ? 'up' : 'down',
    operator,
    agent,
    backup: settings.backup,
    ejection: ejection.phase === 'none' ? undefined : { times: ejection.times, forMs: ejection.forMs },
    share: (permille / WHOLE) * (percentOf(record) / 100),
    weight,
    maxSessions: settings.maxSessions,
    sessions: counts.live(slot),
    elsewhere: elsewhere.count(slot),
    sources: sourcesOf.get(settings.id),
  };
  const why = whyOf(record, state);
  // Most have none. A spread among the other keys would make each copy of this object six times as dear.
  return why === undefined ? status : { ...status, why };
}

/** What is left of a backend that was removed: its sessions. */
const REMOVED = { state: 'removed', takesSessions: false } as const satisfies Pick<
  BackendStatus,
  'state' | 'takesSessions'
>;

/** For a record that the judgement does not have. */
const UNJUDGED: BackendJudgement = {
  takesSessions: false,
  trial: false,
  reserve: false,
  well: false,
  state: 'down',
};
