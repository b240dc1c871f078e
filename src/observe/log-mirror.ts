/**
 * Events of the mirror → log lines: whether other instances' sessions count, and why not.
 *
 * Place: a part of log-events.ts. Clients are served without the mirror, too, so no event here is an error.
 */
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';
import type { Spans } from './spans.ts';

const NAMED = 3;

export function logMirror(source: EventSource, log: Log, spans: Spans): void {
  source.on('mirror:changed', event => {
    const { mode, upstreams, others, reason, message } = event;
    const fields = { mode, upstreams: upstreams.join(' '), others, reason };
    const whose = upstreams.length > NAMED ? `${upstreams.length} upstreams` : upstreams.join(', ');
    if (mode === 'shared') {
      const lasted = longest(upstreams.map(upstream => spans.end(`local ${upstream}`)));
      const seen = others === 1 ? '1 other instance is' : `${others} other instances are`;
      log.write(
        'info',
        'mirrorShared',
        `mirror: counts of ${whose} are shared through Redis${lasted.words}; ${seen} there`,
        { ...fields, ...lasted.fields },
      );
      return;
    }
    for (const upstream of upstreams) spans.begin(`local ${upstream}`);
    const why = message ?? reason ?? 'unknown';
    log.write(
      'warn',
      'mirrorLocal',
      `mirror: counts of ${whose} are not shared, this instance uses only its own: ${why}`,
      { ...fields, message: why },
    );
  });
  source.on('mirror:renamed', event =>
    log.write(
      'warn',
      'mirrorRenamed',
      `mirror: another process is named ${event.from}, too; this instance is ${event.to} from now on`,
      event,
    ),
  );
}

/** Of upstreams that change together, the one that was local for longest. */
function longest(spans: readonly ReturnType<Spans['end']>[]): ReturnType<Spans['end']> {
  const [first = { words: '', fields: {} }] = spans.toSorted(
    (a, b) => (b.fields.forMs ?? -1) - (a.fields.forMs ?? -1),
  );
  return first;
}
