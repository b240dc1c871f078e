/**
 * The schema of the log and the access log: what they have, in which form, and where it goes.
 *
 * Place: a part of schema.ts. Invariant: a parsed destination is a mapping, and so is an access log that is on.
 */
import * as z from 'zod';
import { ACCESS_FIELDS } from '../../model/access-fields.ts';
import { FACILITIES, parseLogAddress } from '../../support/log-address.ts';
import { duration, fieldFacts, fraction, list, oneOf, section, text } from './fields.ts';
import { SHORTEST, WEEK } from './limits-of-values.ts';

const DESTINATIONS = ['stderr', 'file', 'syslog', 'journald'] as const;

const ADDRESS_FORM = 'unix:/path, udp:host:port or tcp:host:port';
const APP_FORM = 'a name of 1 to 48 letters, digits, ".", "_" or "-"';

const destinationMapping = section({
  type: oneOf(DESTINATIONS).describe(
    '`stderr`: standard error. `file`: appended to `path`, which is opened again at SIGUSR1 (log rotation). `syslog`: RFC 5424, to `address`. `journald`: the journal of systemd, in its own protocol.',
  ),
  path: text(4096).optional().describe('`file`: the file; a relative path begins where the configuration is.'),
  address: text(512)
    .superRefine((value, context) => {
      if (parseLogAddress(value) === undefined) context.addIssue({ code: 'custom', message: ADDRESS_FORM });
    })
    .register(fieldFacts, { type: 'text', range: ADDRESS_FORM })
    .optional()
    .describe(
      '`syslog`: where the messages go. TCP counts octets (RFC 6587). Default: `unix:/dev/log`; a unix socket takes the C library.',
    ),
  facility: oneOf(FACILITIES).optional().describe('`syslog`, `journald`: the facility. Default: `daemon`.'),
  app: z
    .string({ error: APP_FORM })
    .regex(/^[A-Za-z0-9._-]{1,48}$/, { error: APP_FORM })
    .register(fieldFacts, { type: 'name', range: '1 to 48 letters, digits, `.`, `_`, `-`' })
    .optional()
    .describe('`syslog`, `journald`: the name of the program. Default: `lb4`.'),
}).superRefine(({ type, path, address, facility, app }, context) => {
  const issue = (key: string, message: string): void =>
    context.addIssue({ code: 'custom', message, path: [key] });
  if (type === 'file' && path === undefined) issue('path', 'the path of a file');
  if (type !== 'file' && path !== undefined) issue('path', `no path, because the type is ${type}`);
  if (type !== 'syslog' && address !== undefined) issue('address', `no address, because the type is ${type}`);
  const hasNames = type === 'syslog' || type === 'journald';
  if (!hasNames && facility !== undefined) issue('facility', `no facility, because the type is ${type}`);
  if (!hasNames && app !== undefined) issue('app', `no app, because the type is ${type}`);
});

function destination() {
  return z
    .union([z.literal('stderr'), z.literal('syslog'), z.literal('journald'), destinationMapping], {
      error: 'stderr, syslog, journald, or a mapping such as { type: file, path: /var/log/lb4.log }',
    })
    .transform((value): LogDestination => (typeof value === 'string' ? { type: value } : value))
    .register(fieldFacts, { type: 'mapping, `stderr`, `syslog` or `journald`' });
}

export interface LogDestination {
  readonly type: (typeof DESTINATIONS)[number];
  readonly path?: string | undefined;
  readonly address?: string | undefined;
  readonly facility?: (typeof FACILITIES)[number] | undefined;
  readonly app?: string | undefined;
}

const FIELDS_FORM = `a list of fields of the access log, such as [client, backend, durationMs]`;

const accessMapping = section({
  format: oneOf(['text', 'json', 'tcplog'])
    .optional()
    .describe(
      "Form of the lines. `tcplog`: that of HAProxy's `option tcplog`, for programs that read it. Default: that of the log.",
    ),
  only: oneOf(['errors'])
    .optional()
    .describe('`errors`: sessions that have ended in another way than `closed`. Default: all.'),
  slowerThan: duration(SHORTEST, WEEK)
    .optional()
    .describe('Sessions that have lasted this long; with `only` those of either kind. Default: all.'),
  sample: fraction()
    .optional()
    .describe(
      'Of the sessions that `only` and `slowerThan` do not name, this share is written, by chance. Default: 0 where one of these is given, else 1.',
    ),
  fields: list(oneOf(ACCESS_FIELDS), 'fields', ACCESS_FIELDS.length)
    .optional()
    .describe('Which fields a line has, in this order. Default: all.'),
  to: destination().optional().describe('Where the lines go. Default: where the log goes.'),
}).superRefine(({ format, fields }, context) => {
  if (format === 'tcplog' && fields !== undefined)
    context.addIssue({ code: 'custom', message: 'no fields, because tcplog has its own', path: ['fields'] });
  if (fields !== undefined && new Set(fields).size < fields.length)
    context.addIssue({ code: 'custom', message: `${FIELDS_FORM}, each once`, path: ['fields'] });
});

export type AccessLogConfig = z.output<typeof accessMapping>;

export const logSection = section({
  level: oneOf(['error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('The least important level shown.'),
  format: oneOf(['text', 'json'])
    .optional()
    .describe('Form of the lines. Default: `text` on a terminal and in the journal, else `json`.'),
  to: destination().prefault('stderr').describe('Where the lines go.'),
  access: z
    .union([z.literal(false), z.literal(true), accessMapping], {
      error: 'true, false, or a mapping such as { only: errors }',
    })
    .transform((value): AccessLogConfig | false => (value === true ? {} : value))
    .register(fieldFacts, { type: 'true, false or mapping' })
    .default(false)
    .describe(
      'The access log: one line for each session that has ended. A mapping switches it on, and says which sessions, in which form and where.',
    ),
});

/** The section as users of the library write it. */
export type LogInput = z.input<typeof logSection>;
