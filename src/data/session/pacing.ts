/**
 * What all that is limited in its bandwidth shares in one data plane: the wheel that wakes it, and a clock that is the
 * same in all threads.
 *
 * Place: one per data plane; fronts get their bandwidth from it. Nothing ticks while nothing waits.
 * A changed limit holds for the sessions that run, too, a batch per turn of the loop: a hundred thousand in one turn
 * would hold up the bytes of all others.
 */
import type { ListenerPlan } from '../../model/listener-plan.ts';
import type { ByteTimes } from '../../shared-memory/byte-times.ts';
import type { Cells } from '../../shared-memory/counters/counters.ts';
import type { SetTimer } from '../../support/timer.ts';
import { Bandwidth, limitsOf, type BandwidthDeps } from './bandwidth.ts';
import { DeadlineWheel } from './deadline-wheel.ts';
import { PACE_TICK_MS } from './portion.ts';

export class Pacing {
  readonly #deps: BandwidthDeps;

  /** `now`: milliseconds of a monotonic clock, from any start. */
  constructor(times: ByteTimes, now: () => number, setTimer: SetTimer, systemNow: () => number = hrtimeMs) {
    const aheadMs = systemNow() - now();
    const clock = (): number => now() + aheadMs;
    this.#deps = { times, now: clock, wheel: new DeadlineWheel(clock, setTimer, PACE_TICK_MS) };
  }

  /** Undefined: the plan limits none. `before`, where its limits are the same. `cells`: of the plan's listener. */
  bandwidthOf(
    plan: Pick<ListenerPlan, 'limits' | 'slot'>,
    cells: Pick<Cells, 'add'>,
    before?: Bandwidth,
  ): Bandwidth | undefined {
    const limits = limitsOf(plan);
    if (limits === undefined) return undefined;
    return before?.hasLimits(limits) === true ? before : new Bandwidth(limits, cells, this.#deps);
  }
}

/** What it needs of a session. */
export interface Paced {
  readonly front: unknown;
  /** Takes over the bandwidth that its front has at that time. */
  repace(): void;
}

const PER_TURN = 1_000;

/** Lets the sessions of a front that run take over its bandwidth. */
export function repaceGradually(front: unknown, sessions: Iterable<Paced>): void {
  repaceFrom(
    [...sessions].filter(session => session.front === front),
    0,
  );
}

function repaceFrom(sessions: readonly Paced[], from: number): void {
  const until = from + PER_TURN;
  for (const session of sessions.slice(from, until)) session.repace();
  if (until < sessions.length) setImmediate(() => repaceFrom(sessions, until));
}

function hrtimeMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
