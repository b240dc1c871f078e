/**
 * Clients that were ended because they do not read → one line of the log per burst, with their number.
 *
 * Place: event-streams.ts counts them here.
 */
import type { Log } from '../../observe/log.ts';
import { counted } from '../../support/counted.ts';
import type { SetTimer } from '../../support/timer.ts';

/** How long they are counted before the line is written, and the least time between two lines. */
const BURST_MS = 1_000;
const QUIET_MS = 60_000;

export interface SlowClientsDeps {
  readonly log: Log;
  readonly setTimer: SetTimer;
  /** Milliseconds since the process began. */
  readonly uptimeMs: () => number;
}

export class SlowClients {
  readonly #deps: SlowClientsDeps;
  #streams = 0;
  #quietUntilMs = 0;

  constructor(deps: SlowClientsDeps) {
    this.#deps = deps;
  }

  count(): void {
    this.#streams++;
    if (this.#streams > 1) return;
    const { setTimer, uptimeMs } = this.#deps;
    setTimer(() => this.#report(), Math.max(BURST_MS, this.#quietUntilMs - uptimeMs()));
  }

  #report(): void {
    const { log, uptimeMs } = this.#deps;
    const streams = this.#streams;
    this.#streams = 0;
    this.#quietUntilMs = uptimeMs() + QUIET_MS;
    const message = `the admin API has ended ${counted(streams, 'event stream')}: a client did not read`;
    log.write('warn', 'adminSlowClient', message, { streams });
  }
}
