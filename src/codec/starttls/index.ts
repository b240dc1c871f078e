/**
 * Protocols that begin in the clear and change to TLS on request: what both sides say before it.
 */
import type { ClientOpening, ServerOpening, Starttls } from '../../engine/tls.ts';
import { POSTGRES_CLIENT } from './postgres-client.ts';
import { postgresServer } from './postgres-server.ts';

export interface Openings {
  /** One for each session. */
  readonly server: () => ServerOpening;
  /** For all connections. */
  readonly client: ClientOpening;
}

const OPENINGS: Readonly<Record<Starttls, Openings>> = {
  postgres: { server: postgresServer, client: POSTGRES_CLIENT },
};

/** Undefined where TLS begins at once. */
export function openingsOf(starttls: Starttls | undefined): Openings | undefined {
  return starttls === undefined ? undefined : OPENINGS[starttls];
}
