/**
 * Which backends get new sessions: one pure function of everything that has a say, over a whole upstream.
 *
 * Place: `Upstream` calls it for every plan, for `snapshot()`, and to see what an ejection would lead to.
 * Rules:
 * - Candidates are resolved, settled, ready and of a weight above 0.
 * - Primaries that are well get the sessions. If no primary is well, the backups that are well get them.
 * - If no backup is well either, or fewer primaries are well than `panicBelow` requires, health and ejection are
 *   ignored (panic).
 * - Backups that get no sessions stand by for sessions that have failed elsewhere.
 * Invariants:
 * - A backend that is drained, in maint or without an address never gets a session.
 * - A backup that is not in reserve gets none beside a primary that is well.
 * - Unless panic is `off`, some backend gets sessions whenever there is a candidate.
 */
import type { OperatorState, BackendStateWord, UpstreamMode } from '../../model/words.ts';

/** `trial`: its ejection is over, and one session may try it. */
export type EjectionPhase = 'none' | 'ejected' | 'trial';

export interface BackendConditions {
  /** Whether there is an address to connect to: false for a name that has never been resolved. */
  readonly resolved: boolean;
  /** Whether checks have decided, or need not. False only for a new backend that `health.initial` makes wait. */
  readonly settled: boolean;
  /** Verdict of the active health check. */
  readonly healthy: boolean;
  readonly agentUp: boolean;
  /** The operator's state or the agent's, whichever is stricter. */
  readonly operator: OperatorState;
  readonly ejection: EjectionPhase;
  readonly backup: boolean;
  /** The weight without a slow start; 0 is like `drain`. */
  readonly weight: number;
}

export interface EligibilityRules {
  /** Panic begins below this percentage of the candidates; 0: when none is well; off: never. */
  readonly panicBelow: number | 'off';
  /** Which of the backups that are well get sessions: all, or the first as configured. */
  readonly backups: { readonly which: 'all' | 'first' };
}

export interface BackendJudgement {
  readonly takesSessions: boolean;
  /** It is on trial: only one session at a time may use it. */
  readonly trial: boolean;
  /** A backup for sessions that failed at all backends that take sessions, or, where so configured, find them full. */
  readonly reserve: boolean;
  /** Neither checks nor its agent hold it down, and it is not ejected. */
  readonly well: boolean;
  readonly state: BackendStateWord;
}

export interface Judgement {
  readonly mode: UpstreamMode;
  /** Primaries that are well, and all primaries that are candidates; both of the backups where no primary is one. */
  readonly well: number;
  readonly of: number;
  /** Whether there is one that is well or on trial, a backup or not. */
  readonly hasBackend: boolean;
  /** In the order of the conditions. */
  readonly backends: readonly BackendJudgement[];
}

export function judge(
  conditions: readonly BackendConditions[],
  { panicBelow, backups }: EligibilityRules,
): Judgement {
  const candidates = { primary: 0, backup: 0 };
  const well = { primary: 0, backup: 0 };
  let firstBackup: BackendConditions | undefined;
  for (const each of conditions) {
    if (!isCandidate(each)) continue;
    const tier = each.backup ? 'backup' : 'primary';
    candidates[tier] += 1;
    if (!isWell(each)) continue;
    well[tier] += 1;
    if (each.backup) firstBackup ??= each;
  }
  // Backups alone are judged as primaries would be.
  const tier = candidates.primary > 0 ? 'primary' : 'backup';
  const mode = modeOf(candidates[tier], well, tier, panicBelow);
  const takes = (each: BackendConditions): boolean => {
    switch (mode) {
      case 'normal':
        return !each.backup && isWell(each);
      case 'backups':
        return each.backup && isWell(each) && (backups.which === 'all' || each === firstBackup);
      case 'panic':
        return isCandidate(each) && each.backup === (tier === 'backup');
      case 'down':
        return false;
    }
  };
  const tries = (each: BackendConditions): boolean => mode !== 'panic' && isOnTrial(each);
  // A backup is tried like others when backups are needed; beside primaries that are well it is only in reserve.
  const standsBy = (each: BackendConditions): boolean => {
    if (!each.backup || takes(each) || mode === 'down') return false;
    if (isWell(each)) return true;
    return mode === 'panic' ? well.backup === 0 && isCandidate(each) : well.primary > 0 && tries(each);
  };
  return {
    mode,
    well: well[tier],
    of: candidates[tier],
    hasBackend: conditions.some(each => isWell(each) || isOnTrial(each)),
    backends: conditions.map(each => {
      const takesSessions = takes(each);
      return {
        takesSessions,
        trial: tries(each),
        reserve: standsBy(each),
        well: isWell(each),
        state: stateOf(each, takesSessions),
      };
    }),
  };
}

/** Of two states, the one that allows less. */
export function stricter(one: OperatorState, other: OperatorState): OperatorState {
  return STRICTNESS[one] >= STRICTNESS[other] ? one : other;
}

const STRICTNESS = { ready: 0, drain: 1, maint: 2 } as const satisfies Record<OperatorState, number>;

function modeOf(
  candidates: number,
  well: { readonly primary: number; readonly backup: number },
  tier: 'primary' | 'backup',
  panicBelow: EligibilityRules['panicBelow'],
): UpstreamMode {
  if (well.primary === 0 && well.backup > 0) return 'backups';
  if (panicBelow !== 'off') {
    if (candidates > 0 && well[tier] === 0) return 'panic';
    if (100 * well[tier] < panicBelow * candidates) return 'panic';
  }
  return well.primary > 0 ? 'normal' : 'down';
}

/** Whether it could get sessions if its health and ejection did not matter. */
function isCandidate({ resolved, settled, operator, weight }: BackendConditions): boolean {
  return resolved && settled && operator === 'ready' && weight > 0;
}

function isSound(conditions: BackendConditions): boolean {
  return isCandidate(conditions) && conditions.healthy && conditions.agentUp;
}

function isWell(conditions: BackendConditions): boolean {
  return isSound(conditions) && conditions.ejection === 'none';
}

function isOnTrial(conditions: BackendConditions): boolean {
  return isSound(conditions) && conditions.ejection === 'trial';
}

function stateOf(
  { operator, weight, resolved, settled, healthy, agentUp, ejection, backup }: BackendConditions,
  takesSessions: boolean,
): BackendStateWord {
  if (operator !== 'ready') return operator;
  if (weight === 0) return 'drain';
  if (!resolved) return 'unresolved';
  if (!settled || !healthy || !agentUp) return 'down';
  if (ejection !== 'none') return ejection;
  return backup && !takesSessions ? 'standby' : 'up';
}
