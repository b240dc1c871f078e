/**
 * The logs of `lb4 run`, over the real clock, descriptors and sockets.
 *
 * Place: opened once the configuration is known, configured again by a reload, closed when all else has ended.
 */
import { performance } from 'node:perf_hooks';
import { isatty } from 'node:tty';
import { openLogs, type LogConfig, type Logs } from '../observe/logs.ts';
import { createSystemSinks } from '../linux/log-sinks.ts';
import { setKeepingTimer } from '../support/timer.ts';
import type { ExitCode } from './exit-codes.ts';
import { journalPrefix } from './systemd/journal.ts';

export interface RunLogs extends Omit<Logs, 'end' | 'endProcess'> {
  /** Writes what is left; does not return when a write in progress would keep the process alive. */
  end(exitCode: ExitCode): Promise<void>;
}

/** @param baseDir where relative paths of the configuration begin */
export function openRunLogs(config: LogConfig, baseDir: string): RunLogs {
  const logs = openLogs(config, {
    now: () => performance.now(),
    random: () => Math.random(),
    setTimer: setKeepingTimer,
    ...{ baseDir, env: process.env, pid: process.pid },
    isTerminal: () => isatty(2),
    prefixOf: journalPrefix(),
    ...createSystemSinks(),
  });
  return {
    ...logs,
    end: async exitCode => {
      if (!(await logs.end())) logs.endProcess(exitCode);
    },
  };
}
