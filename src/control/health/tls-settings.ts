/**
 * How probes speak TLS: which authorities they trust, which name they ask for and expect.
 *
 * Place: made once per upstream by create-probe.ts, so that a bad file is found when the configuration is
 * applied and not by the first probe.
 * Invariants:
 * - Verification is on unless switched off.
 * - The name is checked also when it is an address, which SNI may not carry.
 */
import {
  checkServerIdentity,
  createSecureContext,
  type ConnectionOptions,
  type SecureContext,
} from 'node:tls';
import { type FileDeps, readCertificates } from '../../config/source/named-files.ts';
import type { ProbeTarget } from './probe.ts';
import { hostOf, isName } from './probe-socket.ts';

export interface TlsConfig {
  readonly verify: boolean;
  readonly serverName?: string | undefined;
  readonly ca?: string | undefined;
}

/** Makes the options of a handshake with a target. */
export type TlsSettings = (target: ProbeTarget) => ConnectionOptions;

/** Throws `ConfigError` when the file of authorities cannot be read or holds none. */
export function tlsSettings({ verify, serverName, ca }: TlsConfig, deps: FileDeps): TlsSettings {
  const secureContext = contextOf(ca, deps);
  return ({ backend }) => {
    const host = serverName ?? hostOf(backend);
    return {
      secureContext,
      rejectUnauthorized: verify,
      servername: isName(host) ? host : '',
      // Not the name that Node passes: that is the one of SNI, which is empty for an address.
      checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
    };
  };
}

function contextOf(ca: string | undefined, deps: FileDeps): SecureContext {
  return createSecureContext(ca === undefined ? {} : { ca: readCertificates(['tls', 'ca'], ca, deps) });
}
