/**
 * Events of the mirror → log lines: whether other instances' sessions count, and why not.
 *
 * Place: a part of log-events.ts. Without them clients are served all the same, so nothing here is an error.
 */
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';

const NAMED = 3;

export function logMirror(source: EventSource, log: Log): void {
  source.on('mirror:changed', event => {
    const { mode, upstreams, others, reason, message } = event;
    const fields = { mode, upstreams: upstreams.join(' '), others, reason };
    const whose = upstreams.length > NAMED ? `${upstreams.length} upstreams` : upstreams.join(', ');
    if (mode === 'shared') {
      const seen = others === 1 ? '1 other instance is' : `${others} other instances are`;
      log.write(
        'info',
        'mirrorShared',
        `mirror: counts of ${whose} are shared through Redis; ${seen} there`,
        fields,
      );
      return;
    }
    const why = message ?? reason ?? 'unknown';
    log.write(
      'warn',
      'mirrorLocal',
      `mirror: counts of ${whose} are not shared, only this instance's own decide: ${why}`,
      { ...fields, message: why },
    );
  });
  source.on('mirror:renamed', event =>
    log.write(
      'warn',
      'mirrorRenamed',
      `mirror: another process is called ${event.from} as well; this one is ${event.to} from now on`,
      event,
    ),
  );
}
