/**
 * How probes speak TLS: which authorities they trust, which name they ask for and expect.
 *
 * Place: made once per upstream by create-probe.ts, so that a bad file is found when the configuration is
 * applied and not by the first probe. Invariants: verification is on unless switched off; the name is checked
 * also when it is an address, which SNI may not carry.
 */
import { X509Certificate } from 'node:crypto';
import {
  checkServerIdentity,
  createSecureContext,
  type ConnectionOptions,
  type SecureContext,
} from 'node:tls';
import { resolve } from 'node:path';
import { Lb4Error, systemCode } from '../errors.ts';
import type { ProbeTarget } from './probe.ts';
import { hostOf, isName } from './probe-socket.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const CA_FORM = 'a PEM file with at least one certificate';

export interface TlsConfig {
  readonly verify: boolean;
  readonly serverName?: string | undefined;
  readonly ca?: string | undefined;
}

export interface TlsDeps {
  /** Relative paths start here. */
  readonly baseDir: string;
  /** The place of the check in the configuration, such as `upstreams.app.health`, for errors. */
  readonly where: string;
  readonly readFile: (path: string) => string;
}

/** What a handshake with a target is made with. */
export type TlsSettings = (target: ProbeTarget) => ConnectionOptions;

/** Throws `Lb4Error` (`LB4_CONFIG_INVALID`) when the file of authorities cannot be read or holds none. */
export function tlsSettings({ verify, serverName, ca }: TlsConfig, deps: TlsDeps): TlsSettings {
  const secureContext = contextOf(ca, deps);
  return ({ backend }) => {
    const host = serverName ?? hostOf(backend);
    return {
      secureContext,
      rejectUnauthorized: verify,
      servername: isName(host) ? host : '',
      // The name that Node passes is the one of SNI, which is empty for an address.
      checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
    };
  };
}

function contextOf(ca: string | undefined, { baseDir, where, readFile }: TlsDeps): SecureContext {
  if (ca === undefined) return createSecureContext();
  const path = resolve(baseDir, ca);
  const refuse = (found: string, cause?: unknown): never => {
    const message = `${where}.tls.ca: expected ${CA_FORM}, got ${path} (${found})`;
    throw new Lb4Error('LB4_CONFIG_INVALID', message, { cause });
  };
  let text = '';
  try {
    text = readFile(path);
  } catch (error) {
    refuse(systemCode(error), error);
  }
  const certificates = text.match(CERTIFICATE);
  if (certificates === null) return refuse('no certificate in it');
  // createSecureContext passes over what it cannot read, and would then trust nobody.
  certificates.forEach((certificate, index) => {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      refuse(`certificate ${index + 1} of ${certificates.length} cannot be read`, error);
    }
  });
  return createSecureContext({ ca: certificates });
}
