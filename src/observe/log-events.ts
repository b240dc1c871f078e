/**
 * Events → log lines: the subscribers, by what they are about.
 *
 * Place: a subscriber; removing it changes nothing else. State changes are logged once each, and the end of a state
 * says how long it lasted; events that can occur a thousand times a second (failed connects) are held back, unless the
 * level is debug.
 */
import type { SetTimer } from '../support/timer.ts';
import type { EventSource } from './event-source.ts';
import { logBackends } from './log-backends.ts';
import { logCertificates } from './log-certificates.ts';
import { logListeners } from './log-listeners.ts';
import { logMirror } from './log-mirror.ts';
import { logUpstreams } from './log-upstreams.ts';
import { logWorkers } from './log-workers.ts';
import type { Log } from './log.ts';
import { Seldom } from './seldom.ts';
import { Spans } from './spans.ts';

export interface LogEventsDeps {
  now(): number;
  readonly setTimer: SetTimer;
}

/** Returns a function to be called at the end: it reports what was held back. */
export function logEvents(source: EventSource, log: Log, deps: LogEventsDeps): () => void {
  const { setTimer } = deps;
  const now = (): number => deps.now();
  const seldom = new Seldom({ now, setTimer, isOff: () => log.isEnabled('debug') });
  const spans = new Spans(now);
  logWorkers(source, log, spans);
  logListeners(source, log, { seldom, now, setTimer });
  logCertificates(source, log);
  logUpstreams(source, log, seldom, spans);
  logBackends(source, log, seldom, spans);
  logMirror(source, log, spans);
  return () => seldom.end();
}
