/**
 * The logs of `lb4 run`: both go to standard error, through one buffer, so that their lines keep their order.
 *
 * Place: opened once the configuration is known, configured again by a reload, closed when all else has ended.
 */
import { performance } from 'node:perf_hooks';
import { isatty } from 'node:tty';
import type { Config } from '../config/schema/schema.ts';
import { logSessions } from '../observe/access-log.ts';
import type { EventSource } from '../observe/event-source.ts';
import { LineBuffer } from '../observe/line-buffer.ts';
import { createLog, lossLine, type Log, type LogFormat } from '../observe/log.ts';
import { openOutput } from '../observe/output.ts';
import { atExit } from '../support/at-exit.ts';
import { setKeepingTimer } from '../support/timer.ts';
import type { ExitCode } from './exit-codes.ts';
import { journalPrefix } from './systemd/journal.ts';

/** How long the last lines may take when everything else has ended. */
const LAST_LINES_MS = 1_000;

type LogConfig = Config['log'];

export interface RunLogs {
  readonly log: Log;
  /** For lines that an operator asks for: written whatever the level of the log is. */
  readonly askedFor: Log;
  /** Logs sessions, as far as the configuration wants it. */
  follow(sessions: EventSource): void;
  /** Takes over another configuration. */
  configure(config: LogConfig): void;
  /** Called when the access log begins to lose its lines, so that they need only be counted, and when that ends. */
  onSparing(callback: (isSparing: boolean) => void): void;
  /** Writes what is left; does not return when a write in progress would keep the process alive. */
  end(exitCode: ExitCode): Promise<void>;
}

export function openLogs(first: LogConfig): RunLogs {
  let config = first;
  let sessions: EventSource | undefined;
  let endSessions: () => void = () => undefined;
  const prefixOf = journalPrefix();
  let onSparing: (isSparing: boolean) => void = () => undefined;
  const lines = new LineBuffer(openOutput(2), {
    now: () => performance.now(),
    setTimer: setKeepingTimer,
    lossLine: loss => lossLine(formatOf(config), loss, prefixOf('warn')),
    onSparing: isSparing => onSparing(isSparing),
  });
  const stopFlushing = atExit(() => lines.flushNow());
  const style = (): { level: LogConfig['level']; format: LogFormat } => ({
    level: config.level,
    format: formatOf(config),
  });
  const log = createLog({ ...style(), lines, prefixOf });
  const askedFor = createLog({ ...style(), level: 'info', lines, prefixOf });
  const accessLog = createLog({ ...style(), level: 'info', lines, prefixOf, isSpared: true });
  const followSessions = (): void => {
    endSessions();
    endSessions = () => undefined;
    if (sessions === undefined) return;
    if (config.access) endSessions = logSessions(sessions, accessLog);
    else if (log.isEnabled('debug')) endSessions = logSessions(sessions, log, 'debug');
  };
  return {
    log,
    askedFor,
    follow(source) {
      sessions = source;
      followSessions();
    },
    configure(next) {
      config = next;
      log.configure(style());
      for (const each of [askedFor, accessLog]) each.configure({ ...style(), level: 'info' });
      followSessions();
    },
    onSparing: callback => (onSparing = callback),
    end: async exitCode => {
      const isWritten = await lines.end(LAST_LINES_MS);
      stopFlushing();
      if (!isWritten) lines.endProcess(exitCode);
    },
  };
}

function formatOf({ format }: LogConfig): LogFormat {
  return format ?? (isatty(2) ? 'text' : 'json');
}
