/**
 * The ejection of one backend: none → ejected → trial → none, or ejected again and for longer.
 *
 * Place: pure; `Ejector` keeps one per backend and holds timers and shared counts. `mayEject` looks at the whole
 * upstream.
 * Times: the first ejection lasts `base`, each one after it twice as long, up to `max`. Each is 0 to 10 % longer at
 * random, so that instances that eject a backend at the same time do not try it at the same time. For a backend that
 * has been back for `max` the series begins anew.
 * Like: Envoy's outlier detection, with the half-open trial of a circuit breaker.
 */
import type { FailureKind } from '../../shared-memory/backend-failures.ts';
import { judge, type BackendConditions, type EjectionPhase, type EligibilityRules } from './eligibility.ts';

const JITTER = 0.1;

export interface EjectionTimes {
  readonly baseMs: number;
  readonly maxMs: number;
}

export interface Ejection {
  readonly phase: EjectionPhase;
  /** Ejections in a row; kept until the backend has been back for `max`. */
  readonly times: number;
  /** Length of the present ejection. */
  readonly forMs: number;
  /** Cause of the last ejection. */
  readonly cause: FailureKind;
  /** When the backend came back. */
  readonly backSinceMs: number;
}

export const NEVER_EJECTED: Ejection = {
  phase: 'none',
  times: 0,
  forMs: 0,
  cause: 'connect',
  backSinceMs: -Infinity,
};

/** Ejects a backend, or ejects it again after its trial. `random` is from 0 to below 1. */
export function eject(
  before: Ejection,
  cause: FailureKind,
  { baseMs, maxMs }: EjectionTimes,
  nowMs: number,
  random: number,
): Ejection {
  const isForgiven = before.phase === 'none' && nowMs - before.backSinceMs >= maxMs;
  const times = isForgiven ? 1 : before.times + 1;
  const forMs = Math.round(Math.min(baseMs * 2 ** (times - 1), maxMs) * (1 + JITTER * random));
  return { ...before, phase: 'ejected', times, forMs, cause };
}

/** The time of the ejection is over. */
export function toTrial(before: Ejection): Ejection {
  return { ...before, phase: 'trial' };
}

/** The backend is back; the number of its ejections is kept until it has been back for `max`. */
export function restore(before: Ejection, nowMs: number): Ejection {
  return { ...before, phase: 'none', backSinceMs: nowMs };
}

/**
 * Whether an upstream can spare one of its backends:
 * - No more than `maxPercent` of all backends, whatever their state, may be ejected or on trial.
 * - At least one other backend must be left that gets sessions.
 * - No backend is ejected in panic, or if that led to panic: the sessions would go to worse ones than this.
 *
 * @param index of the backend in question
 */
export function mayEject(
  conditions: readonly BackendConditions[],
  index: number,
  rules: EligibilityRules,
  maxPercent: number,
): boolean {
  const out = conditions.filter(({ ejection }) => ejection !== 'none').length;
  if (out + 1 > Math.floor((maxPercent * conditions.length) / 100)) return false;
  if (judge(conditions, rules).mode === 'panic') return false;
  const without = conditions.map((each, i) =>
    i === index ? { ...each, ejection: 'ejected' as const } : each,
  );
  const { mode } = judge(without, rules);
  return mode === 'normal' || mode === 'backups';
}

/**
 * Whether a health check that has passed refutes what a backend was ejected for. Any check shows that connects work;
 * only one that exchanges bytes shows that the backend answers.
 */
export function isRefutedByProbe({ phase, cause }: Ejection, probeExchangesBytes: boolean): boolean {
  return phase !== 'none' && (cause === 'connect' || probeExchangesBytes);
}
