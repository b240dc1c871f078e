/**
 * Events of the engine, of workers and of the end → log lines.
 *
 * Place: a part of log-events.ts.
 */
import { counted } from '../support/counted.ts';
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';
import { seconds, type Spans } from './spans.ts';

export function logWorkers(source: EventSource, log: Log, spans: Spans): void {
  source.on('engine:chosen', event => {
    if (event.reason === undefined) return;
    // On other systems epoll is not expected.
    const level = process.platform === 'linux' ? 'warn' : 'info';
    const fields = { engine: event.engine, workers: event.workers, reason: event.reason };
    log.write(
      level,
      'engineChosen',
      `engine ${event.engine}, ${counted(event.workers, 'worker')}; ${event.reason}`,
      fields,
    );
  });
  source.on('workers:added', event =>
    log.write(
      'info',
      'workersAdded',
      `${counted(event.workers, 'more worker')} with the ${event.engine} engine, for listeners with TLS`,
      event,
    ),
  );
  source.on('descriptors:short', event => {
    const { maxSessions, allowed, descriptorLimit, descriptorsNeeded } = event;
    const message = `maxSessions is ${maxSessions}, but the limit of ${descriptorLimit} descriptors allows ${allowed}: raise it (ulimit -n, LimitNOFILE) to ${descriptorsNeeded}`;
    log.write('warn', 'descriptorsShort', message, event);
  });
  source.on('worker:exited', event => {
    const { worker, reason, sessions, restartInMs } = event;
    spans.forget(`stalled ${worker}`);
    const then =
      restartInMs === undefined ? 'it is not started again' : `it starts again in ${restartInMs} ms`;
    log.write(
      'error',
      'workerExited',
      `worker ${worker} has died with ${counted(sessions, 'session')}: ${reason}; ${then}`,
      { worker, reason, sessions, restartInMs },
    );
  });
  source.on('worker:restarted', event =>
    log.write('info', 'workerRestarted', `worker ${event.worker} accepts again`, event),
  );
  source.on('worker:stalled', event => {
    spans.begin(`stalled ${event.worker}`, event.forMs);
    const message = `worker ${event.worker} has not moved for ${seconds(event.forMs)}: something blocks its thread`;
    log.write('error', 'workerStalled', message, event);
  });
  source.on('worker:resumed', event => {
    const lasted = spans.end(`stalled ${event.worker}`);
    log.write('info', 'workerResumed', `worker ${event.worker} moves again${lasted.words}`, {
      ...event,
      ...lasted.fields,
    });
  });
  source.on('drain:delayed', event =>
    log.write(
      'info',
      'drainDelayed',
      `leaving: not ready any more, and still accepting clients for ${seconds(event.delayMs)}`,
      event,
    ),
  );
  source.on('drain:started', event =>
    log.write(
      'info',
      'drainStarted',
      `draining: no new clients, ${counted(event.sessions, 'session')} ${event.sessions === 1 ? 'has' : 'have'} ${event.timeoutMs / 1000} s to end`,
      event,
    ),
  );
  source.on('drain:ended', event =>
    log.write(
      'info',
      'drainEnded',
      `drained: every session has ended, ${event.aborted} of them reset`,
      event,
    ),
  );
}
