/**
 * TLS of the node engine.
 *
 * Place: the composition of this folder behind the contract in ../tls.ts; one per engine.
 */
import { Lb4Error } from '../../errors.ts';
import type { Connection } from '../engine.ts';
import type { ConnectionDeps } from '../node/connection-deps.ts';
import type { NodeConnection } from '../node/node-connection.ts';
import type { EngineTls, TlsConnect } from '../tls.ts';
import { acceptTls } from './accept-tls.ts';
import { ClientTerms } from './client-terms.ts';
import { Contexts } from './contexts.ts';
import { ServerTerms } from './server-terms.ts';

export function createNodeTls(
  deps: ConnectionDeps,
  own: (connection: Connection) => NodeConnection,
): EngineTls {
  const contexts = new Contexts();
  return {
    serverTerms: settings => new ServerTerms(settings, contexts),
    clientTerms: settings => new ClientTerms(settings, contexts),
    accept: (client, terms, opening, done) => {
      if (!(terms instanceof ServerTerms)) throw foreign();
      return acceptTls(own(client), terms, opening, deps, done);
    },
  };
}

/** The terms, if they are of this engine's own making. */
export function ownTls(tls: TlsConnect): TlsConnect & { readonly terms: ClientTerms } {
  const { terms } = tls;
  if (!(terms instanceof ClientTerms)) throw foreign();
  return { ...tls, terms };
}

function foreign(): Lb4Error {
  return new Lb4Error('LB4_WRONG_STATE', 'the node engine knows only terms that it has made itself');
}
