/**
 * Events of upstreams as a whole → log lines: who gets the sessions now, and what to look at.
 *
 * Place: a part of log-events.ts. An error is what clients notice, or soon will.
 */
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';

export function logUpstreams(source: EventSource, log: Log): void {
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
  source.on('upstream:panic', event =>
    log.write(
      'error',
      'upstreamPanic',
      `upstream ${event.upstream} panics: ${wellOf(event)}, so health is ignored and all of them get sessions`,
      event,
    ),
  );
  source.on('upstream:panicEnded', event =>
    log.write(
      'info',
      'upstreamPanicEnded',
      `upstream ${event.upstream} panics no longer: ${event.well} of ${event.of} backends are well, and health counts again`,
      event,
    ),
  );
  source.on('upstream:backups', event => {
    const { upstream, backends } = event;
    const who =
      backends.length === 1 ? `backup ${backends[0] ?? ''} stands` : `${backends.length} backups stand`;
    log.write('warn', 'upstreamBackups', `upstream ${upstream} has no other backend left: ${who} in`, {
      upstream,
      backends: backends.join(' '),
    });
  });
  source.on('upstream:backupsEnded', event =>
    log.write(
      'info',
      'upstreamBackupsEnded',
      `upstream ${event.upstream} needs its backups no longer`,
      event,
    ),
  );
  source.on('upstream:queueing', event =>
    log.write(
      'warn',
      'upstreamQueueing',
      `upstream ${event.upstream} lets sessions wait: every backend is at its maxSessions`,
      event,
    ),
  );
  source.on('upstream:queueingEnded', event =>
    log.write(
      'info',
      'upstreamQueueingEnded',
      `upstream ${event.upstream} has had room for every session for a second`,
      event,
    ),
  );
}

function wellOf({ well, of }: { readonly well: number; readonly of: number }): string {
  if (well === 0) return `none of ${of} backends is well`;
  return `only ${well} of ${of} backends ${well === 1 ? 'is' : 'are'} well`;
}
