/**
 * Keys about the PROXY protocol: what upstreams and checks send, and whom listeners believe.
 *
 * Place: a part of schema.ts, upstream-schema.ts and health-schema.ts. That it excludes `pool.reuse` is in
 * upstream-cross-checks.ts.
 */
import * as z from 'zod';
import { FORWARDED_TLVS } from '../../model/send-proxy.ts';
import { parseNetwork } from '../../support/network.ts';
import { duration, fieldFacts, oneOf, section, yesOrNo } from './fields.ts';
import { MINUTE, SHORTEST } from './limits-of-values.ts';

const VERSIONS = ['v1', 'v2'] as const;
const TLVS_EXPECTED = `a list of different words, each one of ${FORWARDED_TLVS.join(', ')}`;

const mapping = section({
  version: oneOf(VERSIONS).default('v2').describe('`v1`: a line of text. `v2`: binary.'),
  tlvs: z
    .array(oneOf(FORWARDED_TLVS), { error: TLVS_EXPECTED })
    .refine(words => new Set(words).size === words.length, { error: TLVS_EXPECTED })
    .readonly()
    .register(fieldFacts, { type: 'list', range: FORWARDED_TLVS.join(', ') })
    .default([])
    .describe(
      '`v2`: what the header says beyond addresses. `uniqueId`: the id that a proxy in front has given the session, else the id of the session. `crc32c`: a checksum. `authority` (server name), `alpn`, `ssl`: of the TLS of the client, where lb4 knows them; else, like `netns` and `others`, what a proxy in front has sent (`acceptProxy`).',
    ),
}).superRefine(({ version, tlvs }, context) => {
  if (version === 'v2' || tlvs.length === 0) return;
  context.addIssue({ code: 'custom', message: 'no tlvs with version v1, which has none', path: ['tlvs'] });
});

export const sendProxy = z
  .union([z.literal('off'), z.literal(false), oneOf(VERSIONS), mapping], {
    error: 'v1, v2, "off", or a mapping such as { version: v2, tlvs: [uniqueId] }',
  })
  .transform(value => {
    if (value === false || value === 'off') return 'off' as const;
    return typeof value === 'string' ? { version: value, tlvs: [] } : value;
  })
  .register(fieldFacts, { type: '`v1`, `v2`, `off` or mapping' })
  .prefault('off')
  .describe(
    'Each connection to a backend begins with a PROXY protocol header that names the client. The backends must expect it. Excludes `pool.reuse`. See [the PROXY protocol](proxy-protocol.md).',
  );

/** Of checks. */
export const healthProxy = z
  .union([z.literal('off'), z.literal(false), oneOf(VERSIONS)], { error: 'v1, v2 or "off"' })
  .transform(value => (value === false ? 'off' : value))
  .register(fieldFacts, { type: '`v1`, `v2` or `off`' })
  .optional()
  .describe(
    'Each check begins with a PROXY protocol header. Default: that of `sendProxy` where the check goes to the address for sessions, `off` with a `port` or an `address` of its own.',
  );

const NETWORK_FORM = 'a network such as 10.0.0.0/8 or fd00::/8, an IP address, or unix';
const FROM_EXPECTED = 'a list of up to 1000 networks';

const network = z
  .string({ error: NETWORK_FORM })
  .refine(text => text === 'unix' || parseNetwork(text) !== undefined, { error: NETWORK_FORM })
  .register(fieldFacts, { type: 'network' });

/** Of listeners. */
export const acceptProxy = section({
  from: z
    .array(network, { error: FROM_EXPECTED })
    .max(1000, { error: FROM_EXPECTED })
    .readonly()
    .register(fieldFacts, { type: 'list', range: 'up to 1000 elements' })
    .describe(
      'The senders that are trusted: networks, IP addresses, and `unix` for clients of unix sockets. The bytes of others are passed on as they are, whatever they look like. Empty: none is trusted.',
    ),
  timeout: duration(SHORTEST, MINUTE)
    .prefault('5s')
    .describe('How long a header may take to arrive; then the sender is reset.'),
  required: yesOrNo()
    .default(true)
    .describe(
      'A trusted sender that sends something else than a header is reset. `false`: what it sends is passed on; one that sends nothing waits for `timeout`.',
    ),
})
  .optional()
  .describe(
    'Takes the address of the client from the PROXY protocol header, version 1 or 2, that a trusted sender puts before its bytes. Default: off. See [the PROXY protocol](proxy-protocol.md).',
  );
