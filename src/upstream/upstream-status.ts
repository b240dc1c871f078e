/**
 * An upstream and its backends as `snapshot()` shows them: plain values for people and programs.
 *
 * Place: `Upstream.status()` makes them, `LoadBalancer.snapshot()` adds the pools.
 */
import type { UpstreamConfig } from '../config/schema.ts';
import type { ControlledState, SharedState } from '../shared-memory/shared-state.ts';
import { percentOf, type AgentWord, type BackendRecord } from './backend-record.ts';
import type {
  BackendJudgement,
  BackendStateWord,
  Judgement,
  OperatorState,
  UpstreamMode,
} from './eligibility.ts';
import { WHOLE } from './slow-start.ts';

/** One backend, as `snapshot()` shows it, but for its pool. */
export interface BackendStatus {
  /** Its configured address. */
  readonly backend: string;
  /**
   * `up`: well. `standby`: a backup that is well and not needed. `down`: by its checks or its agent. `unresolved`:
   * its name has no address. `ejected`, `trial`: out after failures of live sessions, or about to be tried again.
   * `drain`, `maint`: set by an operator or its agent, or of weight 0. `removed`: only its sessions are still there.
   */
  readonly state: BackendStateWord | 'removed';
  /** Whether new sessions may go to it; in panic also to those that are not well. */
  readonly takesSessions: boolean;
  /** What its checks say; `unchecked` before the first one and without checks. */
  readonly health: 'up' | 'down' | 'unchecked';
  /** What an operator has set. */
  readonly operator: OperatorState;
  /** What its agent says, once it has said something. */
  readonly agent: AgentWord | undefined;
  readonly backup: boolean;
  /** While it is ejected or on trial: how often in a row it was ejected, and for how long this time. */
  readonly ejection: { readonly times: number; readonly forMs: number } | undefined;
  /** What slow start and agent leave of its weight: 1 for all of it; an agent can also give it more. */
  readonly share: number;
  /** As configured, or as an operator has set it since. */
  readonly weight: number;
  /** Sessions that hold it now. */
  readonly sessions: number;
  /** Sessions of other instances that hold it, as last heard; 0 where nothing is shared. */
  readonly elsewhere: number;
}

/** One upstream, as `snapshot()` shows it, but for the pools. */
export interface UpstreamStatus {
  readonly name: string;
  readonly strategy: string;
  /** `backups`: they stand in. `panic`: none or too few are well, so health is ignored. `down`: nobody gets sessions. */
  readonly mode: UpstreamMode;
  /**
   * Sessions that wait for a backend with room, and how many may. `longestMs`: how long one has waited at most, since
   * sessions began to wait the last time.
   */
  readonly queue: { readonly waiting: number; readonly max: number; readonly longestMs: number };
  readonly backends: readonly BackendStatus[];
}

export interface StatusParts {
  readonly config: UpstreamConfig;
  readonly shared: ControlledState;
  /** Where its waiting sessions are counted. */
  readonly queueSlot: number;
  readonly records: readonly BackendRecord[];
  /** Of the records, in their order. */
  readonly judgement: Judgement;
  /** Backends that were removed and still have sessions. */
  readonly removed: readonly BackendRecord[];
  permilleOf(record: BackendRecord): number;
}

/** With the slot of each backend, for its pool. */
export function upstreamStatus(parts: StatusParts): UpstreamStatus & { readonly slots: readonly number[] } {
  const { config, shared, queueSlot, records, judgement, removed } = parts;
  return {
    name: config.name,
    strategy: config.strategy,
    mode: judgement.mode,
    queue: {
      waiting: shared.counts.live(queueSlot),
      max: config.queue.max,
      longestMs: shared.upstream(config.name).queue.longestWaitMs,
    },
    backends: [
      ...records.map((record, i) =>
        backendStatus(record, judgement.backends[i] ?? UNJUDGED, parts.permilleOf(record), shared),
      ),
      ...removed.map(record => backendStatus(record, REMOVED, 0, shared)),
    ],
    slots: [...records, ...removed].map(({ slot }) => slot),
  };
}

function backendStatus(
  record: BackendRecord,
  { state, takesSessions }: Pick<BackendStatus, 'state' | 'takesSessions'>,
  permille: number,
  { counts, elsewhere }: SharedState,
): BackendStatus {
  const { settings, slot, checked, healthy, operator, agent, ejection, weight } = record;
  return {
    backend: settings.id,
    state,
    takesSessions,
    health: !checked ? 'unchecked' : healthy ? 'up' : 'down',
    operator,
    agent,
    backup: settings.backup,
    ejection: ejection.phase === 'none' ? undefined : { times: ejection.times, forMs: ejection.forMs },
    share: (permille / WHOLE) * (percentOf(record) / 100),
    weight,
    sessions: counts.live(slot),
    elsewhere: elsewhere.count(slot),
  };
}

/** What is left of a backend that was removed: its sessions. */
const REMOVED = { state: 'removed', takesSessions: false } as const satisfies Pick<
  BackendStatus,
  'state' | 'takesSessions'
>;

/** For a judgement that has nothing to say of it. */
const UNJUDGED: BackendJudgement = {
  takesSessions: false,
  trial: false,
  reserve: false,
  well: false,
  state: 'down',
};
