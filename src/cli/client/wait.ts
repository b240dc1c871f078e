/**
 * Waits until the last session has gone, counting down on stderr.
 *
 * Place: `--wait` of commands that drain. stdout stays free for the answer.
 */
import { counted } from '../../support/counted.ts';
import { ClientError } from './admin-client.ts';
import { pause } from './client-command.ts';

export interface WaitOptions {
  readonly wait?: boolean;
  readonly timeout?: string;
}

const LOOK_MS = 250;
/** Without a terminal, a line is written when the number has changed, and not more often than this. */
const LINE_MS = 1_000;

/** @param look how many sessions are left, and whether everything is over */
export async function untilDrained(
  timeoutMs: number,
  look: () => Promise<{ readonly left: number; readonly isOver: boolean }>,
): Promise<void> {
  const started = performance.now();
  const { stderr } = process;
  let shownAt = -Infinity;
  let shown = '';
  for (;;) {
    const { left, isOver } = await look();
    const passed = performance.now() - started;
    const rest = Number.isFinite(timeoutMs) ? `, ${Math.ceil(Math.max(0, timeoutMs - passed) / 1000)} s` : '';
    const line = left === 0 ? 'no session left' : `${counted(left, 'session')} left${rest}`;
    const isTerminal = stderr.isTTY;
    if (line !== shown && (isTerminal || isOver || passed - shownAt >= LINE_MS)) {
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
