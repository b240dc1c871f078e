/**
 * Events of listeners → log lines: where they accept, when and why clients have to wait, and when they do not listen.
 *
 * Place: a part of log-events.ts. A listener at its limit pauses and resumes with every session that ends; the log
 * treats that as one pause until the listener has accepted for a second.
 */
import type { EventMap } from '../model/events.ts';
import { counted } from '../support/counted.ts';
import type { SetTimer } from '../support/timer.ts';
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';
import type { Seldom } from './seldom.ts';
import { seconds } from './spans.ts';

const QUIET_MS = 1_000;
/** Workers check their sockets once a second. */
const MENDED_QUIET_MS = 2_000;

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
    // For another reason than before, possibly by turns.
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
  logBroken(source, log, setTimer);
  source.on('listener:stopped', ({ listener, upstream, kept }) => {
    const rest =
      kept === undefined
        ? 'stops listening'
        : `would stop listening, but the sockets of ${kept.join(', ')} are not lb4's own: clients there are refused`;
    log.write(
      'warn',
      'listenerStopped',
      `listener ${listener} ${rest}: upstream ${upstream} has no backend`,
      {
        ...{ listener, upstream },
        ...(kept === undefined ? {} : { kept: kept.join(' ') }),
      },
    );
  });
  source.on('listener:notBack', event =>
    seldom.tell(`not back ${event.listener}`, 1, others =>
      log.write(
        'error',
        'listenerNotBack',
        `listener ${event.listener} cannot listen again: ${event.reason}; lb4 goes on trying${others.words}`,
        { ...event, ...others.fields },
      ),
    ),
  );
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
  source.on('listener:answersDenied', event => {
    const { listener, how } = event;
    const message =
      how === 'reset'
        ? 'gets a reset, because without the C library there is no other way'
        : 'gets a reset that does not pass the first router, because lb4 has no CAP_NET_ADMIN';
    log.write('warn', 'deniedAnswered', `listener ${listener}: a client that it drops ${message}`, event);
  });
  source.on('listener:refused', event => {
    const { listener, reason, clientAddress, dryRun, code, times } = event;
    const detail = code === undefined ? '' : ` (${code})`;
    const what = dryRun ? 'would have refused' : 'refused';
    seldom.tell(`refused ${listener} ${reason} ${dryRun}`, times, others =>
      log.write(
        'warn',
        'clientRefused',
        `listener ${listener} ${what} ${clientAddress || 'a client'}: ${reason}${detail}${others.words}`,
        {
          ...{ listener, reason, client: clientAddress, dryRun },
          ...(code === undefined ? {} : { code }),
          ...others.fields,
        },
      ),
    );
  });
}

/** An address that breaks in one worker after the other, or again at once, is reported once. */
function logBroken(source: EventSource, log: Log, setTimer: SetTimer): void {
  const broken = new Map<string, { readonly code: string | undefined; cancelEnd: () => void }>();
  source.on('listener:broken', event => {
    const { listener, address, code } = event;
    const before = broken.get(address);
    before?.cancelEnd();
    broken.set(address, { code, cancelEnd: () => undefined });
    if (before !== undefined && before.code === code) return;
    const what = code === undefined ? 'it is made to listen again' : `it cannot listen again yet (${code})`;
    const message = `listener ${listener} was made to stop listening on ${address}, and clients were refused: ${what}`;
    log.write('error', 'listenerBroken', message, event);
  });
  source.on('listener:mended', event => {
    const was = broken.get(event.address);
    if (was === undefined) return;
    was.cancelEnd = setTimer(() => {
      broken.delete(event.address);
      const message = `listener ${event.listener} listens on ${event.address} again`;
      log.write('info', 'listenerMended', message, event);
    }, MENDED_QUIET_MS);
  });
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
    case 'listenerRate':
      return 'clients come faster than its rate; new clients wait';
    case 'localResources':
      return 'no descriptor or memory is left for a connection; new clients wait';
  }
}
