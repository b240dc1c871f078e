/**
 * Waits until the last session has gone, counting down on stderr.
 *
 * Place: `--wait` of commands that drain. stdout stays free for the answer.
 */
import { counted } from '../../support/counted.ts';
import { ANSWER_MS, ClientError } from './admin-client.ts';
import { durationOf, pause } from './client-command.ts';

export interface WaitOptions {
  readonly wait?: boolean;
  readonly timeout?: string;
}

/** How many sessions are left, and whether everything is over. */
export interface Left {
  readonly left: number;
  readonly isOver: boolean;
}

const LOOK_MS = 250;
/** Without a terminal, a line is written when the number has changed, and not more often than this. */
const LINE_MS = 1_000;
/** An answer may take this long even when less time is left. */
const LEAST_ANSWER_MS = 1_000;
/** The most looks in a row that may end without an answer, because the connection is cut. */
const MOST_CUT = 20;

/** Infinity without `--timeout`. */
export function timeoutOf({ timeout }: WaitOptions): number {
  return timeout === undefined ? Infinity : durationOf('--timeout', timeout, 0, 2 ** 31);
}

/** How long an answer may take, when the whole command may take `timeoutMs`. */
export function answerWithin(timeoutMs: number): { readonly withinMs: number } {
  return { withinMs: Math.min(ANSWER_MS, Math.max(timeoutMs, LEAST_ANSWER_MS)) };
}

/** @param look gets how long an answer may take; that no lb4 is there any more ends the wait, too */
export async function untilDrained(
  timeoutMs: number,
  look: (within: { readonly withinMs: number }) => Promise<Left>,
): Promise<void> {
  const started = performance.now();
  const { stderr } = process;
  let shownAt = -Infinity;
  let shown = '';
  let seen: Left = { left: 0, isOver: false };
  let cut = 0;
  for (;;) {
    try {
      seen = await look(answerWithin(timeoutMs - (performance.now() - started)));
      cut = 0;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.isGone) [seen, cut] = [{ left: 0, isOver: true }, 0];
      else if (error.isCut && cut < MOST_CUT) cut += 1;
      else throw error;
    }
    const { left, isOver } = seen;
    const passed = performance.now() - started;
    const rest = Number.isFinite(timeoutMs) ? `, ${Math.ceil(Math.max(0, timeoutMs - passed) / 1000)} s` : '';
    const line = left === 0 ? 'no session left' : `${counted(left, 'session')} left${rest}`;
    const isTerminal = stderr.isTTY;
    if (line !== shown && cut === 0 && (isTerminal || isOver || passed - shownAt >= LINE_MS)) {
      stderr.write(isTerminal ? `\r\u001b[K${line}${isOver ? '\n' : ''}` : `${line}\n`);
      [shown, shownAt] = [line, passed];
    }
    if (isOver) return;
    if (passed >= timeoutMs) {
      if (isTerminal) stderr.write('\n');
      const what = left === 0 ? 'lb4 still runs' : `${counted(left, 'session')} left`;
      throw new ClientError(`${what} after ${Math.round(passed / 1000)} s`);
    }
    await pause(Math.min(LOOK_MS, timeoutMs - passed));
  }
}
