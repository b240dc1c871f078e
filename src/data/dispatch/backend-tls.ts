/**
 * TLS to one backend: what each connect to it asks of the engine.
 *
 * Place: a part of backend-runtime.ts.
 */
import type { OwnConnect } from '../../../pool/index.ts';
import { openingsOf } from '../../codec/starttls/index.ts';
import type { ConnectOptions } from '../../engine/engine.ts';
import type { TlsClientTerms, TlsConnect } from '../../engine/tls.ts';
import { parseAddress } from '../../support/address.ts';
import { hostNameOf } from '../../support/host-name.ts';

/** @param backend its configured address, whose host names it unless the settings do */
export function tlsConnect(backend: string, terms: TlsClientTerms): TlsConnect {
  const parsed = parseAddress(backend);
  const serverName = parsed.ok && parsed.address.kind === 'tcp' ? hostNameOf(parsed.address.host) : undefined;
  return { terms, serverName, opening: openingsOf(terms.settings.starttls)?.client };
}

/** The same with what this connection alone begins with, or offers. */
export function withOwn(options: ConnectOptions, own: OwnConnect | undefined): ConnectOptions {
  if (own === undefined || options.tls === undefined) return options;
  return { ...options, tls: { ...options.tls, ...own } };
}
