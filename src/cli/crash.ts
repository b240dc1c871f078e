/**
 * What a defect does: no more clients, the sessions in workers have their time, and exit code 1; the supervisor starts
 * lb4 again.
 *
 * Place: from the start of `lb4 run` to its end.
 * Rules:
 * - Workers do not share control's state: their sessions have `drainTimeout`, as in a drain.
 * - With `workers: 0` the defect may be in what moves the bytes: every session is reset at once. So it is while lb4
 *   starts.
 * - The same error again is counted. Another one, too many of the same, or no memory: control cannot go on, and every
 *   session is reset at once.
 * - A newcomer that is about to take over may do so first.
 * - Sessions are reset before the process ends, because the sockets of a process that just ends are closed in an orderly
 *   way, and half an answer would look complete to a client.
 */
import { writeSync } from 'node:fs';
import { wordsOf } from '../errors.ts';
import type { LoadBalancer } from '../load-balancer.ts';
import type { Log } from '../observe/log.ts';
import { counted } from '../support/counted.ts';
import { within, type SetTimer } from '../support/timer.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** How long each step of the end may take that is to be done at once. */
const STOP_MS = 1_000;
/** How long a newcomer is waited for; by itself it is given up before that. */
const UPGRADE_MS = 65_000;
/** Errors like the first one: a defect in a timer of a second comes 30 times in a drain. */
const MOST_REPEATS = 1_000;

export interface CrashDeps {
  readonly log: Log;
  readonly balancer: Pick<LoadBalancer, 'state' | 'snapshot' | 'retire' | 'stop'>;
  /** The upgrade that is under way. */
  upgrade(): Promise<unknown> | undefined;
  /** For those who watch the process: why it will end. */
  onCrash(why: string): void;
  /** The start of lb4 ends because of the defect. */
  onStartFailed(lines: readonly string[]): Promise<void>;
  /** Writes the last lines. */
  endLogs(exitCode: ExitCode): Promise<void>;
  exit(code: ExitCode): void;
  /** Keeps the process alive. */
  readonly setTimer: SetTimer;
  readonly process: Pick<NodeJS.Process, 'on' | 'off'>;
}

export class Crash {
  readonly #deps: CrashDeps;
  readonly #hear = (error: unknown): void => this.#crash(error);
  readonly #log: Pick<Log, 'write'>;
  #first: string | undefined;
  #firstAt = '';
  #repeats = 0;
  #cannotGoOn = false;
  #ended: Promise<void> | undefined;

  /** Handles errors that no other code has caught, until `stopListening`. */
  constructor(deps: CrashDeps) {
    this.#deps = deps;
    this.#log = unfailing(deps.log);
    deps.process.on('uncaughtException', this.#hear).on('unhandledRejection', this.#hear);
  }

  /** There was a defect. */
  get hasBegun(): boolean {
    return this.#first !== undefined;
  }

  stopListening(): void {
    if (this.hasBegun) return;
    this.#deps.process.off('uncaughtException', this.#hear).off('unhandledRejection', this.#hear);
  }

  /** Everything has ended: writes the last lines and ends the process. */
  end(): Promise<void> {
    return (this.#ended ??= this.#end());
  }

  #crash(error: unknown): void {
    const words = withFrames(error);
    if (this.#first === undefined) {
      this.#first = words;
      this.#firstAt = placeOf(error);
      this.#log.write('error', 'crashed', `a defect ends lb4: ${words}`);
      this.#soon(isOutOfMemory(error) ? this.#endAtOnce('memory is used up') : this.#begin());
    } else if (this.#cannotGoOn) {
      // The last second.
    } else if (placeOf(error) !== this.#firstAt) {
      this.#soon(this.#endAtOnce(`another error: ${words}`));
    } else if (++this.#repeats === MOST_REPEATS) {
      this.#soon(this.#endAtOnce(`the same error has come ${MOST_REPEATS} times`));
    }
  }

  /** The end may itself fail because of the defect. */
  #soon(ending: Promise<void>): void {
    ending.catch((error: unknown) =>
      this.#endAtOnce(wordsOf(error)).catch(() => this.#deps.exit(EXIT.failure)),
    );
  }

  async #begin(): Promise<void> {
    const { balancer } = this.#deps;
    this.#deps.onCrash(`a defect ends lb4: ${this.#first ?? ''}`);
    if (balancer.state === 'new' || balancer.state === 'starting') {
      await within(
        this.#deps.onStartFailed([`a defect: ${this.#first ?? ''}`]),
        STOP_MS,
        this.#deps.setTimer,
      );
      return this.#reset();
    }
    await within(this.#deps.upgrade() ?? Promise.resolve(), UPGRADE_MS, this.#deps.setTimer);
    if (this.#cannotGoOn) return;
    if (balancer.snapshot().workers.length === 0) return this.#reset();
    const { ended, withinMs } = balancer.retire();
    await within(ended, withinMs + STOP_MS, this.#deps.setTimer);
    return this.#reset();
  }

  async #endAtOnce(why: string): Promise<void> {
    this.#cannotGoOn = true;
    this.#log.write(
      'error',
      'crashedAgain',
      `lb4 cannot go on after the defect, and resets every session: ${why}`,
    );
    await this.#reset();
  }

  /** As many sessions as possible within the time; those that are left are reset at the exit. */
  async #reset(): Promise<void> {
    await within(this.#deps.balancer.stop(), STOP_MS, this.#deps.setTimer).catch(() => undefined);
    await this.end();
  }

  async #end(): Promise<void> {
    const repeats = this.#repeats;
    if (repeats > 0)
      this.#log.write('error', 'crashRepeated', `the defect has come ${counted(repeats, 'time')} more`, {
        repeats,
      });
    await within(this.#deps.endLogs(EXIT.failure), 2 * STOP_MS, this.#deps.setTimer).catch(() => undefined);
    this.#deps.exit(EXIT.failure);
  }
}

/** Writes to standard error what the log cannot take, because it has the defect. */
function unfailing(log: Log): Pick<Log, 'write'> {
  return {
    write: (level, event, message, fields) => {
      try {
        log.write(level, event, message, fields);
      } catch {
        try {
          writeSync(2, `lb4: ${message ?? event}\n`);
        } catch {
          // There is no place left for it.
        }
      }
    },
  };
}

/** Node, not lb4, throws these, and what needs memory next will throw them again. */
function isOutOfMemory(error: unknown): boolean {
  return (
    error instanceof RangeError &&
    (('code' in error && error.code === 'ERR_MEMORY_ALLOCATION_FAILED') ||
      error.message === 'Array buffer allocation failed')
  );
}

/** On one line; the frames of the stack one after the other. */
function withFrames(error: unknown): string {
  if (!(error instanceof Error)) return wordsOf(error);
  const frames = /\n {4}at .*/s.exec(error.stack ?? '')?.[0] ?? '';
  return `${error.name}: ${wordsOf(error)}${frames.replace(/\n +at /g, ' at ')}`;
}

/** Where it was thrown: the message may hold a value that is another one each time. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return wordsOf(error);
  const [frame = wordsOf(error)] = /\n {4}at .*/.exec(error.stack ?? '') ?? [];
  return error.name + frame;
}
