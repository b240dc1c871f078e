/** The TLS of an engine without sockets: handshakes of clients are ended by the test. */
import type { Connection } from '../../src/engine/engine.ts';
import type {
  EngineTls,
  ServerOpening,
  TlsClientSettings,
  TlsClientTerms,
  TlsFacts,
  TlsFailure,
  TlsServerSettings,
  TlsServerTerms,
} from '../../src/engine/tls.ts';
import { FakeConnection } from './fake-engine.ts';

type Done = Parameters<EngineTls['accept']>[3];

export const TLS_FACTS: TlsFacts = {
  ...{ version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', isResumed: false },
  ...{ serverName: 'shop.example', alpn: 'h2' },
  certificate: { name: 'till-7', subject: 'CN=till-7' },
};

/** The handshake of one client. */
export class FakeHandshake {
  readonly client: Connection;
  readonly terms: TlsServerTerms;
  readonly opening: ServerOpening | undefined;
  isCancelled = false;
  /** What is inside of TLS, once it has succeeded. */
  readonly inside: FakeConnection;
  readonly #done: Done;

  constructor(client: Connection, terms: TlsServerTerms, opening: ServerOpening | undefined, done: Done) {
    this.client = client;
    this.terms = terms;
    this.opening = opening;
    this.inside = new FakeConnection(client.peerAddress);
    this.#done = done;
  }

  succeed(facts: Partial<TlsFacts> = {}): FakeConnection {
    this.#done({ ok: true, connection: this.inside, facts: { ...TLS_FACTS, ...facts } });
    return this.inside;
  }

  stayClear(): void {
    this.#done({ ok: true, connection: this.client, facts: undefined });
  }

  fail(reason: TlsFailure['reason'], code = reason.toUpperCase()): void {
    this.#done({ ok: false, failure: { reason, code } });
  }
}

export class FakeTls implements EngineTls {
  /** In the order in which they were made. */
  readonly serverTermsMade: TlsServerTerms[] = [];
  readonly clientTermsMade: TlsClientTerms[] = [];
  readonly handshakes: FakeHandshake[] = [];

  serverTerms(settings: TlsServerSettings): TlsServerTerms {
    const terms = { settings };
    this.serverTermsMade.push(terms);
    return terms;
  }

  clientTerms(settings: TlsClientSettings): TlsClientTerms {
    const terms = { settings };
    this.clientTermsMade.push(terms);
    return terms;
  }

  accept(
    client: Connection,
    terms: TlsServerTerms,
    opening: ServerOpening | undefined,
    done: Done,
  ): () => void {
    const handshake = new FakeHandshake(client, terms, opening, done);
    this.handshakes.push(handshake);
    return () => void (handshake.isCancelled = true);
  }
}

export function serverSettings(given: Partial<TlsServerSettings> = {}): TlsServerSettings {
  return {
    certificates: [{ id: 'one', chain: 'CHAIN', key: 'KEY', names: ['shop.example'] }],
    ...{ alpn: [], minVersion: 'TLSv1.2', ticketKeys: new Uint8Array(48), timeout: 10_000 },
    ...given,
  };
}

export function clientSettings(given: Partial<TlsClientSettings> = {}): TlsClientSettings {
  return { verify: true, alpn: [], minVersion: 'TLSv1.2', ...given };
}
