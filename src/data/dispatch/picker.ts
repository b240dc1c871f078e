/**
 * The immutable choice over one plan's backends: which one a session gets, counted in one `pick`.
 *
 * Place: built whole by `UpstreamRuntime` for each plan and swapped in by reference; the dispatcher asks it.
 * Order: the strategy makes a session's first pick. A session that has failed at a backend gets the best one left:
 * backends that are well before others, those whose last connect did not fail before others, backups that stand by when
 * no backend that is well is left. Where a backend that is well is merely full, the answer is 'full', so that the session
 * waits for it.
 * Invariants:
 * - Synchronous, never throws.
 * - A pick is counted before it is returned.
 * - Never picked, whatever the strategy returns: a backend at its `maxSessions`, one already tried, one whose trial
 *   another session has.
 * - Nothing is picked beyond the limit of the whole upstream.
 */
import type { BackupRules } from '../../model/upstream-plan.ts';
import { BACKEND } from '../../shared-memory/counters/layout.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import { PickerCandidate, type Group, type PickableBackend } from './candidate.ts';
import { stickyKeyOf, type Client } from './client-keys.ts';
import { Lease } from './lease.ts';
import type { Place } from '../admission/gate.ts';
import type { SharedTurns } from './shared-turns.ts';
import type { Stickiness } from './stickiness.ts';
import { Tier, type Refuse, type TierDeps } from './tier.ts';

/**
 * 'noBackend': there is none, or all were tried; 'full': the backends that are there have no place left; 'spent': an
 * attempt at them would be charged to a retry budget that is used up.
 */
export type PickResult = Lease | 'noBackend' | 'full' | 'spent';

/** What a session that has failed at a backend may still try. */
export interface Search {
  /** Has it tried the backend in this round? */
  hasTried(backend: string): boolean;
  /** May it try one more backend of the group? */
  mayTry(group: Group, isFailing: boolean): boolean;
}

export interface PickerDeps extends TierDeps {
  readonly backups: BackupRules;
  /** Undefined: no strategy here takes turns. */
  readonly sharedTurns: SharedTurns | undefined;
  /** Undefined: clients are not remembered. */
  readonly stickiness: Stickiness<BackendRuntime> | undefined;
  /** The places of the upstream, over all its backends. */
  readonly places: Pick<Place, 'isFull' | 'enter' | 'enterAnyway'>;
  /** Takes a session out of the counts; called once per lease, possibly after this picker was replaced. */
  readonly release: (backend: BackendRuntime) => void;
  /** The same for a session that has no place of the upstream's. */
  readonly giveBack: (backend: BackendRuntime) => void;
}

/** The order of search for a session that has failed: better backends first. */
interface Kind {
  readonly well: boolean;
  /** Absent: either. */
  readonly failing?: boolean;
}

const WELL: readonly Kind[] = [
  { well: true, failing: false },
  { well: true, failing: true },
];
/** Where the order of the list decides. */
const WELL_IN_ORDER: readonly Kind[] = [{ well: true }];
const NOT_WELL: readonly Kind[] = [
  { well: false, failing: false },
  { well: false, failing: true },
];

export class Picker {
  readonly #deps: PickerDeps;
  readonly #tier: Tier;
  readonly #reserve: Tier | undefined;
  /** No backend gets sessions. */
  readonly isEmpty: boolean;

  constructor(backends: readonly PickableBackend[], deps: PickerDeps, previous?: Picker) {
    this.#deps = deps;
    const candidates = (isReserve: boolean): PickerCandidate[] =>
      backends
        .filter(({ reserve }) => reserve === isReserve)
        .map(backend => new PickerCandidate(backend, deps.shared));
    const { sharedTurns } = deps;
    this.#tier = new Tier(
      candidates(false),
      { ...deps, turns: sharedTurns?.main },
      previous === undefined ? undefined : previous.#tier,
    );
    this.isEmpty = ![...this.#tier.candidates.values()].some(({ weight }) => weight > 0);
    const reserve = candidates(true);
    if (reserve.length > 0) this.#reserve = new Tier(reserve, { ...deps, turns: sharedTurns?.reserve });
  }

