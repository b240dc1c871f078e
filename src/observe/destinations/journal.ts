/**
 * Lines as entries of systemd's journal, in its own protocol: fields, one a line (systemd.io, "Native Journal Protocol").
 *
 * Place: between `LineBuffer`, which keeps lines, and the socket of the journal.
 * Invariant: the text is printable, so it holds no line end and cannot begin a field of its own.
 */
import type { LogLevel } from '../log-style.ts';
import { FACILITIES } from '../../support/log-address.ts';
import { SEVERITIES, type SyslogNames } from './syslog.ts';

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';

const BLANK = 0x20;

/** The line as it is kept until it is sent: severity, event and text. */
export function journalLine(level: LogLevel, event: string, text: string): string {
  return `${SEVERITIES[level]} ${event} ${text}`;
}

/** What the journal gets for such a line. */
export function journalEntry({ facility, app }: Pick<SyslogNames, 'facility' | 'app'>, line: Buffer): Buffer {
  const first = line.indexOf(BLANK);
  const second = line.indexOf(BLANK, first + 1);
  const head = [
    `PRIORITY=${line.toString('latin1', 0, first)}`,
    `SYSLOG_FACILITY=${FACILITIES.indexOf(facility)}`,
    `SYSLOG_IDENTIFIER=${app}`,
    `EVENT=${line.toString('utf8', first + 1, second)}`,
    'MESSAGE=',
  ].join('\n');
  return Buffer.concat([Buffer.from(head), line.subarray(second + 1), Buffer.from('\n')]);
}
