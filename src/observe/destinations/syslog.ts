/**
 * Lines as messages of syslog (RFC 5424), and as those that HAProxy's readers find in a file (RFC 3164).
 *
 * Place: the form of lines; where they go is another matter.
 * Invariant: what stands before the text is ASCII without control characters, whatever the name of the machine is.
 */
import { FACILITIES } from '../../support/log-address.ts';
import type { LogLevel } from '../log-style.ts';

export const SEVERITIES = { error: 3, warn: 4, info: 6, debug: 7 } as const satisfies Record<
  LogLevel,
  number
>;

export interface SyslogNames {
  readonly facility: (typeof FACILITIES)[number];
  readonly app: string;
  readonly host: string;
  readonly pid: number;
}

/** One line for `syslog`: priority, version, time, host, program, pid, the event as the message's id, no data. */
export function syslogLine(names: SyslogNames, level: LogLevel, event: string, text: string): string {
  const { app, pid } = names;
  const priority = FACILITIES.indexOf(names.facility) * 8 + SEVERITIES[level];
  const id = word(event, 32);
  return `<${priority}>1 ${new Date().toISOString()} ${word(names.host, 255)} ${app} ${pid} ${id} - ${text}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** What a syslog daemon puts before a message when it writes it to a file: local time, host and program. */
export function fileHeader({ host, app, pid }: Omit<SyslogNames, 'facility'>): string {
  const now = new Date();
  const day = String(now.getDate()).padStart(2, ' ');
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':');
  return `${monthOf(now)} ${day} ${time} ${word(host, 255)} ${app}[${pid}]: `;
}

export function monthOf(time: Date): string {
  return MONTHS[time.getMonth()] ?? '';
}

export function two(number: number): string {
  return String(number).padStart(2, '0');
}

function word(text: string, most: number): string {
  const printed = text.replace(/[^\x21-\x7e]/g, '').slice(0, most);
  return printed === '' ? '-' : printed;
}
