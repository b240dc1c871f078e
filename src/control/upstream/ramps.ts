/**
 * Which backends of one upstream are in a slow start, since when, and when the next step is due.
 *
 * Place: `Upstream` asks it at each publication; slow-start.ts computes the line itself.
 * Rules:
 * - A backend ramps that gets sessions now and did not in the last plan, unless it was there from the start and never
 *   found unwell.
 * - Another backend must take the load meanwhile: one that got sessions before and does not ramp. When there is none
 *   any more, or in panic, all ramps end.
 * - So backups that begin to stand in do not ramp: the backends that took the load before have gone.
 */
import type { SetTimer } from '../../support/timer.ts';
import type { BackendRecord } from './backend-record.ts';
import type { Judgement } from './eligibility.ts';
import { rampPermille, untilNextStep, WHOLE } from './slow-start.ts';

export interface RampsDeps {
  now(): number;
  readonly setTimer: SetTimer;
  onStarted(record: BackendRecord, forMs: number): void;
  onEnded(record: BackendRecord): void;
  /** The next step is due: publish again. */
  onStep(): void;
}

export class Ramps {
  #totalMs: number;
  readonly #deps: RampsDeps;
  #cancelTimer: () => void = () => undefined;

  /** @param totalMs length of a slow start; 0: there is none */
  constructor(totalMs: number, deps: RampsDeps) {
    this.#totalMs = totalMs;
    this.#deps = deps;
  }

  /** Another length from now on, also for ramps under way; these keep their beginning. */
  configure(totalMs: number): void {
    this.#totalMs = totalMs;
  }

  /** Begins and ends ramps for a judgement that is about to be published; `records` in its order. */
  follow(records: readonly BackendRecord[], { mode, backends }: Judgement): void {
    const nowMs = this.#deps.now();
    const isTaking = (index: number): boolean => backends[index]?.takesSessions === true;
    const hasEstablished =
      mode !== 'panic' &&
      records.some(
        (record, i) => isTaking(i) && record.tookSessions && this.#isOver(record.rampSinceMs, nowMs),
      );
    records.forEach((record, i) => {
      const takesSessions = isTaking(i);
      if (record.rampSinceMs !== undefined) {
        if (!takesSessions) record.rampSinceMs = undefined;
        else if (!hasEstablished || this.#isOver(record.rampSinceMs, nowMs)) this.#end(record);
      } else if (takesSessions && !record.tookSessions && hasEstablished && !record.isOriginal) {
        if (this.#totalMs > 0) this.#begin(record, nowMs);
      }
      record.tookSessions = takesSessions;
      if (takesSessions) record.isOriginal = false;
    });
    this.#schedule(records, nowMs);
  }

  /** The part of its share that a backend gets now, in thousandths. */
  permilleOf({ rampSinceMs }: BackendRecord): number {
    return rampSinceMs === undefined ? WHOLE : rampPermille(this.#deps.now() - rampSinceMs, this.#totalMs);
  }

  stop(): void {
    this.#cancelTimer();
  }

  #isOver(sinceMs: number | undefined, nowMs: number): boolean {
    return sinceMs === undefined || nowMs - sinceMs >= this.#totalMs;
  }

  #begin(record: BackendRecord, nowMs: number): void {
    record.rampSinceMs = nowMs;
    this.#deps.onStarted(record, this.#totalMs);
  }

  #end(record: BackendRecord): void {
    record.rampSinceMs = undefined;
    this.#deps.onEnded(record);
  }

  #schedule(records: readonly BackendRecord[], nowMs: number): void {
    this.#cancelTimer();
    const delays = records.flatMap(({ rampSinceMs }) =>
      rampSinceMs === undefined ? [] : [untilNextStep(nowMs - rampSinceMs, this.#totalMs)],
    );
    if (delays.length === 0) return;
    // Rounded up: a timer that fires before its step would only be set again.
    const delayMs = Math.ceil(delays.reduce((a, b) => Math.min(a, b)));
    this.#cancelTimer = this.#deps.setTimer(() => this.#deps.onStep(), delayMs);
  }
}
