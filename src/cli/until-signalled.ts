/**
 * What signals do to a running lb4, and what else can end it.
 *
 * Place: a part of run.ts.
 */
import type { LoadBalancer } from '../load-balancer.ts';
import { logSnapshot } from '../observe/log-snapshot.ts';
import { counted } from '../support/counted.ts';
import { exitAtOnce } from './exit-at-once.ts';
import { EXIT } from './exit-codes.ts';
import type { RunLogs } from './run-logs.ts';
import type { Signals } from './signals.ts';

/** How long a stop may take: a start in progress may hang, for example in a strategy that never finishes loading. */
const STOP_MS = 5_000;

/** What can be asked for beside signals; filled in by `untilSignalled`. */
export interface Operator {
  drain(timeoutMs?: number): void;
}

export interface SignalledRun {
  readonly logs: Pick<RunLogs, 'log' | 'askedFor' | 'reopen' | 'figures'>;
  reload(): void;
  upgrade(): void;
  /** Ends a process that was about to take over. */
  abortUpgrade(): void;
}

/**
 * Drains at the first signal, also during the start, stops at the second; resolves when it has ended. A drain that the
 * admin API or an upgrade has begun goes on at the first signal: a service manager sends one after that, and it must not
 * cut sessions.
 */
export async function untilSignalled(
  balancer: LoadBalancer,
  run: SignalledRun,
  signals: Signals,
  operator: Operator,
): Promise<void> {
  const { logs } = run;
  const { log, askedFor } = logs;
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      log.write('info', 'stopping', 'stopping now: every session is reset');
      run.abortUpgrade();
      balancer.stop().then(resolve, reject);
      setTimeout(endTooLate, STOP_MS).unref();
    };
    const endTooLate = (): void => {
      log.write('error', 'stopTooLate', `lb4 has not stopped within ${STOP_MS / 1000} s and ends now`);
      exitAtOnce(EXIT.failure);
    };
    const drain = (timeoutMs?: number): void => {
      if (balancer.state === 'starting') {
        log.write('info', 'stopping', 'stopping: lb4 was still starting');
        setTimeout(() => {
          if (balancer.state === 'starting') endTooLate();
        }, STOP_MS).unref();
      }
      run.abortUpgrade();
      balancer.drain(timeoutMs).then(resolve, reject);
    };
    const join = (): void => {
      const { sessions } = balancer.snapshot();
      const message = `stopping: a drain is under way already and goes on, with ${counted(sessions, 'session')}; another signal ends it now`;
      log.write('info', 'stopping', message, { sessions });
    };
    operator.drain = drain;
    signals.handle({
      drain: () => {
        if (balancer.state === 'leaving' || balancer.state === 'draining') join();
        else if (balancer.state === 'new' || balancer.state === 'stopped') stop();
        else drain();
      },
      stop,
      hangUp: () => run.reload(),
      report: () => {
        logs.reopen();
        logSnapshot(balancer.snapshot(), askedFor, logs.figures());
      },
      upgrade: () => run.upgrade(),
    });
  });
}
