/**
 * Keys about the PROXY protocol: what upstreams and checks send.
 *
 * Place: a part of upstream-schema.ts and health-schema.ts. That it excludes `pool.reuse` is in
 * upstream-cross-checks.ts.
 */
import * as z from 'zod';
import { FORWARDED_TLVS } from '../../model/send-proxy.ts';
import { fieldFacts, oneOf, section } from './fields.ts';

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
      '`v2`: what the header says beyond addresses. `uniqueId`: the id that a proxy in front has given the session, else the id of the session. `crc32c`: a checksum. `authority` (server name), `alpn`, `ssl`, `netns`, `others`: what a proxy in front has sent of them (`acceptProxy`).',
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
