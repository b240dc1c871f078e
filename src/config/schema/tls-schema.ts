/**
 * The configuration of TLS that lb4 speaks itself: with clients (`tls` of a listener) and with backends (`tls` of an
 * upstream).
 *
 * Place: a part of schema.ts and upstream-schema.ts. Keys that go together are in tls-cross-checks.ts. Files are read and
 * judged by control/tls.
 */
import * as z from 'zod';
import { duration, fieldFacts, list, oneOf, section, text, yesOrNo } from './fields.ts';
import { MINUTE, SECOND } from './limits-of-values.ts';
import { protocols } from './sni-schema.ts';

/** As in the contract of engines. */
const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
const STARTTLS = ['postgres'] as const;
const LONGEST_PATH = 4096;
const MOST_CERTIFICATES = 1_000;

const FILE_FORM = `the path of a file, of 1 to ${LONGEST_PATH} characters`;

/** Not the text of a key itself, which has line ends. */
const file = () =>
  text(LONGEST_PATH)
    .regex(/^[^\n\r\0]+$/, { error: FILE_FORM })
    .register(fieldFacts, { type: 'text', range: `1 to ${LONGEST_PATH} characters` });

const CHAIN =
  'A PEM file with the certificate, and behind it those between it and the authority (`fullchain.pem` of certbot). A relative path starts at the folder of the configuration file.';
const KEY = 'A PEM file with the private key of `cert`, without a passphrase. It may be the same file.';
const OCSP =
  'A file with the OCSP response for the certificate, in DER, which clients that ask get (stapling). lb4 does not fetch it. Default: none.';

const certificate = section({
  cert: file().describe(CHAIN),
  key: file().describe(KEY),
  ocsp: file().optional().describe(OCSP),
});

const minVersion = () =>
  oneOf(TLS_VERSIONS).default('TLSv1.2').describe('The oldest version of TLS that is spoken.');

/** Of listeners. */
export const listenerTls = section({
  cert: file().optional().describe(CHAIN),
  key: file().optional().describe(KEY),
  ocsp: file().optional().describe(OCSP),
  certificates: list(certificate, 'certificates', MOST_CERTIFICATES)
    .optional()
    .describe(
      'Further certificates: a client gets the one for the name that it asks for (SNI), or else the first one: `cert`, or without that the first of this list.',
    ),
  alpn: protocols()
    .optional()
    .describe(
      'Protocols of which one is agreed on (ALPN), in order of preference, such as `[h2, http/1.1]`. A client that offers others only is refused. Default: what clients offer is ignored; with `starttls: postgres`, `postgresql`.',
    ),
  minVersion: minVersion(),
  ciphers: text(LONGEST_PATH)
    .optional()
    .describe(
      'Ciphers, as OpenSSL writes them: names with colons between them, those of TLS 1.3 too. Default: those with forward secrecy and authenticated encryption.',
    ),
  clientCa: file()
    .optional()
    .describe(
      'A PEM file with the authorities whose certificates clients have to show. Default: clients are asked for none.',
    ),
  clientCert: oneOf(['required', 'optional'])
    .optional()
    .describe(
      '`required`: a client without a certificate is refused. `optional`: it may come in; a certificate that is shown must be valid. Needs `clientCa`. Default: `required`.',
    ),
  timeout: duration(SECOND / 10, MINUTE)
    .prefault('10s')
    .describe('How long the handshake may take, `starttls` included; then the client is reset.'),
  starttls: oneOf(STARTTLS)
    .optional()
    .describe(
      'The protocol in which clients ask for TLS before it begins. `postgres`: clients of PostgreSQL, with direct TLS too. Default: TLS begins at once.',
    ),
})
  .optional()
  .describe('TLS ends here: backends get what is inside, or TLS anew (`tls` of the upstream). See [TLS](tls.md#tls-that-ends-here).');

const mapping = section({
  serverName: text(255)
    .optional()
    .describe(
      'The name that is asked for (SNI) and expected in the certificate. Default: the host of the backend, if it is a name; of an address only that the certificate has it.',
    ),
  verify: yesOrNo()
    .default(true)
    .describe('Whether the certificate of the backend must be valid, and for `serverName`.'),
  ca: file()
    .optional()
    .describe('A PEM file with the authorities to trust. Default: those of Node.'),
  cert: file()
    .optional()
    .describe('A PEM file with the certificate that backends get when they ask for one. Together with `key`.'),
  key: file().optional().describe(KEY),
  alpn: protocols()
    .optional()
    .describe(
      'Protocols that are offered (ALPN), in order of preference. Default: the one that the client of the session has agreed on with the listener, if TLS ends there and `pool.warm` is 0; with `starttls: postgres`, `postgresql`.',
    ),
  minVersion: minVersion(),
  starttls: oneOf(STARTTLS)
    .optional()
    .describe('The protocol in which lb4 asks for TLS before it begins. Default: TLS begins at once.'),
});

/** Of upstreams. */
export const upstreamTls = z
  .union([z.boolean(), mapping], { error: 'true, false, or a mapping such as { ca: ca.pem }' })
  .transform(value => (value === false ? undefined : value === true ? mapping.parse({}) : value))
  .register(fieldFacts, { type: 'mapping or `true`' })
  .optional()
  .describe(
    'TLS to the backends. `true`: with the defaults. Checks speak it too. Excludes `pool.reuse`. Default: backends get bytes as they are. See [TLS](tls.md#tls-to-backends).',
  );

export type ListenerTls = NonNullable<z.output<typeof listenerTls>>;
export type UpstreamTls = NonNullable<z.output<typeof upstreamTls>>;

