/**
 * The log: one line per entry, as text for people or JSON for machines, through winston.
 *
 * Place: made by the command line and by `logTo`; the library itself emits events and forces no logger on its user.
 * `LineBuffer` takes the lines, so that writing them neither waits nor fails.
 * Shape of a JSON line: `time` (ISO 8601, UTC), `level`, `event` (stable, for machines), `message` (for people, may
 * change), then the entry's own fields.
 */
import { Writable } from 'node:stream';
import winston from 'winston';
import type { LineBuffer } from './line-buffer.ts';
import { lineOf, type LogFormat, type LogLevel, type LogStyle } from './log-style.ts';

export type { LogFormat, LogLevel } from './log-style.ts';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LogSettings extends LogStyle {
  readonly level: LogLevel;
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
  configure(settings: LogSettings): void;
}

/** Where lines go. */
export type Lines = Pick<LineBuffer, 'write' | 'isLosing' | 'lose'>;

export interface LogOptions extends LogSettings {
  readonly lines: Lines;
  /** Its lines are lost before those of other logs; default: false. */
  readonly isSpared?: boolean;
}

export function createLog({ lines, isSpared = false, ...first }: LogOptions): ConfigurableLog {
  let settings: LogSettings = first;
  const logger = winston.createLogger({
    level: settings.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: winston.format.printf(entry => lineOf(settings, entry)),
    transports: [new LineTransport(line => lines.write(`${line}\n`, isSpared))],
  });
  return {
    get format() {
      return settings.format;
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
      settings = next;
      logger.level = next.level;
    },
  };
}

/** The property in which winston keeps the formatted entry. */
const MESSAGE = Symbol.for('message');

/** Passes lines on at once; winston's own transport over a stream keeps each until the end of the turn. */
class LineTransport extends winston.transports.Stream {
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    super({ stream: new Writable() });
    this.#write = write;
  }

  override log(info: Readonly<Record<symbol, unknown>>, next: () => void): void {
    this.#write(String(info[MESSAGE]));
    next();
  }
}
