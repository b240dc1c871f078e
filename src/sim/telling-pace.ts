/**
 * When small changes are sent at once, as the script of the exchange does it: while there are few of them.
 *
 * Place: the model of Redis (memory-exchange.ts) keeps one per upstream.
 */
import { TELLING } from '../control/mirror/exchange-script.ts';

export class TellingPace {
  #perSecond = 0;
  #atMs = 0;

  isTelling(members: number, nowMs: number): boolean {
    return this.#after(nowMs) <= Math.min(TELLING.changes, TELLING.messages / members);
  }

  noteChange(nowMs: number): void {
    this.#perSecond = this.#after(nowMs) + 1_000 / TELLING.averagedMs;
    this.#atMs = nowMs;
  }

  #after(nowMs: number): number {
    return this.#perSecond * Math.exp(-Math.max(nowMs - this.#atMs, 0) / TELLING.averagedMs);
  }
}
