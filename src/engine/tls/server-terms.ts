/**
 * What a listener asks of its clients, as OpenSSL needs it.
 *
 * Place: made once per plan, used for each of its sessions. One per engine: `ServerTermsMaker`.
 * Cost: reading a certificate with its key takes a millisecond, so that a plan which changes one of a thousand makes
 * one: contexts live as long as any terms have them.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { constants } from 'node:crypto';
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type Server,
  type TLSSocketOptions,
} from 'node:tls';

import type { TlsCertificate, TlsServerSettings, TlsServerTerms } from '../tls.ts';
import { wireFormat } from './alpn.ts';
import { withDefaults } from './ciphers.ts';
import type { Contexts } from './contexts.ts';

type SniCallback = NonNullable<TLSSocketOptions['SNICallback']>;

export class ServerTerms implements TlsServerTerms {
  readonly settings: TlsServerSettings;
  /** For TLSSocket of Node's, the same for all sessions. */
  readonly options: TLSSocketOptions;

  constructor(settings: TlsServerSettings, contexts: Contexts) {
    const { certificates, alpn, clients } = settings;
    const [first] = certificates;
    if (first === undefined) throw new Error('no certificate');
    this.settings = settings;
    const secureContext = firstContext(settings, first, contexts);
    const named = certificates.length > 1 ? namedContexts(settings, contexts) : undefined;
    const server = certificates.some(({ ocsp }) => ocsp !== undefined) ? stapler(certificates) : undefined;
    this.options = {
      isServer: true,
      secureContext,
      ...(named && { SNICallback: named }),
      ...(alpn.length > 0 && { ALPNProtocols: wireFormat(alpn) }),
      ...(clients && { requestCert: true, rejectUnauthorized: clients.isRequired }),
      ...(server && { server }),
    };
  }
}

/** Has the versions, the ciphers and the tickets of all sessions, whichever certificate they get. */
function firstContext(settings: TlsServerSettings, first: TlsCertificate, contexts: Contexts): SecureContext {
  const { minVersion, ticketKeys, clients } = settings;
  const ciphers = withDefaults(settings.ciphers);
  // A ticket of a listener that asks for no certificate must not count at one that does.
  const sessionIdContext = digest([clients?.ca, clients?.isRequired]).slice(0, 32);
  const keys = Buffer.from(ticketKeys);
  const id = digest([first.id, minVersion, ciphers, keys.toString('hex'), sessionIdContext]);
  return contexts.get(id, () =>
    createSecureContext({
      cert: first.chain,
      key: first.key,
      ca: clients?.ca ?? [],
      ciphers,
      minVersion,
      honorCipherOrder: true,
      secureOptions:
        constants.SSL_OP_NO_RENEGOTIATION |
        constants.SSL_OP_NO_COMPRESSION |
        constants.SSL_OP_PRIORITIZE_CHACHA,
      sessionIdContext,
      ticketKeys: keys,
    }),
  );
}

function namedContexts({ certificates, clients }: TlsServerSettings, contexts: Contexts): SniCallback {
  const ca = clients?.ca ?? [];
  const byName = new Map<string, SecureContext>();
  for (const { id, chain, key, names } of certificates) {
    const context = contexts.get(digest([id, clients?.ca]), () =>
      createSecureContext({ cert: chain, key, ca }),
    );
    for (const name of names) if (!byName.has(name)) byName.set(name, context);
  }
  return (asked, choose) => {
    const name = asked.toLowerCase();
    const dot = name.indexOf('.');
    choose(null, byName.get(name) ?? (dot > 0 ? byName.get(`*${name.slice(dot)}`) : undefined));
  };
}

/** Node asks a server for OCSP responses; this one never listens. */
function stapler(certificates: readonly TlsCertificate[]): Server {
  const byCertificate = new Map<string, Buffer>();
  for (const { chain, ocsp } of certificates) {
    if (ocsp !== undefined) byCertificate.set(base64(new X509Certificate(chain).raw), Buffer.from(ocsp));
  }
  const [first] = certificates;
  const server = createServer({ cert: first?.chain, key: first?.key, ca: [] });
  server.on('OCSPRequest', (certificate, _issuer, answer) => {
    // Without a response Node sends none; its types know of no such answer.
    Reflect.apply(answer, undefined, [null, byCertificate.get(base64(certificate)) ?? null]);
  });
  return server;
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64');
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
