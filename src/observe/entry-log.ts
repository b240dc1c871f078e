/**
 * A log whose entries go to a function of the user's, as values: for programs that have a logger already.
 *
 * Place: beside log.ts, which makes lines of entries.
 * Invariant: a message is one printable line, whatever text is in it. Fields are as they came.
 */
import { printable } from '../support/printable.ts';
import type { Log, LogFields } from './log.ts';
import { lossMessage, type LogFormat, type LogLevel } from './log-style.ts';

/** What a line is made of. */
export interface LogEntry {
  readonly level: LogLevel;
  /** Stable, for machines. */
  readonly event: string;
  /** For people; absent in entries of the access log, unless their format is text or tcplog. */
  readonly message: string | undefined;
  readonly fields: LogFields;
}

export interface EntryLogOptions {
  readonly level: LogLevel;
  /** Whether entries of the access log have a message: `text`. */
  readonly format: LogFormat;
  take(entry: LogEntry): void;
}

/** From the most important to the least. */
const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

export function createEntryLog(options: EntryLogOptions): Log {
  const most = LEVELS.indexOf(options.level);
  const log: Log = {
    format: options.format,
    isEnabled: level => LEVELS.indexOf(level) <= most,
    write(level, event, message, fields = {}) {
      if (!log.isEnabled(level)) return;
      options.take({ level, event, message: message && printable(message), fields });
    },
    lose(lines) {
      const loss = { lines, forMs: 0, code: 'EBUSY' };
      log.write('warn', 'linesLost', lossMessage(loss), loss);
    },
  };
  return log;
}
