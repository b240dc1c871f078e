/**
 * The process that is to take over, as the older one sees it: started, waited for, and let go or ended.
 *
 * Place: `upgrader.ts` has one at a time.
 * Invariants:
 * - `ready` settles once: with what the newcomer has taken, or with the reason why there is none, and then it has ended.
 *   Only one that is ready too late may live on, until its own sessions have ended.
 * - A newcomer that does not become ready in time is ended, if need be with SIGKILL.
 */
import type { ChildProcess } from 'node:child_process';
import { wordsOf } from '../../errors.ts';
import type { SetTimer } from '../../support/timer.ts';
import { LET_GO, parseFromNewcomer, type Ready } from './messages.ts';

export interface NewcomerTimes {
  /** From its start until it is ready. */
  readonly readyMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
}

export const NEWCOMER_TIMES: NewcomerTimes = { readyMs: 60_000, graceMs: 2_000 };

/** Why there is no newcomer: a sentence each. */
export class NewcomerFailed extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('; '));
    this.lines = lines;
  }
}

/** The part of Node's `ChildProcess` that is used. */
export type Child = Pick<
  ChildProcess,
  'pid' | 'connected' | 'channel' | 'send' | 'disconnect' | 'kill' | 'on' | 'once' | 'unref'
>;

export class Newcomer {
  readonly ready: Promise<Ready>;
  readonly #child: Child;
  readonly #setTimer: SetTimer;
  readonly #times: NewcomerTimes;
  /** What it has said of its failure, or why it is being ended. */
  #lines: readonly string[] | undefined;
  #cancelTimer: () => void;
  #settle: { resolve(ready: Ready): void; reject(error: NewcomerFailed): void } | undefined;

  constructor(child: Child, setTimer: SetTimer, times: NewcomerTimes = NEWCOMER_TIMES) {
    this.#child = child;
    this.#setTimer = setTimer;
    this.#times = times;
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#cancelTimer = setTimer(
      () => this.end(`it was not ready within ${times.readyMs / 1000} s`),
      times.readyMs,
    );
    child.on('error', error => this.#fail([`it cannot be started: ${wordsOf(error)}`]));
    child.once('exit', (code, signal) => this.#hearExit(code, signal));
    child.on('message', message => this.#hear(message));
  }

  /** Undefined where the system has refused a process. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends it before it is ready; `ready` rejects with this reason when it has ended. */
  end(why: string): void {
    if (this.#settle === undefined) return;
    this.#lines ??= [why];
    this.#child.kill('SIGTERM');
    this.#killLater();
  }

  /** It is on its own from now on. */
  letGo(): void {
    const { connected } = this.#child;
    const leave = (): void => {
      if (this.#child.connected) this.#child.disconnect();
    };
    if (connected) this.#child.send(LET_GO, leave);
    this.#child.unref();
  }

  #hear(message: unknown): void {
    const said = parseFromNewcomer(message);
    if (said === undefined || this.#settle === undefined) return;
    if (said.kind === 'failed') {
      this.#lines ??= said.lines;
      this.#killLater();
    } else if (this.#lines === undefined) {
      this.#cancelTimer();
      this.#settle.resolve(said);
      this.#settle = undefined;
    } else {
      // Ready too late: it has been asked to end, and does so when the sessions that it may have are over.
      // The channel stays open: closed, it would mean that this process has died.
      this.#fail(this.#lines);
      this.#child.unref();
      this.#child.channel?.unref();
    }
  }

  #hearExit(code: number | null, signal: string | null): void {
    const how = signal === null ? `exit code ${code ?? 0}` : signal;
    this.#fail(
      this.#lines ?? [`it ended with ${how} before it was ready; what it said itself is in the log`],
    );
  }

  #killLater(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#setTimer(() => this.#child.kill('SIGKILL'), this.#times.graceMs);
  }

  #fail(lines: readonly string[]): void {
    this.#cancelTimer();
    this.#settle?.reject(new NewcomerFailed(lines));
    this.#settle = undefined;
  }
}
