/**
 * Where listeners listen: addresses, and who may use the file of a unix socket.
 *
 * Place: a part of schema.ts.
 */
import * as z from 'zod';
import { isAbstract, type ListenAddress } from '../../support/address.ts';
import { bindAddress, fieldFacts, integer, section } from './fields.ts';

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
