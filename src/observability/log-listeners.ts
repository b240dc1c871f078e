/**
 * Events of listeners → log lines: where they accept, and when and why clients have to wait.
 *
 * Place: a part of log-events.ts. A listener at its limit pauses and goes on with every session that ends; that is one
 * pause until it has gone on for a second.
 */
import type { EventMap } from '../events.ts';
import { counted } from '../support/counted.ts';
import type { SetTimer } from '../support/timer.ts';
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';
import type { Seldom } from './seldom.ts';
import { seconds } from './spans.ts';

const QUIET_MS = 1_000;

interface Pause {
  readonly sinceMs: number;
  readonly reason: Paused['reason'];
  cancelEnd: () => void;
}

type Paused = EventMap['listener:paused'];

export interface LogListenersDeps {
  readonly seldom: Seldom;
  now(): number;
  readonly setTimer: SetTimer;
}

export function logListeners(source: EventSource, log: Log, deps: LogListenersDeps): void {
  const { seldom, setTimer } = deps;
  const pauses = new Map<string, Pause>();

  source.on('listener:listening', event =>
    log.write(
      'info',
      'listening',
      `listener ${event.listener} accepts on ${event.address}, for upstream ${event.upstream}`,
      event,
    ),
  );
  source.on('listener:paused', event => {
    const { listener, reason } = event;
    const before = pauses.get(listener);
    before?.cancelEnd();
    if (before?.reason === reason) return;
    pauses.set(listener, { sinceMs: before?.sinceMs ?? deps.now(), reason, cancelEnd: () => undefined });
    const message = `listener ${listener} paused: ${whyPaused(event)}`;
    // For another reason than before, and maybe by turns.
    if (before === undefined) log.write('warn', 'listenerPaused', message, event);
    else
      seldom.tell(`paused ${listener} ${reason}`, 1, others =>
        log.write('warn', 'listenerPaused', `${message}${others.words}`, { ...event, ...others.fields }),
      );
  });
  source.on('listener:resumed', ({ listener }) => {
    const pause = pauses.get(listener);
    if (pause === undefined) return;
    pause.cancelEnd();
    const forMs = Math.round(deps.now() - pause.sinceMs);
    pause.cancelEnd = setTimer(() => {
      pauses.delete(listener);
      const message = `listener ${listener} takes clients again: some may have waited for up to ${seconds(forMs)}`;
      log.write('info', 'listenerResumed', message, { listener, forMs });
    }, QUIET_MS);
  });
  source.on('listener:turnedAway', event =>
    seldom.tell(`turned away ${event.listener}`, event.times, others =>
      log.write(
        'warn',
        'clientTurnedAway',
        `listener ${event.listener} reset a client: too many wait already${others.words}`,
        { listener: event.listener, ...others.fields },
      ),
    ),
  );
}

function whyPaused({ reason, maxSessions, descriptorLimit, descriptorsNeeded }: Paused): string {
  const sessions = counted(maxSessions ?? 0, 'session');
  switch (reason) {
    case 'listenerLimit':
      return `${sessions}, its limit; new clients wait`;
    case 'instanceLimit':
      if (descriptorLimit === undefined) {
        return `${sessions}, the limit of all listeners together; new clients wait`;
      }
      return `${sessions}, all that the limit of ${descriptorLimit} descriptors allows (ulimit -n${
        descriptorsNeeded === undefined ? '' : `; ${descriptorsNeeded} would do`
      }); new clients wait`;
    case 'localResources':
      return 'no descriptor or memory is left for a connection; new clients wait';
  }
}
