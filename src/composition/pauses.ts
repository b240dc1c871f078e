/** How long each listener has been paused: a part of the snapshot. Place: `load-balancer.ts` has one. */
import type { Events } from '../model/events.ts';

export class Pauses {
  readonly #now: () => number;
  readonly #sinceMs = new Map<string, number>();

  constructor(events: Events, now: () => number) {
    this.#now = now;
    events.on('listener:paused', ({ listener }) => this.#sinceMs.set(listener, now()));
    events.on('listener:resumed', ({ listener }) => this.#sinceMs.delete(listener));
  }

  /** Undefined for a listener that takes clients. */
  msOf(listener: string): number | undefined {
    const sinceMs = this.#sinceMs.get(listener);
    return sinceMs === undefined ? undefined : this.#now() - sinceMs;
  }
}
