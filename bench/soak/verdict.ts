/**
 * What a soak proves or disproves. Pure.
 *
 * Sessions: not one failed. Sockets: lb4 has no more of them at the end than before the first session, so every
 * session's two were closed. Memory: the least-squares line through the readings of the second half (the first one
 * belongs to the compiler, the allocator and the collector's first steps) rises by less than an allowance.
 */
import { slope } from '../measure/stats.ts';

/** One reading while the soak runs. */
export interface Reading {
  /** Sessions done, as far as known at that moment; ascending. */
  readonly sessions: number;
  readonly residentBytes: number;
}

export interface SoakOutcome {
  readonly sessions: number;
  readonly failures: number;
  readonly socketsBefore: number;
  readonly socketsAfter: number;
  readonly readings: readonly Reading[];
}

export interface Verdict {
  /** Growth of resident memory over the second half, along the line; NaN with too few readings. */
  readonly growthBytes: number;
  readonly bytesPerSession: number;
  readonly allowedGrowthBytes: number;
  /** Empty if everything held. */
  readonly problems: readonly string[];
}

/** A leak of this many bytes per session is found, whatever else moves. */
const LEAK_BYTES_PER_SESSION = 16;
/** A collected heap swings; below this, a slope says nothing. Half a million sessions are needed to see 16 bytes. */
const SWING_BYTES = 8 * 1024 ** 2;

export function judge(outcome: SoakOutcome): Verdict {
  const { sessions, failures, socketsBefore, socketsAfter, readings } = outcome;
  const half = sessions / 2;
  const bytesPerSession = slope(
    readings
      .filter(reading => reading.sessions >= half)
      .map(reading => [reading.sessions, reading.residentBytes] as const),
  );
  const growthBytes = bytesPerSession * half;
  const allowedGrowthBytes = Math.max(SWING_BYTES, LEAK_BYTES_PER_SESSION * half);
  return {
    growthBytes,
    bytesPerSession,
    allowedGrowthBytes,
    problems: [
      ...(failures === 0 ? [] : [`${String(failures)} sessions failed`]),
      ...(socketsAfter <= socketsBefore
        ? []
        : [`${String(socketsAfter - socketsBefore)} sockets are still open after the last session`]),
      ...(Number.isNaN(growthBytes) ? ['too few readings of the memory to judge it'] : []),
      ...(growthBytes > allowedGrowthBytes
        ? [`memory grew by ${bytesPerSession.toFixed(1)} bytes per session over the second half`]
        : []),
    ],
  };
}
