/**
 * The logs of `lb4 run`: both go to standard error, through one buffer, so that their lines keep their order.
 *
 * Place: opened once the configuration is known, closed when all else has ended.
 */
import { performance } from 'node:perf_hooks';
import { isatty } from 'node:tty';
import type { Config } from '../config/schema/schema.ts';
import { LineBuffer } from '../observe/line-buffer.ts';
import { createLog, lossLine, type Log } from '../observe/log.ts';
import { openOutput } from '../observe/output.ts';
import { atExit } from '../support/at-exit.ts';
import { setKeepingTimer } from '../support/timer.ts';
import type { ExitCode } from './exit-codes.ts';

/** How long the last lines may take when everything else has ended. */
const LAST_LINES_MS = 1_000;

export interface RunLogs {
  readonly log: Log;
  /** For lines that an operator asks for: written whatever the level of the log is. */
  readonly askedFor: Log;
  /** The same, for sessions; undefined unless the configuration wants it. */
  readonly accessLog: Log | undefined;
  /** Called when the access log begins to lose its lines, so that they need only be counted, and when that ends. */
  onSparing(callback: (isSparing: boolean) => void): void;
  /** Writes what is left; does not return when a write in progress would keep the process alive. */
  end(exitCode: ExitCode): Promise<void>;
}

export function openLogs({ level, format: asked, access }: Config['log']): RunLogs {
  const format = asked ?? (isatty(2) ? 'text' : 'json');
  let onSparing: (isSparing: boolean) => void = () => undefined;
  const lines = new LineBuffer(openOutput(2), {
    now: () => performance.now(),
    setTimer: setKeepingTimer,
    lossLine: loss => lossLine(format, loss),
    onSparing: isSparing => onSparing(isSparing),
  });
  const stopFlushing = atExit(() => lines.flushNow());
  return {
    log: createLog({ level, format, lines }),
    askedFor: createLog({ level: 'info', format, lines }),
    accessLog: access ? createLog({ level: 'info', format, lines, isSpared: true }) : undefined,
    onSparing: callback => (onSparing = callback),
    end: async exitCode => {
      const isWritten = await lines.end(LAST_LINES_MS);
      stopFlushing();
      if (!isWritten) lines.endProcess(exitCode);
    },
  };
}
