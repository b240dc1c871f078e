/**
 * Events → log lines. Those of backends, upstreams and the mirror are in log-backends.ts, log-upstreams.ts and log-mirror.ts.
 *
 * Place: a subscriber; removing it changes nothing else. State changes are logged once each; what can happen a
 * thousand times a second (failed connects, a listener at its limit) at most once per key and 10 seconds.
 */
import type { EventSource } from './event-source.ts';
import { logBackends } from './log-backends.ts';
import { logMirror } from './log-mirror.ts';
import { logUpstreams } from './log-upstreams.ts';
import type { Log } from './log.ts';
import { createSeldom } from './seldom.ts';

export function logEvents(source: EventSource, log: Log, now: () => number): void {
  const seldom = createSeldom(now);
  logBackends(source, log, seldom);
  logUpstreams(source, log);
  logMirror(source, log);

  source.on('listener:listening', event =>
    log.write('info', 'listening', `listener ${event.listener} accepts on ${event.address}`, event),
  );
  source.on('listener:paused', event => {
    const why = {
      listenerLimit: 'it is at its maxSessions',
      instanceLimit: 'all listeners together are at their limit of sessions',
      localResources: 'this machine has no descriptor or memory left for a connection',
    }[event.reason];
    seldom(`paused ${event.listener} ${event.reason}`, more =>
      log.write(
        'warn',
        'listenerPaused',
        `listener ${event.listener} lets clients wait: ${why}${more}`,
        event,
      ),
    );
  });
  source.on('listener:turnedAway', event =>
    seldom(`turned away ${event.listener}`, more =>
      log.write(
        'warn',
        'clientTurnedAway',
        `listener ${event.listener} reset a client: too many wait already${more}`,
        event,
      ),
    ),
  );
  source.on('strategy:failed', event =>
    seldom(`strategy ${event.upstream} ${event.reason}`, more =>
      log.write(
        'error',
        'strategyFailed',
        `the strategy of ${event.upstream} failed, a backend was drawn at random: ${event.reason}${more}`,
        event,
      ),
    ),
  );
  source.on('engine:chosen', event => {
    if (event.reason === undefined) return;
    // On other systems nobody expects more.
    const level = process.platform === 'linux' ? 'warn' : 'info';
    const fields = { engine: event.engine, workers: event.workers, reason: event.reason };
    log.write(
      level,
      'engineChosen',
      `engine ${event.engine}, ${event.workers} workers; ${event.reason}`,
      fields,
    );
  });
  source.on('worker:exited', event => {
    const { worker, reason, sessions, restartInMs } = event;
    const then =
      restartInMs === undefined ? 'it is not started again' : `it starts again in ${restartInMs} ms`;
    log.write(
      'error',
      'workerExited',
      `worker ${worker} has died with ${sessions} sessions: ${reason}; ${then}`,
      { worker, reason, sessions, restartInMs },
    );
  });
  source.on('worker:restarted', event =>
    log.write('info', 'workerRestarted', `worker ${event.worker} accepts again`, event),
  );
  source.on('worker:stalled', event =>
    log.write(
      'error',
      'workerStalled',
      `worker ${event.worker} has not moved for ${Math.round(event.forMs / 100) / 10} s: something blocks its thread`,
      event,
    ),
  );
  source.on('worker:resumed', event =>
    log.write('info', 'workerResumed', `worker ${event.worker} moves again`, event),
  );
  source.on('drain:started', event =>
    log.write(
      'info',
      'drainStarted',
      `draining: no new clients, ${event.sessions} sessions have ${event.timeoutMs / 1000} s to end`,
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