  /** Picks and counts for a session that has not failed at any backend. */
  pick(client: Client): PickResult {
    // Before a backend is asked: a session that waits looks again whenever one gives a place back.
    if (this.#deps.places.isFull && !this.isEmpty) return 'full';
    const picked = this.#tier.pick(client, undefined, this.#remembered(client));
    if (picked instanceof PickerCandidate) return this.#lease(picked);
    if (picked === 'full' && this.#deps.backups.when === 'down' && this.#tier.hasWell) return 'full';
    return this.#fromReserve(client, () => false) ?? picked ?? 'noBackend';
  }

  /**
   * Picks and counts for a session that has failed at a backend.
   * @param mayCharge whether the retry budget has an attempt left
   */
  pickAgain(client: Client, search: Search, mayCharge: boolean): PickResult {
    const best = this.pickWell(client, search);
    if (best instanceof Lease) return best;
    let isFull = best === 'full';
    let isSpent = false;
    for (const kind of NOT_WELL) {
      const refuse = refuseAllBut(kind, search);
      // An attempt at a backend whose last connect did not fail is not charged.
      if (kind.failing === true && !mayCharge) {
        isSpent = this.#some(candidate => !refuse(candidate));
        continue;
      }
      const picked = this.#fromTier(client, refuse) ?? this.#fromReserve(client, refuse);
      if (picked instanceof Lease) return picked;
      isFull ||= picked === 'full';
    }
    if (isFull) return 'full';
    return isSpent ? 'spent' : 'noBackend';
  }

  /**
   * The same among those that are well.
   * @param moves the session has a backend, which it leaves if it gets another
   */
  pickWell(client: Client, search: Search, moves = false): Lease | 'full' | undefined {
    let isFull = false;
    for (const kind of WELL) {
      const picked = this.#fromTier(client, refuseAllBut(kind, search), moves);
      if (picked instanceof Lease) return picked;
      isFull ||= picked === 'full';
    }
    if (isFull && this.#deps.backups.when === 'down') return 'full';
    for (const kind of this.#deps.backups.which === 'first' ? WELL_IN_ORDER : WELL) {
      const picked = this.#fromReserve(client, refuseAllBut(kind, search), moves);
      if (picked instanceof Lease) return picked;
      isFull ||= picked === 'full';
    }
    return isFull ? 'full' : undefined;
  }

  /** Does the backend get new sessions, as far as this plan knows? Its limit is not asked. */
  takesSessions(backend: BackendRuntime): boolean {
    const candidate = this.#find(backend);
    return candidate !== undefined && candidate.weight > 0;
  }

  /** The same by its id, whatever its weight. */
  has(backend: string): boolean {
    return this.#tier.candidates.has(backend) || this.#reserve?.candidates.has(backend) === true;
  }

  isWell(backend: BackendRuntime): boolean {
    const candidate = this.#find(backend);
    return candidate?.well === true && candidate.weight > 0;
  }

  get hasWell(): boolean {
    return this.#tier.hasWell || this.#reserve?.hasWell === true;
  }

  /**
   * Is an attempt after a first one charged to the retry budget? Not while the backend is well or its last connect did
   * not fail.
   */
  isCharged(backend: BackendRuntime): boolean {
    const candidate = this.#find(backend);
    return candidate !== undefined && !candidate.well && candidate.isFailing();
  }

  /** May a session retry the backend that has just failed it? Not while that is not well and another one is. */
  mayRetryAt(backend: BackendRuntime, mayCharge: boolean): boolean {
    if (!this.takesSessions(backend)) return false;
    return this.isWell(backend) || (!this.hasWell && mayCharge);
  }

  /** Is there a backend that is well, and a reason that there was not before to leave another one for it? */
  invitesToMove(before: Picker): boolean {
    if (!this.hasWell) return false;
    const isGain = this.#some(({ runtime }) => this.isWell(runtime) && !before.isWell(runtime));
    return isGain || before.#some(({ runtime }) => before.isWell(runtime) && !this.isWell(runtime));
  }

  /** Reports to the strategy how long a connect took. */
  connected(backend: BackendRuntime, connectMs: number): void {
    this.#tier.connected(backend, connectMs);
    this.#reserve?.connected(backend, connectMs);
  }

  /** Reports to the strategy that a backend's live count has changed. */
  changed(backend: BackendRuntime): void {
    this.#tier.changed(backend);
    this.#reserve?.changed(backend);
  }

  #fromTier(client: Client, refuse: Refuse, moves = false): Lease | 'full' | undefined {
    const remembered = this.#remembered(client);
    const preferred = remembered === undefined || refuse(remembered) ? undefined : remembered;
    const picked = this.#tier.pick(client, refuse, preferred);
    return picked instanceof PickerCandidate ? this.#lease(picked, moves) : picked;
  }

  #fromReserve(client: Client, refuse: Refuse, moves = false): Lease | 'full' | undefined {
    const reserve = this.#reserve;
    if (reserve === undefined) return undefined;
    const only = this.#deps.backups.which === 'first' ? reserve.first(refuse) : undefined;
    const refuseAll: Refuse = only === undefined ? refuse : candidate => candidate !== only;
    const picked = reserve.pick(client, refuseAll, undefined);
    return picked instanceof PickerCandidate ? this.#lease(picked, moves) : picked;
  }

  /** 'full': another session has taken the last place of the upstream meanwhile. */
  #lease(candidate: PickerCandidate, moves = false): Lease | 'full' {
    const { places, shared, giveBack } = this.#deps;
    if (moves) places.enterAnyway();
    else if (!places.enter()) {
      if (candidate.trial) shared.failures.returnTrial(candidate.runtime.slot);
      giveBack(candidate.runtime);
      return 'full';
    }
    this.#deps.news?.notePlaced();
    this.changed(candidate.runtime);
    candidate.runtime.cells.add(BACKEND.picks, 0, 1);
    return new Lease(candidate, this.#deps.release);
  }

  /** The backend that the client had before, if that takes sessions. */
  #remembered(client: Client): PickerCandidate | undefined {
    const backend = this.#deps.stickiness?.preferred(stickyKeyOf(client));
    const candidate = backend && this.#tier.candidates.get(backend.id);
    return candidate?.runtime === backend && candidate?.weight !== 0 ? candidate : undefined;
  }

  #find(backend: BackendRuntime): PickerCandidate | undefined {
    const candidate = this.#tier.candidates.get(backend.id) ?? this.#reserve?.candidates.get(backend.id);
    return candidate?.runtime === backend ? candidate : undefined;
  }

  #some(matches: (candidate: PickerCandidate) => boolean): boolean {
    for (const tier of [this.#tier, this.#reserve])
      for (const candidate of tier?.candidates.values() ?? []) if (matches(candidate)) return true;
    return false;
  }
}

function refuseAllBut({ well, failing }: Kind, search: Search): Refuse {
  return candidate => {
    // A backend on trial is as good as one that is well: it is no longer known to be failing.
    if ((candidate.well || candidate.trial) !== well) return true;
    if (search.hasTried(candidate.id)) return true;
    const isFailing = candidate.isFailing();
    return (failing ?? isFailing) !== isFailing || !search.mayTry(candidate.group, isFailing);
  };
}
