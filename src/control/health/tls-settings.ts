/**
 * How probes speak TLS: as sessions do, unless `health.tls` says something else.
 *
 * Place: made once per upstream by create-probe.ts, so that a bad file is found when the configuration is
 * applied and not by the first probe.
 * Invariants:
 * - Verification is on unless switched off.
 * - The name is checked also when it is an address, which SNI may not carry.
 * - A certificate that sessions get anew is that of the next probe.
 */
import {
  checkServerIdentity,
  createSecureContext,
  type ConnectionOptions,
  type SecureContext,
} from 'node:tls';
import { openingsOf } from '../../codec/starttls/index.ts';
import type { TlsSection } from '../../config/schema/health-schema.ts';
import { type FileDeps, readCertificates } from '../../config/source/named-files.ts';
import type { ClientOpening, TlsClientSettings } from '../../engine/tls.ts';
import type { ProbeTarget } from './probe.ts';
import { hostOf, isName } from './probe-socket.ts';

/** The settings of sessions now: the same object as long as they do not change. */
export type SessionTls = () => TlsClientSettings;

/** For a handshake with one target. */
export interface Handshake {
  readonly options: ConnectionOptions;
  /** What comes before it. */
  readonly opening: ClientOpening | undefined;
}

export type TlsSettings = (target: ProbeTarget) => Handshake;

/** Throws `ConfigError` when the file of authorities cannot be read or holds none. */
export function tlsSettings(
  { verify, serverName, ca }: TlsSection,
  deps: FileDeps,
  ofSessions?: SessionTls,
): TlsSettings {
  const trusted = ca === undefined ? undefined : readCertificates(['tls', 'ca'], ca, deps);
  let settings = ofSessions?.();
  let secureContext = contextOf(trusted, settings);
  return ({ backend }) => {
    const now = ofSessions?.();
    if (now !== settings) {
      settings = now;
      secureContext = contextOf(trusted, settings);
    }
    const host = serverName ?? settings?.serverName ?? hostOf(backend);
    const options: ConnectionOptions = {
      secureContext,
      rejectUnauthorized: verify ?? settings?.verify ?? true,
      servername: isName(host) ? host : '',
      // Not the name that Node passes: that is the one of SNI, which is empty for an address.
      checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
    };
    if (settings !== undefined && settings.alpn.length > 0) options.ALPNProtocols = [...settings.alpn];
    return { options, opening: openingsOf(settings?.starttls)?.client };
  };
}

function contextOf(
  trusted: readonly string[] | undefined,
  settings: TlsClientSettings | undefined,
): SecureContext {
  const ca = trusted ?? settings?.ca;
  const own = settings?.own;
  return createSecureContext({
    ...(ca === undefined ? {} : { ca: [ca].flat() }),
    ...(own === undefined ? {} : { cert: own.chain, key: own.key }),
    ...(settings === undefined ? {} : { minVersion: settings.minVersion }),
  });
}
