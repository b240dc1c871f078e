/**
 * Work that changes what a balancer listens at: one after the other.
 *
 * Place: `load-balancer.ts` has one, for configurations, handovers, and listeners that stop and listen again.
 */
import type { SetTimer } from '../support/timer.ts';
import { soonOver } from './drain.ts';

export class InTurn {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when all work given so far is over; never rejects. */
  get over(): Promise<void> {
    return this.#last;
  }

  /** Begins when the work before is over, whatever came of that; resolves and rejects as the work does. */
  async run(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    await done;
  }

  /** The same, for work that is left out unless `isWanted` at its turn, and whose failure concerns no caller. */
  async runIf(isWanted: () => boolean, work: () => Promise<void>): Promise<void> {
    await this.run(async () => {
      if (isWanted()) await work();
    }).catch(() => undefined);
  }

  /** After a defect: work that is under way may never end. */
  giveUp(setTimer: SetTimer): void {
    this.#last = soonOver(this.#last, setTimer);
  }
}
