/**
 * The ejection of one backend: none → ejected → trial → none, or ejected again and for longer.
 *
 * Place: pure; `Ejector` keeps one per backend and holds timers and shared counts. `mayEject` looks at the whole
 * upstream.
 * Times: `base` at first, twice as long each time after, up to `max`, then 0 to 10 % more at random, so that
 * instances that have ejected together do not try together. A backend that has been back for `max` begins anew.
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
  /** How often in a row it has been ejected; kept for a while after it is back. */
  readonly times: number;
  /** How long it is out this time. */
  readonly forMs: number;
  /** What it was ejected for at last. */
  readonly cause: FailureKind;
  /** Since when it is back. */
  readonly backSinceMs: number;
}

export const NEVER_EJECTED: Ejection = {
  phase: 'none',
  times: 0,
  forMs: 0,
  cause: 'connect',
  backSinceMs: -Infinity,
};

/** Takes a backend out, or out again after its trial. `random` is from 0 to below 1. */
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

/** Its time is over. */
export function toTrial(before: Ejection): Ejection {
  return { ...before, phase: 'trial' };
}

/** It is back; how often it was out is remembered for a while. */
export function restore(before: Ejection, nowMs: number): Ejection {
  return { ...before, phase: 'none', backSinceMs: nowMs };
}

/**
 * Whether an upstream can spare one of its backends: no more than `maxPercent` may be out (ejected or on trial), of
 * all there are, whatever their state; somebody must be left who gets sessions; and nobody is ejected in panic, nor
 * into it, because then the sessions would go to worse ones than this.
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
 * Whether a health check that has passed refutes what a backend was ejected for: any check connects, but only one
 * that exchanges bytes shows that a backend says something.
 */
export function isRefutedByProbe({ phase, cause }: Ejection, probeExchangesBytes: boolean): boolean {
  return phase !== 'none' && (cause === 'connect' || probeExchangesBytes);
}
