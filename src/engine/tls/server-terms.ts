/**
 * What a listener asks of its clients, as OpenSSL needs it.
 *
 * Place: made once per plan, used for each of its sessions.
 * Why a context for each certificate, chosen before TLS begins: a certificate that Node is given in the middle of a
 * handshake (SNICallback) comes beside the first one, not in its place, and OpenSSL may choose the first if its key is of
 * another kind.
 * Cost: a context takes up to a millisecond, so that a plan which changes one of a thousand certificates makes one:
 * contexts live as long as any terms have them.
 */
import { constants, createHash } from 'node:crypto';
import {
  createSecureContext,
  createServer,
  type SecureContextOptions,
  type Server,
  type TLSSocketOptions,
} from 'node:tls';

import type { TlsCertificate, TlsServerSettings, TlsServerTerms } from '../tls.ts';
import { wireFormat } from './alpn.ts';
import { withDefaults } from './ciphers.ts';
import type { Contexts } from './contexts.ts';

const OPTIONS =
  constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_PRIORITIZE_CHACHA;

export class ServerTerms implements TlsServerTerms {
  readonly settings: TlsServerSettings;
  readonly #first: TLSSocketOptions;
  readonly #byName = new Map<string, TLSSocketOptions>();

  constructor(settings: TlsServerSettings, contexts: Contexts) {
    this.settings = settings;
    const optionsFor = maker(settings, contexts);
    const [first, ...others] = settings.certificates.map(certificate => {
      const options = optionsFor(certificate);
      for (const name of certificate.names) if (!this.#byName.has(name)) this.#byName.set(name, options);
      return options;
    });
    if (first === undefined) throw new Error('there is no certificate');
    this.#first = first;
    this.dependsOnName = others.length > 0;
  }

  /** The client's name for the server decides which certificate it gets. */
  readonly dependsOnName: boolean;

  /** For Node's TLSSocket. `name`: in small letters. */
  optionsFor(name: string | undefined): TLSSocketOptions {
    if (name === undefined) return this.#first;
    const exact = this.#byName.get(name);
    if (exact !== undefined) return exact;
    const dot = name.indexOf('.');
    return (dot > 0 ? this.#byName.get(`*${name.slice(dot)}`) : undefined) ?? this.#first;
  }
}

function maker(
  settings: TlsServerSettings,
  contexts: Contexts,
): (certificate: TlsCertificate) => TLSSocketOptions {
  const { alpn, clients, minVersion } = settings;
  const ticketKeys = Buffer.from(settings.ticketKeys);
  const common: SecureContextOptions = {
    ca: clients?.ca ?? [],
    ciphers: withDefaults(settings.ciphers),
    minVersion,
    honorCipherOrder: true,
    secureOptions: OPTIONS,
    // A ticket of a listener that asks for no certificate, or trusts others, counts for nothing here.
    sessionIdContext: digest([clients?.ca, clients?.isRequired]).slice(0, 32),
    ticketKeys,
  };
  const shared = digest([common, ticketKeys.toString('hex')]);
  const options: TLSSocketOptions = {
    isServer: true,
    ...(alpn.length > 0 && { ALPNProtocols: wireFormat(alpn) }),
    ...(clients && { requestCert: true, rejectUnauthorized: clients.isRequired }),
  };
  return ({ id, chain, key, ocsp }) => ({
    ...options,
    secureContext: contexts.get(`${shared} ${id}`, () =>
      createSecureContext({ ...common, cert: chain, key }),
    ),
    ...(ocsp && { server: stapler(chain, key, Buffer.from(ocsp)) }),
  });
}

/** Node asks a server for OCSP responses, which has to have the certificate. This one never listens. */
function stapler(cert: string, key: string, response: Buffer): Server {
  const server = createServer({ cert, key, ca: [] });
  server.on('OCSPRequest', (_certificate, _issuer, answer) => answer(null, response));
  return server;
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
