/**
 * How an entry becomes a line: as text or JSON, with colours on a terminal, and in the frame of its destination.
 *
 * Place: a part of log.ts.
 * Invariant: an entry is one line, whatever text is in it. Colours stand outside of that text.
 */
import { counted } from '../support/counted.ts';
import { printable, printableJson } from '../support/printable.ts';
import type { Loss } from './line-buffer.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'text' | 'json';

export interface LogStyle {
  readonly format: LogFormat;
  /** Text has neither time nor level, because the destination adds them; default: false. */
  readonly isBare?: boolean;
  /** Text has colours; default: false. */
  readonly isColoured?: boolean;
  /** What the destination wants around a line; default: nothing. */
  readonly frame?: (level: LogLevel, event: string, line: string) => string;
}

export interface Entry {
  readonly level: string;
  readonly message: unknown;
  readonly [field: string]: unknown;
}

export function lineOf({ format, isBare, isColoured, frame }: LogStyle, entry: Entry): string {
  const line =
    format === 'json' ? jsonOf(entry) : isBare === true ? bareOf(entry) : textOf(entry, isColoured);
  // Entries come from `Log.write` and `lossLine` only.
  return frame === undefined ? line : frame(entry.level as LogLevel, String(entry['event']), line);
}

function jsonOf({ level, message, event, ...fields }: Entry): string {
  return printableJson(
    JSON.stringify({
      time: timestamp(),
      level,
      event,
      message: message === '' ? undefined : message,
      ...fields,
    }),
  );
}

function bareOf({ message }: Entry): string {
  return printable(String(message));
}

const COLOURS: Readonly<Record<string, number>> = { error: 31, warn: 33, info: 32, debug: 36 };

function textOf({ level, message }: Entry, isColoured = false): string {
  const text = printable(String(message));
  const padded = level.padEnd(5);
  if (!isColoured) return `${timestamp()} ${padded} ${text}`;
  return `\x1b[2m${timestamp()}\x1b[22m \x1b[${COLOURS[level] ?? 39}m${padded}\x1b[39m ${text}`;
}

/** Whether text may have colours there (no-color.org). */
export function mayColour(isTerminal: boolean, env: NodeJS.ProcessEnv): boolean {
  return isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

const WHY_LOST: Readonly<Record<string, string>> = {
  EAGAIN: 'the reader of the log did not keep up',
  EBUSY: 'lb4 was overloaded',
  ENOBUFS: 'more lines came at once than lb4 keeps until they are written',
};

/** The line that takes the place of missing lines. */
export function lossLine(style: LogStyle, loss: Loss): string {
  const { lines, forMs, code } = loss;
  const message = lossMessage(loss);
  const entry = { level: 'warn', message, event: 'linesLost', lines, forMs: Math.round(forMs), code };
  return `${lineOf(style, entry)}\n`;
}

export function lossMessage({ lines, forMs, code }: Loss): string {
  const why = WHY_LOST[code] ?? code;
  const many = `${counted(lines, 'log line')} ${lines === 1 ? 'was' : 'were'}`;
  return `${many} lost in ${Math.round(forMs / 100) / 10} s: ${why}`;
}

function timestamp(): string {
  return new Date().toISOString();
}
