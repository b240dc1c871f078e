/**
 * A log's lines, kept in memory.
 */
import type { LogEventsDeps } from '../../src/observe/log-events.ts';
import type { LogOptions } from '../../src/observe/log.ts';

export interface LogLines {
  /** For `createLog`. */
  readonly lines: LogOptions['lines'];
  /** What was written so far, a line each, without the line ends. */
  readonly written: string[];
  /** The same, as JSON. */
  entries(): Record<string, unknown>[];
}

export function keepLines(): LogLines {
  const written: string[] = [];
  return {
    written,
    lines: {
      write: line => {
        if (!line.endsWith('\n')) throw new Error(`not a whole line: ${line}`);
        written.push(line.slice(0, -1));
      },
      isLosing: () => false,
      lose: () => undefined,
    },
    entries: () => written.map(line => JSON.parse(line) as Record<string, unknown>),
  };
}

/** For `logEvents`: no time passes, and no timer fires. */
export const UNTIMED: LogEventsDeps = { now: () => 0, setTimer: () => () => undefined };
