/**
 * The line that says that lb4 has started, and with what.
 *
 * Place: a part of run.ts.
 */
import type { LoadBalancer } from '../load-balancer.ts';
import type { Log } from '../observe/log.ts';
import { counted } from '../support/counted.ts';
import { threadsText } from './threads-text.ts';
import { version } from './version.ts';

/** What `engine:chosen` says beside the snapshot. */
export interface ChosenEngine {
  readonly coreLimit?: string;
  readonly ffi?: string;
}

export function logStarted(balancer: LoadBalancer, { coreLimit, ffi }: ChosenEngine, log: Log): void {
  const { engine, workers, maxSessions } = balancer.snapshot();
  const fields = {
    version: version(),
    engine,
    ffi,
    workers: workers.length,
    pid: process.pid,
    maxSessions,
    coreLimit,
  };
  const most = maxSessions === undefined ? '' : `, at most ${maxSessions} sessions at once`;
  const why = coreLimit === undefined ? '' : ` (${coreLimit})`;
  const threads = `${fields.workers === 0 ? counted(0, 'worker') : threadsText(engine, workers)}${why}`;
  const over = engine === 'epoll' && ffi !== undefined ? ` over ${ffi}` : '';
  const message = `lb4 ${fields.version} has started: engine ${engine}${over}, ${threads}, pid ${fields.pid}${most}`;
  log.write('info', 'started', message, fields);
}
