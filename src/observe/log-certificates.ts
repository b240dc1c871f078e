/**
 * Events of certificates → log lines: renewed, refused, about to expire.
 *
 * Place: a part of log-events.ts.
 */
import type { EventMap } from '../model/events.ts';
import { counted } from '../support/counted.ts';
import type { EventSource } from './event-source.ts';
import type { Log } from './log.ts';

const NAMES_SHOWN = 4;

type Words = EventMap['certificate:renewed'];

export function logCertificates(source: EventSource, log: Log): void {
  source.on('certificate:renewed', event =>
    log.write(
      'info',
      'certificateRenewed',
      `${placeOf(event)}: new certificate from ${event.file} for ${namesOf(event)}, valid until ${event.notAfter}`,
      fieldsOf(event),
    ),
  );
  source.on('certificate:refused', event =>
    log.write(
      'error',
      'certificateRefused',
      `changed files of certificates cannot be used, what was in use stays in use: ${event.reason}`,
      event,
    ),
  );
  source.on('certificate:expiring', event => {
    const { daysLeft, notAfter } = event;
    const what = `${placeOf(event)}: the certificate from ${event.file} for ${namesOf(event)}`;
    const fields = { ...fieldsOf(event), daysLeft };
    if (daysLeft < 0) log.write('error', 'certificateExpired', `${what} has expired (${notAfter})`, fields);
    else
      log.write(
        'warn',
        'certificateExpiring',
        `${what} expires in ${counted(daysLeft, 'day')} (${notAfter})`,
        fields,
      );
  });
  source.on('certificate:doubtful', event => log.write('warn', 'certificateDoubtful', event.reason));
}

function placeOf({ listener, upstream }: Words): string {
  return listener === undefined ? `upstream ${upstream ?? ''}` : `listener ${listener}`;
}

function namesOf({ names }: Words): string {
  if (names.length === 0) return 'no name';
  const rest = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function fieldsOf({ listener, upstream, file, names, notAfter }: Words) {
  return { listener, upstream, file, names: names.join(' '), notAfter };
}
