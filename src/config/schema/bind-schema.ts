/**
 * Where listeners listen: addresses, and who may use the file of a unix socket.
 *
 * Place: a part of schema.ts.
 */
import * as z from 'zod';
import { isAbstract, type ListenAddress } from '../../support/address.ts';
import { parseBind } from '../../support/port-range.ts';
import { bindAddress, fieldFacts, integer, list, section } from './fields.ts';

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

const RANGE_FORM = 'host:port, [v6]:port, :port, a range such as :5000-5009, or unix:/path';

/** An address, or a range of ports: all their addresses. */
const addresses = z
  .string({ error: RANGE_FORM })
  .transform((text, context) => {
    const parsed = parseBind(text);
    if (parsed.ok) return parsed.addresses;
    context.addIssue({ code: 'custom', message: parsed.expected, params: { withoutValue: RANGE_FORM } });
    return z.NEVER;
  })
  .meta({ pattern: '^(unix:.+|.*:[0-9]{1,5}(-[0-9]{1,5})?)$' })
  .register(fieldFacts, { type: 'address', range: RANGE_FORM });

/** Where clients connect: an address, or a mapping where the file of a unix socket is to have certain owners. */
const bindPoint = () =>
  z
    .union([addresses, unixPoint], {
      error:
        'an address such as 0.0.0.0:443, or a mapping such as { address: "unix:/run/lb4.sock", mode: "0660" }',
    })
    .register(fieldFacts, { type: 'text or mapping' })
    .describe(
      'One address, or one with a range of ports, or for a unix socket a mapping with its permissions. An existing socket file is replaced only if no program listens on it.',
    );

/** Addresses of one listener, with all those of its ranges. */
const MOST = 1000;
const BIND_EXPECTED = 'an address such as 0.0.0.0:443, or a list of addresses and mappings';

/** Where a listener listens: all its addresses one by one. */
export const bind = z
  .union([addresses.transform(all => [all]), list(bindPoint(), 'addresses', MOST)], { error: BIND_EXPECTED })
  .transform((written, context) => {
    const entries: readonly (ListenAddress | readonly ListenAddress[])[] = written;
    const all = entries.flatMap((each, entry) => [each].flat().map(address => ({ address, entry })));
    if (all.length > MOST) {
      context.addIssue({ code: 'custom', message: `at most ${MOST} addresses, with those of ranges` });
      return z.NEVER;
    }
    if (all.length === entries.length) return all.map(({ address }) => address);
    return all.map(({ address, entry }) => ({ ...address, entry }));
  })
  .readonly()
  .register(fieldFacts, { type: 'address or list of addresses', range: `1 to ${MOST} addresses` })
  .describe(
    'Where clients connect: `host:port`, `[v6]:port`, `:port` (every local address, IPv6 and IPv4), a range of ports as in `:5000-5009`, `unix:/path`, or on Linux `unix:@name` (abstract, without a file). Port 0 lets the system choose.',
  );
