/**
 * The log: one line per entry, as text for people or JSON for machines, through winston.
 *
 * Place: made by the command line only; the library emits events and forces no logger on its user. `LineBuffer` takes
 * the lines, so that writing them neither waits nor fails.
 * Shape of a JSON line: `time` (ISO 8601, UTC), `level`, `event` (stable, for machines), `message` (for people, may
 * change), then the entry's own fields.
 * Invariant: an entry is one line, whatever text is in it.
 */
import { Writable } from 'node:stream';
import winston from 'winston';
import { counted } from '../support/counted.ts';
import { printable, printableJson } from '../support/printable.ts';
import type { LineBuffer, Loss } from './line-buffer.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'text' | 'json';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LogStyle {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

export interface Log {
  readonly format: LogFormat;
  /** Whether entries of this level are written. */
  isEnabled(level: LogLevel): boolean;
  /** `message` is for people; a JSON line without one (undefined) has its fields only. */
  write(level: LogLevel, event: string, message: string | undefined, fields?: LogFields): void;
  /** Reports that entries which were not built are missing. */
  lose(entries: number): void;
}

export interface ConfigurableLog extends Log {
  /** From now on entries have this form and level. */
  configure(style: LogStyle): void;
}

export interface LogOptions extends LogStyle {
  readonly lines: Pick<LineBuffer, 'write' | 'isLosing' | 'lose'>;
  /** Its lines are lost before those of other logs; default: false. */
  readonly isSpared?: boolean;
  /** What stands before each line of a level, for a reader that takes it off again; default: nothing. */
  readonly prefixOf?: (level: LogLevel) => string;
}

export function createLog({
  lines,
  isSpared = false,
  prefixOf = () => '',
  ...style
}: LogOptions): ConfigurableLog {
  let { format } = style;
  const logger = winston.createLogger({
    level: style.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: winston.format.printf(FORMATS[format]),
    transports: [new LineTransport((level, line) => lines.write(`${prefixOf(level)}${line}\n`, isSpared))],
  });
  return {
    get format() {
      return format;
    },
    isEnabled: entryLevel => logger.isLevelEnabled(entryLevel),
    write(entryLevel, event, message, fields) {
      // winston formats an entry before it looks at the level (winstonjs/winston#1669).
      if (!logger.isLevelEnabled(entryLevel)) return;
      if (lines.isLosing(isSpared)) lines.lose(isSpared);
      else logger.log({ ...fields, level: entryLevel, message: message ?? '', event });
    },
    lose: entries => lines.lose(isSpared, entries, 'EBUSY'),
    configure(next) {
      format = next.format;
      logger.level = next.level;
      logger.format = winston.format.printf(FORMATS[format]);
    },
  };
}

const WHY_LOST: Readonly<Record<string, string>> = {
  EAGAIN: 'the reader of the log did not keep up',
  EBUSY: 'lb4 was overloaded',
};

/** The line that takes the place of missing lines. */
export function lossLine(format: LogFormat, { lines, forMs, code }: Loss, prefix = ''): string {
  const why = WHY_LOST[code] ?? code;
  const many = `${counted(lines, 'log line')} ${lines === 1 ? 'was' : 'were'}`;
  const message = `${many} lost in ${Math.round(forMs / 100) / 10} s: ${why}`;
  const entry = { level: 'warn', message, event: 'linesLost', lines, forMs: Math.round(forMs), code };
  return `${prefix}${FORMATS[format](entry)}\n`;
}

/** The property in which winston keeps the formatted entry. */
const MESSAGE = Symbol.for('message');
/** The same for its level. */
const LEVEL = Symbol.for('level');

/** Passes lines on at once; winston's own transport over a stream keeps each until the end of the turn. */
class LineTransport extends winston.transports.Stream {
  readonly #write: (level: LogLevel, line: string) => void;

  constructor(write: (level: LogLevel, line: string) => void) {
    super({ stream: new Writable() });
    this.#write = write;
  }

  override log(info: Readonly<Record<symbol, unknown>>, next: () => void): void {
    // Entries come from `write` above only.
    this.#write(info[LEVEL] as LogLevel, String(info[MESSAGE]));
    next();
  }
}

interface Entry {
  readonly level: string;
  readonly message: unknown;
  readonly [field: string]: unknown;
}

const FORMATS: Readonly<Record<LogFormat, (entry: Entry) => string>> = {
  json: ({ level, message, event, ...fields }) =>
    printableJson(
      JSON.stringify({
        time: timestamp(),
        level,
        event,
        message: message === '' ? undefined : message,
        ...fields,
      }),
    ),
  text: ({ level, message }) => `${timestamp()} ${level.padEnd(5)} ${printable(String(message))}`,
};

function timestamp(): string {
  return new Date().toISOString();
}
