/**
 * Events of upstreams as a whole → log lines: which backends get the sessions now, and what to look at.
 *
 * Place: a part of log-events.ts. An event that clients notice, or soon will, is an error.
 */
import { counted } from '../support/counted.ts';
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';
import type { Seldom } from './seldom.ts';
import { seconds, type Spans } from './spans.ts';

export function logUpstreams(source: EventSource, log: Log, seldom: Seldom, spans: Spans): void {
  source.on('upstream:down', event => {
    spans.begin(`down ${event.upstream}`);
    const message = `upstream ${event.upstream} has no backend left: clients are turned away`;
    log.write('error', 'upstreamDown', message, event);
  });
  source.on('upstream:up', event => {
    const { words, fields } = spans.end(`down ${event.upstream}`);
    const message = `upstream ${event.upstream} has a backend again${words}`;
    log.write('info', 'upstreamUp', message, { ...event, ...fields });
  });
  source.on('upstream:panic', event => {
    spans.begin(`panic ${event.upstream}`);
    const message = `upstream ${event.upstream} panics: ${wellOf(event)}; health is ignored, and all backends get sessions`;
    log.write('error', 'upstreamPanic', message, event);
  });
  source.on('upstream:panicEnded', event => {
    const { upstream, well, of } = event;
    const { words, fields } = spans.end(`panic ${upstream}`);
    const message = `upstream ${upstream} panics no longer${words}: ${well} of ${counted(of, 'backend')} ${well === 1 ? 'is' : 'are'} well, and health counts again`;
    log.write('info', 'upstreamPanicEnded', message, { ...event, ...fields });
  });
  source.on('upstream:backups', ({ upstream, backends }) => {
    spans.begin(`backups ${upstream}`);
    const who =
      backends.length === 1 ? `backup ${backends[0] ?? ''} stands` : `${backends.length} backups stand`;
    const message = `upstream ${upstream} has no other backend left: ${who} in`;
    log.write('warn', 'upstreamBackups', message, { upstream, backends: backends.join(' ') });
  });
  source.on('upstream:backupsEnded', event => {
    const { words, fields } = spans.end(`backups ${event.upstream}`);
    const message = `upstream ${event.upstream} needs its backups no longer${words}`;
    log.write('info', 'upstreamBackupsEnded', message, { ...event, ...fields });
  });
  source.on('upstream:queueing', event => {
    const message = `upstream ${event.upstream} queues sessions: every backend, or the upstream as a whole, is at its maxSessions`;
    log.write('warn', 'upstreamQueueing', message, event);
  });
  source.on('upstream:queueingEnded', event => {
    const { upstream, forMs, longestMs } = event;
    const message = `upstream ${upstream} has room for every session again after ${seconds(forMs)}: the longest wait was ${seconds(longestMs)}`;
    log.write('info', 'upstreamQueueingEnded', message, event);
  });
  source.on('source:failed', event => {
    const { upstream, reason, kept } = event;
    const message = `${event.source} of upstream ${upstream} fails: ${reason}; the ${counted(kept, 'backend')} that it named last stay${kept === 1 ? 's' : ''}`;
    log.write('warn', 'sourceFailed', message, event);
  });
  source.on('source:recovered', event => {
    const message = `${event.source} of upstream ${event.upstream} answers again after ${seconds(event.forMs)}`;
    log.write('info', 'sourceRecovered', message, event);
  });
  source.on('strategy:failed', ({ upstream, reason, times }) =>
    // The key leaves out the reason, whose words may differ each time.
    seldom.tell(`strategy ${upstream}`, times, others =>
      log.write(
        'error',
        'strategyFailed',
        `the strategy of ${upstream} failed, a backend was drawn at random: ${reason}${others.words}`,
        { upstream, reason, ...others.fields },
      ),
    ),
  );
}

function wellOf({ well, of }: { readonly well: number; readonly of: number }): string {
  if (well === 0) return `none of ${counted(of, 'backend')} is well`;
  return `only ${well} of ${counted(of, 'backend')} ${well === 1 ? 'is' : 'are'} well`;
}
