/**
 * What two statuses of one instance say about the time between them: times, failures, differences of totals.
 *
 * Place: pure. The dashboard's page imports the compiled file as it is, so it may import types only.
 * Rule: a total that has gone down belongs to another owner (a backend that was removed and added again, another
 * process), which began at 0.
 */
import type { BackendCounted, EndedSessions } from '../model/counted-view.ts';

export type Buckets = BackendCounted['connect'];

/** Of two totals, the earlier one first; undefined: there was none. */
export function since(before: number | undefined, now: number): number {
  return before === undefined || before > now ? now : now - before;
}

/** How many times each bucket has got since; those that have got none are left out. */
export function bucketsSince(before: Buckets | undefined, now: Buckets): Buckets {
  const earlier = new Map(before);
  const isAnother =
    now.length < earlier.size || now.some(([bucket, times]) => (earlier.get(bucket) ?? 0) > times);
  if (isAnother) return now;
  return now.flatMap(([bucket, times]) => {
    const more = times - (earlier.get(bucket) ?? 0);
    return more > 0 ? [[bucket, more] as const] : [];
  });
}

/** The number of the bucket that has all longer times, for times to connect (counters/layout.ts). */
const LAST_BUCKET = 41;
const PER_POWER = 8;

/**
 * The time in seconds that this part of all times do not exceed, at most 9 % too much. Undefined where there is none;
 * Infinity for one that is longer than what is measured.
 */
export function quantileOf(buckets: Buckets, part: number): number | undefined {
  const wanted = countOf(buckets) * part;
  let count = 0;
  for (const [bucket, times] of buckets) {
    count += times;
    if (times > 0 && count >= wanted) return bucket >= LAST_BUCKET ? Infinity : 2 ** (bucket / PER_POWER);
  }
  return undefined;
}

export function countOf(buckets: Buckets): number {
  return buckets.reduce((sum, [, times]) => sum + times, 0);
}

/**
 * Whether clients have noticed a failure that was not theirs: they got no backend, or lost the one they had. What the
 * configuration or an operator wants (timeouts, drain) is none.
 */
export function isFailure({ by, phase, reason }: Omit<EndedSessions, 'sessions'>): boolean {
  if (by === 'client' || reason === 'operator') return false;
  if (phase === 'connect' || phase === 'queue') return true;
  return phase === 'relay' && ['reset', 'backendDown', 'workerDied', 'other'].includes(reason);
}

/** Sessions of an upstream that have ended in all, and those of them that failed. */
export function endingsOf(ended: readonly EndedSessions[]): {
  readonly all: number;
  readonly failed: number;
} {
  let all = 0;
  let failed = 0;
  for (const each of ended) {
    all += each.sessions;
    if (isFailure(each)) failed += each.sessions;
  }
  return { all, failed };
}

/**
 * Of a backend: attempts to connect, those that failed, and sessions that it has reset.
 */
export function attemptsOf({ connections, connectFailures, resets }: BackendCounted): {
  readonly all: number;
  readonly failed: number;
} {
  return { all: connections + connectFailures, failed: connectFailures + resets };
}
