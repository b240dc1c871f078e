/**
 * The upgrader of `lb4 run`, with the real process.
 *
 * Place: a part of run.ts.
 * What is started: the same Node with the same arguments. The path of the program is the one that was typed, so that a
 * symbolic link leads to the version that it points to now.
 */
import { spawn } from 'node:child_process';
import { Writable } from 'node:stream';
import type { LoadBalancer } from '../../load-balancer.ts';
import { loadLibc } from '../../linux/libc.ts';
import type { Log } from '../../observe/log.ts';
import { setUnrefTimer } from '../../support/timer.ts';
import type { Admin } from '../serve-admin.ts';
import { FROM, HELLO_FD, type Leaving } from './messages.ts';
import { Newcomer, NEWCOMER_TIMES } from './newcomer.ts';
import { Upgrader } from './upgrader.ts';

export interface UpgradedRun {
  readonly balancer: LoadBalancer;
  readonly admin: () => Admin | undefined;
  readonly onHandedOver: (pid: number) => void;
  readonly drain: () => void;
  readonly log: Log;
}

export function createUpgrader({ balancer, admin, onHandedOver, drain, log }: UpgradedRun): Upgrader {
  return new Upgrader({
    ...{ balancer, onHandedOver, drain, log },
    pid: process.pid,
    obstacle: () => {
      const loaded = loadLibc();
      return loaded.ok ? undefined : `sockets cannot be handed over without the C library: ${loaded.reason}`;
    },
    admin: {
      toHandOver: () => admin()?.toHandOver() ?? [],
      handOver: taken => admin()?.handOver(taken),
    },
    start: startNewcomer,
  });
}

function startNewcomer({ message, fds }: Leaving): Newcomer {
  const { execPath, execArgv, argv, pid } = process;
  const env: NodeJS.ProcessEnv = { ...process.env, [FROM]: String(pid) };
  // It is the watchdog's process from then on.
  delete env['WATCHDOG_PID'];
  const child = spawn(execPath, [...execArgv, ...argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'pipe', ...fds],
    env,
  });
  // Without a process there may be no streams either, and 'error' follows.
  const pipe = child.pid === undefined ? undefined : child.stdio[HELLO_FD];
  // What goes wrong here shows in its exit.
  pipe?.on('error', () => undefined);
  if (pipe instanceof Writable) pipe.end(JSON.stringify(message));
  return new Newcomer(child, setUnrefTimer, timesHere());
}

/** Tests do not wait for a minute. */
function timesHere(): typeof NEWCOMER_TIMES {
  const ms = Number(process.env['LB4_TEST_UPGRADE_MS'] ?? NaN);
  return ms > 0 ? { readyMs: ms, graceMs: ms } : NEWCOMER_TIMES;
}
