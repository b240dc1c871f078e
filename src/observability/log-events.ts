/**
 * Events → log lines.
 *
 * Place: a subscriber; removing it changes nothing else. State changes are logged once each; what can happen a
 * thousand times a second (failed connects, a listener at its limit) at most once per key and 10 seconds.
 */
import type { EventMap, EventName } from '../events.ts';
import type { Log } from './log.ts';

const QUIET_MS = 10_000;
const MAX_KEYS = 10_000;

/** The part of `LoadBalancer` that observers need. */
export interface EventSource {
  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void;
}

export function logEvents(source: EventSource, log: Log, now: () => number): void {
  const seldom = createSeldom(now);

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
  source.on('backend:up', event =>
    log.write(
      'info',
      'backendUp',
      `backend ${event.backend} of ${event.upstream} is up: ${event.reason}`,
      event,
    ),
  );
  source.on('backend:down', event =>
    log.write(
      'warn',
      'backendDown',
      `backend ${event.backend} of ${event.upstream} is down: ${event.reason}`,
      event,
    ),
  );
  source.on('upstream:down', event =>
    log.write(
      'error',
      'upstreamDown',
      `upstream ${event.upstream} has no backend left: clients are turned away`,
      event,
    ),
  );
  source.on('upstream:up', event =>
    log.write('info', 'upstreamUp', `upstream ${event.upstream} has a backend again`, event),
  );
  source.on('backend:connectFailed', event =>
    seldom(`connect ${event.upstream} ${event.backend} ${event.reason}`, more =>
      log.write(
        'warn',
        'connectFailed',
        `cannot connect to ${event.backend} of ${event.upstream}: ${event.reason} (${event.code})${more}`,
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
      `worker ${event.worker} has not moved for ${event.forMs / 1000} s: something blocks its thread`,
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

/** Lets one entry per key and quiet time through, with the number of those held back since. */
function createSeldom(now: () => number): (key: string, write: (more: string) => void) => void {
  const entries = new Map<string, { atMs: number; heldBack: number }>();
  return (key, write) => {
    // A key may contain a strategy's own words, so there is no telling how many there will be.
    if (entries.size > MAX_KEYS) entries.clear();
    const entry = entries.get(key);
    if (entry !== undefined && now() - entry.atMs < QUIET_MS) {
      entry.heldBack += 1;
      return;
    }
    entries.set(key, { atMs: now(), heldBack: 0 });
    write(entry === undefined || entry.heldBack === 0 ? '' : ` (and ${entry.heldBack} times more before)`);
  };
}
