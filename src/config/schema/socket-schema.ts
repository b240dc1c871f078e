/**
 * Keys about sockets that listeners and upstreams share.
 *
 * Place: a part of schema.ts and upstream-schema.ts.
 */
import * as z from 'zod';
import { isAbstract, type ListenAddress } from '../../support/address.ts';
import { bindAddress, duration, fieldFacts, integer, section } from './fields.ts';
import { HOUR, MINUTE, SECOND, SHORTEST } from './limits-of-values.ts';

const MODE_EXPECTED = 'a mode in quotes of three octal digits, such as "0660"';
/** The highest number of a user or a group: the one above means "none". */
const MAX_ID = 0xfffffffe;

const owner = (what: 'user' | 'group') => {
  const error = `the name of a ${what}, or its number`;
  return z
    .union([integer(0, MAX_ID), z.string({ error }).regex(/^[^:\s\0]{1,256}$/, { error })], { error })
    .transform((value, context) => {
      if (typeof value !== 'string' || !/^\d+$/.test(value)) return value;
      if (Number(value) <= MAX_ID) return Number(value);
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .register(fieldFacts, { type: 'name or number' })
    .optional();
};

const unixPoint = section({
  address: bindAddress().describe('Where clients connect; the other keys are for the path of a unix socket.'),
  mode: z
    .string({ error: MODE_EXPECTED })
    .regex(/^0?[0-7]{3}$/, { error: MODE_EXPECTED })
    .transform(text => Number.parseInt(text, 8))
    .register(fieldFacts, { type: 'text', range: 'three octal digits in quotes, such as `"0660"`' })
    .optional()
    .describe(
      'Permissions of the socket file; users who may write to it may connect. Default: from the umask of lb4.',
    ),
  user: owner('user').describe(
    'Owner of the socket file (a name in /etc/passwd, or a number). Default: the user of lb4.',
  ),
  group: owner('group').describe(
    'Group of the socket file (a name in /etc/group, or a number). Default: the group of lb4.',
  ),
}).transform(({ address, mode, user, group }, context): ListenAddress => {
  const given = Object.entries({ mode, user, group }).filter(([, value]) => value !== undefined);
  if (given.length === 0) return address;
  if (address.kind === 'unix' && !isAbstract(address)) return { ...address, access: { mode, user, group } };
  for (const [key] of given) {
    const message = `no ${key}, because only the path of a unix socket has one`;
    context.addIssue({ code: 'custom', message, path: [key] });
  }
  return z.NEVER;
});

/** Where clients connect: an address, or a mapping where the file of a unix socket is to have certain owners. */
export const bindPoint = () =>
  z
    .union([bindAddress(), unixPoint], {
      error:
        'an address such as 0.0.0.0:443, or a mapping such as { address: "unix:/run/lb4.sock", mode: "0660" }',
    })
    .register(fieldFacts, { type: 'text or mapping' })
    .describe(
      'One address, or for a unix socket a mapping with its permissions. An existing socket file is replaced only if no program listens on it.',
    );

/** Linux takes at most 32,767 seconds. */
const LONGEST_KEEPALIVE = 9 * HOUR;
const MOST_PROBES = 127;

const probes = section({
  idle: duration(SECOND, LONGEST_KEEPALIVE)
    .prefault('60s')
    .describe('How long a connection is quiet before the kernel sends the first probe to its peer.'),
  interval: duration(SECOND, LONGEST_KEEPALIVE)
    .prefault('10s')
    .describe('Time between two probes while no answer comes.'),
  count: integer(1, MOST_PROBES)
    .default(6)
    .describe('How many probes may go unanswered before the connection counts as broken.'),
});

/** @param whose 'clients' or 'backends' */
export const keepalive = (whose: string) =>
  z
    .union([z.literal('off'), z.literal(false), probes], {
      error: '"off", or a mapping such as { idle: 60s, interval: 10s, count: 6 }',
    })
    .transform(value => (typeof value === 'object' ? value : undefined))
    .register(fieldFacts, { type: 'mapping or `off`' })
    .prefault({})
    .describe(
      `TCP keepalive towards ${whose}: a session whose peer has vanished with its machine ends, as if that peer had reset it. Times count in whole seconds, rounded up. \`off\`: no probes.`,
    );

export const userTimeout = () =>
  duration(SHORTEST, HOUR, "the system's own")
    .prefault('0s')
    .describe(
      'How long sent bytes may stay unacknowledged before the connection breaks (TCP_USER_TIMEOUT; it also bounds keepalive). By default the system decides: about 15 minutes on Linux. Needs koffi.',
    );

/** For listeners only. */
export const deferAccept = () =>
  duration(SECOND, MINUTE, 'letting them in at once')
    .prefault('0s')
    .describe(
      'A client is let in with its first bytes, or after this long without any (TCP_DEFER_ACCEPT): a client that only connects costs neither a session nor a backend. Only for protocols in which the client speaks first, such as HTTP, TLS, Redis and PostgreSQL: where the server does (MySQL, SMTP, SSH), every client waits this long for its greeting. Linux rounds up to 1, 3, 7, 15, 31 or 63 seconds. Needs Linux and koffi. Unix sockets let clients in at once.',
    );
