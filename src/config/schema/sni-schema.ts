/**
 * The configuration of where TLS clients go by the first message that they send: `sni` of a listener.
 *
 * Place: a part of schema.ts. That upstreams exist, and that no two routes have the same clients, is in
 * sni-cross-checks.ts.
 */
import * as z from 'zod';
import { OTHERS } from '../../model/hello-plan.ts';
import { hostNameOf } from '../../support/host-name.ts';
import { duration, fieldFacts, list, oneOf, reference, section } from './fields.ts';
import { MINUTE, SHORTEST } from './limits-of-values.ts';

const MOST = 1_000;
const NAME_FORM =
  'a host name in ASCII such as www.example.com, or one behind *. (for one label) or **. (for one or more)';
const NAMES_EXPECTED = `a name, or a list of 1 to ${MOST} names`;
const PROTOCOL_FORM = 'a protocol of 1 to 255 printable ASCII characters, such as h2, http/1.1 or acme-tls/1';
const PROTOCOLS_EXPECTED = 'a protocol, or a list of 1 to 100 protocols';
const EXPECTED = `a list of 1 to ${MOST} routes such as { match: "*.example.com", upstream: app }, or a mapping with routes`;

/** As routes have it: in small letters, without a dot at the end. Undefined: it is no name to match. */
export function matchOf(text: string): string | undefined {
  const [wildcard = ''] = /^\*\*?\./.exec(text) ?? [];
  const name = hostNameOf(text.slice(wildcard.length));
  return name === undefined ? undefined : wildcard + name;
}

const name = z
  .string({ error: NAME_FORM })
  .transform((text, context) => {
    const match = matchOf(text);
    if (match !== undefined) return match;
    context.addIssue({ code: 'custom', message: NAME_FORM });
    return z.NEVER;
  })
  .meta({ pattern: String.raw`^(\*\*?\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$` })
  .register(fieldFacts, { type: 'name' });

const protocol = z
  .string({ error: PROTOCOL_FORM })
  .regex(/^[!-~]{1,255}$/, { error: PROTOCOL_FORM })
  .register(fieldFacts, { type: 'protocol' });

/** Names of ALPN, one or several. */
export const protocols = () =>
  z
    .union([protocol, list(protocol, 'protocols', 100)], { error: PROTOCOLS_EXPECTED })
    .transform(value => (typeof value === 'string' ? [value] : value))
    .readonly()
    .register(fieldFacts, { type: 'protocol or list of protocols', range: '1 to 100 protocols' });

const route = section({
  match: z
    .union([name, list(name, 'names', MOST)], { error: NAMES_EXPECTED })
    .transform(value => (typeof value === 'string' ? [value] : value))
    .readonly()
    .register(fieldFacts, { type: 'name or list of names', range: `1 to ${MOST} names` })
    .optional()
    .describe(
      'Names of hosts that clients want to reach. `*.example.com` has `a.example.com`, and neither `example.com` nor `b.a.example.com`; `**.example.com` has both `a.example.com` and `b.a.example.com`. Absent: any name, and none.',
    ),
  alpn: protocols()
    .optional()
    .describe('Protocols of which clients offer at least one (ALPN), such as `acme-tls/1`. Absent: any, and none.'),
  upstream: reference('an upstream').describe('The upstream that serves these clients.'),
}).superRefine(({ match, alpn }, context) => {
  if (match === undefined && alpn === undefined)
    context.addIssue({ code: 'custom', message: 'a route with match, alpn or both' });
});

const routes = () => list(route, 'routes', MOST);

const mapping = section({
  routes: routes().describe('As in a list alone.'),
  others: oneOf(OTHERS)
    .default('upstream')
    .describe(
      'What becomes of clients that no route has, also of those that speak no TLS. `upstream`: they go to the `upstream` of the listener. `refuse`: they are reset.',
    ),
  timeout: duration(SHORTEST, MINUTE)
    .prefault('5s')
    .describe('How long the first message of a client may take to arrive; then the client is reset.'),
});

export const sni = z
  .union([routes(), mapping], { error: EXPECTED })
  .transform(value => ('routes' in value ? value : mapping.parse({ routes: value })))
  .register(fieldFacts, { type: 'list or mapping', range: `1 to ${MOST} routes` })
  .optional()
  .describe(
    'Sends TLS clients to upstreams by the name and the protocols in their first message, which the backend gets as it came: TLS stays between client and backend. See [TLS](tls.md).',
  );
