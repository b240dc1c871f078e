/**
 * Events of single backends → log lines: what has happened to the backend, and what that means for its sessions.
 *
 * Place: a part of log-events.ts. An event that takes sessions away from a backend is a warning, unless an operator
 * wanted it.
 */
import { failureWords } from '../support/failure-words.ts';
import { counted } from '../support/counted.ts';
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';
import type { Seldom } from './seldom.ts';
import { seconds, type Spans } from './spans.ts';

export function logBackends(source: EventSource, log: Log, seldom: Seldom, spans: Spans): void {
  source.on('backend:up', event => {
    const { words, fields } = spans.end(nameOf(event));
    log.write('info', 'backendUp', `${nameOf(event)} is up${words}: ${event.reason}`, {
      ...event,
      ...fields,
    });
  });
  source.on('backend:down', event => {
    spans.begin(nameOf(event));
    log.write('warn', 'backendDown', `${nameOf(event)} is down: ${event.reason}`, event);
  });
  source.on('backend:checkFailed', event =>
    log.write(
      'debug',
      'checkFailed',
      `a health check of ${nameOf(event)} has failed (${event.inARow} of ${event.fall} in a row): ${event.reason}`,
      event,
    ),
  );
  source.on('backend:ejected', event =>
    log.write(
      'warn',
      'backendEjected',
      `${nameOf(event)} is ejected for ${seconds(event.forMs)} (${ordinal(event.times)} time): ${event.reason}`,
      event,
    ),
  );
  source.on('backend:trial', event =>
    log.write(
      'info',
      'backendTrial',
      `${nameOf(event)} is on trial: its ejection is over, and the next session tries it`,
      event,
    ),
  );
  source.on('backend:restored', event =>
    log.write('info', 'backendRestored', `${nameOf(event)} is no longer ejected: ${event.reason}`, event),
  );
  source.on('backend:stateSet', event => {
    const means = {
      ready: 'it may get sessions',
      drain: 'it gets no new sessions',
      maint: 'it gets no new sessions and is not checked',
    }[event.state];
    const by = SET_BY[event.by];
    log.write(
      'info',
      'backendStateSet',
      `${nameOf(event)} is set to ${event.state} by ${by}: ${means}`,
      event,
    );
  });
  source.on('backend:shareSet', event => {
    const { weight, percent, maxSessions, by } = event;
    const shares = [
      `weight ${weight}${percent === 100 ? '' : `, of which ${percent} % count`}`,
      maxSessions === undefined ? 'no maxSessions' : `maxSessions ${maxSessions}`,
    ];
    const message = `${nameOf(event)} has a new share, set by ${SET_BY[by]}: ${shares.join(', ')}`;
    log.write('info', 'backendShareSet', message, event);
  });
  source.on('backend:slowStart', event =>
    log.write(
      'info',
      'backendSlowStart',
      `${nameOf(event)} starts slowly: it has its whole share in ${seconds(event.forMs)}`,
      event,
    ),
  );
  source.on('backend:slowStartEnded', event =>
    log.write('info', 'backendSlowStartEnded', `${nameOf(event)} has its whole share`, event),
  );
  source.on('backend:added', event => log.write('info', 'backendAdded', `${nameOf(event)} is added`, event));
  source.on('backend:removed', event => {
    spans.forget(nameOf(event));
    const rest = `${counted(event.sessions, 'session')} ${event.sessions === 1 ? 'is' : 'are'} left`;
    log.write('info', 'backendRemoved', `${nameOf(event)} is removed: ${rest}`, event);
  });
  source.on('backend:connectFailed', ({ upstream, backend, reason, code, times }) =>
    seldom.tell(`connect ${upstream} ${backend} ${reason}`, times, others =>
      log.write(
        'warn',
        'connectFailed',
        `cannot connect to ${backend} of ${upstream}: ${failureWords({ reason, code })}${others.words}`,
        { upstream, backend, reason, code, ...others.fields },
      ),
    ),
  );
}

const SET_BY = {
  operator: 'an operator',
  agent: 'its agent',
  configuration: 'the configuration',
  source: 'its source',
} as const;

function nameOf({ upstream, backend }: { readonly upstream: string; readonly backend: string }): string {
  return `backend ${backend} of ${upstream}`;
}

/** 1st, 2nd, 3rd, 4th, 11th, 21st. */
function ordinal(count: number): string {
  const isTeen = Math.floor(count / 10) % 10 === 1;
  const ending = isTeen ? undefined : { 1: 'st', 2: 'nd', 3: 'rd' }[count % 10];
  return `${count}${ending ?? 'th'}`;
}
