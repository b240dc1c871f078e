/**
 * Counts the clients that a listener's gates have refused in this data plane, and reports them at most once a second
 * for each reason.
 *
 * Place: a listener's front has one. The counts are in shared memory (`LISTENER.refused`), exact; what is reported ends
 * in the log and in `listener:refused`.
 * Invariant: all that is counted is reported in the end, in sums.
 */
import type { Report } from '../../model/data-event.ts';
import type { Cells } from '../../shared-memory/counters/counters.ts';
import { LISTENER } from '../../shared-memory/counters/layout.ts';
import { REFUSALS, type Refusal } from '../../shared-memory/counters/refusals.ts';
import type { SetTimer } from '../../support/timer.ts';

const WINDOW_MS = 1_000;

export interface RefusedDeps {
  readonly report: Report;
  readonly setTimer: SetTimer;
}

/** Those of one reason since the last report. */
interface Window {
  times: number;
  clientAddress: string;
  code: string | undefined;
}

export class Refused {
  readonly #listener: string;
  readonly #cells: Cells;
  readonly #deps: RefusedDeps;
  /** By the series of the counter. */
  readonly #windows = new Map<number, Window>();

  constructor(listener: string, cells: Cells, deps: RefusedDeps) {
    this.#listener = listener;
    this.#cells = cells;
    this.#deps = deps;
  }

  /**
   * @param isDryRun the client was let in all the same
   * @param code the library's own name for it, where there is one
   */
  count(reason: Refusal, clientAddress: string, isDryRun: boolean, code?: string): void {
    const series = 2 * REFUSALS.indexOf(reason) + Number(isDryRun);
    this.#cells.add(LISTENER.refused, series, 1);
    const window = this.#windows.get(series);
    if (window === undefined) {
      this.#report(series, { times: 1, clientAddress, code });
      return;
    }
    window.times += 1;
    window.clientAddress = clientAddress;
    window.code = code;
  }

  #report(series: number, { times, clientAddress, code }: Window): void {
    const reason = REFUSALS[series >> 1];
    if (reason === undefined) return;
    const isDryRun = series % 2 === 1;
    this.#deps.report({
      ...{ kind: 'refused', listener: this.#listener, reason, isDryRun, clientAddress, times },
      ...(code === undefined ? {} : { code }),
    });
    this.#windows.set(series, { times: 0, clientAddress: '', code: undefined });
    this.#deps.setTimer(() => this.#close(series), WINDOW_MS);
  }

  #close(series: number): void {
    const window = this.#windows.get(series);
    this.#windows.delete(series);
    if (window !== undefined && window.times > 0) this.#report(series, window);
  }
}
