/**
 * The course of a drain: what happens to the clients of a balancer that leaves, and when.
 *
 * Place: `LoadBalancer.drain` runs it and keeps the states; hosts do the work in their data planes.
 * Order: clients are still taken for a while (`Delay`); then the listeners close, and sessions have the time to end
 * by themselves (`endSessions`). In the last part of it they are reset one after the other, at its end all that are left.
 */
import type { DataPlaneHost } from '../host/data-plane-host.ts';
import type { Termination } from '../model/termination.ts';
import { MAX_TIMER_MS, within, type SetTimer } from '../support/timer.ts';

const TIME_IS_UP: Termination = { by: 'balancer', phase: 'drain', reason: 'drainTimeout' };
/** How long work that may be broken is waited for. */
const BROKEN_MS = 1_000;

type Host = Pick<
  DataPlaneHost,
  'stopListening' | 'closePools' | 'whenEmpty' | 'spreadResets' | 'abortSessions'
>;

export interface DrainTimes {
  /** Infinity: no limit. */
  readonly timeoutMs: number;
  /** The last part of the time, from 0 to 1, over which sessions are reset. */
  readonly spread: number;
}

/** `drain.delay` as it passes; it can be cut short, and also before it has begun. */
export class Delay {
  #cut: () => void = () => undefined;
  #isCut = false;
  readonly #ended = new Promise<void>(resolve => (this.#cut = resolve));

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
    this.#cut();
  }

  wait(delayMs: number, setTimer: SetTimer): Promise<void> {
    return within(this.#ended, delayMs, setTimer);
  }
}

/** For work that a defect may have broken: resolves when it is over, and after a second if it is not. */
export function soonOver(work: Promise<void>, setTimer: SetTimer): Promise<void> {
  return within(work, BROKEN_MS, setTimer);
}

/**
 * Takes no more clients, and resolves when every session has ended.
 * @param settled a configuration that is being taken over; the time runs meanwhile
 */
export async function endSessions(
  data: Host,
  { timeoutMs, spread }: DrainTimes,
  settled: Promise<void>,
  setTimer: SetTimer,
): Promise<void> {
  const spreadMs = timeoutMs * spread;
  const timers: (() => void)[] = [];
  if (timeoutMs <= MAX_TIMER_MS) {
    if (spreadMs > 0)
      timers.push(setTimer(() => data.spreadResets(TIME_IS_UP, spreadMs), timeoutMs - spreadMs));
    timers.push(setTimer(() => data.abortSessions(TIME_IS_UP), timeoutMs));
  }
  await settled;
  await data.stopListening();
  data.closePools();
  await data.whenEmpty();
  for (const cancel of timers) cancel();
}
