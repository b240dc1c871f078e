/**
 * What a backend is asked for, as OpenSSL needs it, and the tickets that backends have given.
 *
 * Place: made once per plan, used for each connect. One context per engine for the same settings.
 * Tickets: the last one of each backend, for its name and address; they come only from handshakes that these terms have
 * verified, and hold only for these terms.
 */
import { constants, createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';

import type { TlsClientSettings, TlsClientTerms } from '../tls.ts';
import type { Contexts } from './contexts.ts';

const TICKETS_LIMIT = 1024;

export class ClientTerms implements TlsClientTerms {
  readonly settings: TlsClientSettings;
  readonly context: SecureContext;
  readonly #tickets = new Map<string, Buffer>();

  constructor(settings: TlsClientSettings, contexts: Contexts) {
    const { ca, own, minVersion } = settings;
    this.settings = settings;
    const id = createHash('sha256')
      .update(JSON.stringify(['client', ca, own?.id, minVersion]))
      .digest('hex');
    this.context = contexts.get(id, () =>
      createSecureContext({
        ...(ca !== undefined && { ca }),
        ...(own && { cert: own.chain, key: own.key }),
        minVersion,
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
      }),
    );
  }

  ticketFor(backend: string): Buffer | undefined {
    return this.#tickets.get(backend);
  }

  keep(backend: string, ticket: Buffer): void {
    this.#tickets.delete(backend);
    this.#tickets.set(backend, ticket);
    if (this.#tickets.size <= TICKETS_LIMIT) return;
    for (const oldest of this.#tickets.keys()) {
      this.#tickets.delete(oldest);
      return;
    }
  }

  /** It has not led to a handshake. */
  forget(backend: string): void {
    this.#tickets.delete(backend);
  }
}
