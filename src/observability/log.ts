/**
 * The log: one line per entry on stderr, as text for people or JSON for machines, through winston.
 *
 * Place: made by the command line only; the library emits events and forces no logger on anybody.
 * Shape of a JSON line: `time` (ISO 8601, UTC), `level`, `event` (stable, for machines), `message` (for people,
 * may change), then the entry's own fields.
 */
import winston from 'winston';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'text' | 'json';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  readonly format: LogFormat;
  /** `message` is for people; a JSON line without one (undefined) has its fields only. */
  write(level: LogLevel, event: string, message: string | undefined, fields?: LogFields): void;
  /** Resolves when everything written has been handed to the stream. */
  end(): Promise<void>;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly stream: NodeJS.WritableStream;
}

export function createLog({ level, format, stream }: LogOptions): Log {
  const logger = winston.createLogger({
    level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: format === 'json' ? jsonLine : textLine,
    transports: [new winston.transports.Stream({ stream })],
  });
  return {
    format,
    write(entryLevel, event, message, fields) {
      // winston formats an entry before it looks at the level (winstonjs/winston#1669).
      if (!logger.isLevelEnabled(entryLevel)) return;
      logger.log({ ...fields, level: entryLevel, message: message ?? '', event });
    },
    end: () =>
      new Promise(resolve => {
        logger.once('finish', resolve);
        logger.end();
      }),
  };
}

const jsonLine = winston.format.printf(({ level, message, event, ...fields }) =>
  JSON.stringify({
    time: timestamp(),
    level,
    event,
    message: message === '' ? undefined : message,
    ...fields,
  }),
);

const textLine = winston.format.printf(
  ({ level, message }) => `${timestamp()} ${level.padEnd(5)} ${String(message)}`,
);

function timestamp(): string {
  return new Date().toISOString();
}
