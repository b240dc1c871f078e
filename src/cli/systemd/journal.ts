/**
 * Whether standard error is the journal, and how a line carries its level there (sd-daemon(3)).
 *
 * Place: asked by `lb4 run` when it opens its logs. The journal takes the prefix off again.
 */
import { fstatSync } from 'node:fs';
import type { LogLevel } from '../../observe/log.ts';

const PRIORITIES = { error: 3, warn: 4, info: 6, debug: 7 } as const satisfies Record<LogLevel, number>;

/** What stands before a line of this level; '' where standard error is not the journal. */
export function journalPrefix(env: NodeJS.ProcessEnv = process.env, fd = 2): (level: LogLevel) => string {
  return isJournal(env, fd) ? level => `<${PRIORITIES[level]}>` : () => '';
}

/** `JOURNAL_STREAM` may be inherited by a program whose standard error has been redirected since. */
function isJournal(env: NodeJS.ProcessEnv, fd: number): boolean {
  const stream = env['JOURNAL_STREAM'];
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
