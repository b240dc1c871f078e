/**
 * An authority of the test's own, and certificates that it signs, made by openssl in some milliseconds each.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsCertificate } from '../../src/engine/tls.ts';
import { find, skipWithout } from './programs.ts';
import type { Teardown } from './teardown.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** For a test's `skip`. */
export const withoutOpenssl = skipWithout('openssl');

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
const RSA = ['-newkey', 'rsa:2048'];

export interface Authority {
  /** PEM: what trusts it needs. */
  readonly ca: string;
  readonly folder: string;
  /** A certificate; `names` such as `DNS:a.test,IP:127.0.0.1`. */
  issue(
    name: string,
    names: string,
    how?: { readonly days?: number; readonly keys?: 'ec' | 'rsa'; readonly extended?: string },
  ): TlsCertificate;
  /** What it says of a certificate, in DER. */
  ocspFor(certificate: TlsCertificate): Uint8Array;
}

export function createAuthority(t: Teardown, name = 'lb4 test authority'): Authority {
  const folder = temporaryFolder(t);
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void => {
    execFileSync(find('openssl') ?? 'openssl', args, { cwd: folder, stdio: 'pipe' });
  };
  openssl(
    ...['req', '-x509', '-nodes', ...EC, '-days', '2', '-subj', `/CN=${name}`],
    ...['-keyout', 'ca.key', '-out', 'ca.pem', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  );
  let issued = 0;
  return {
    ca: readFileSync(at('ca.pem'), 'utf8'),
    folder,
    issue(commonName, names, { days = 2, keys = 'ec', extended } = {}) {
      const id = `${commonName}-${++issued}`;
      const use = extended === undefined ? '' : `extendedKeyUsage=${extended}\n`;
      writeFileSync(at('extensions'), `basicConstraints=CA:false\nsubjectAltName=${names}\n${use}`);
      openssl(
        ...['req', '-nodes', ...(keys === 'ec' ? EC : RSA), '-subj', `/O=lb4/CN=${commonName}`],
        ...['-keyout', `${issued}.key`, '-out', 'request'],
      );
      openssl(
        ...['x509', '-req', '-in', 'request', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
        ...['-days', `${days}`, '-extfile', 'extensions', '-out', `${issued}.pem`],
      );
      const dnsNames = names.split(',').flatMap(each => (each.startsWith('DNS:') ? [each.slice(4)] : []));
      return {
        id,
        chain: readFileSync(at(`${issued}.pem`), 'utf8'),
        key: readFileSync(at(`${issued}.key`), 'utf8'),
        names: dnsNames,
      };
    },
    ocspFor({ chain }) {
      writeFileSync(at('asked.pem'), chain);
      writeFileSync(at('index.txt'), '');
      openssl('ocsp', '-issuer', 'ca.pem', '-cert', 'asked.pem', '-reqout', 'ocsp.request');
      openssl(
        ...['ocsp', '-index', 'index.txt', '-rsigner', 'ca.pem', '-rkey', 'ca.key', '-CA', 'ca.pem'],
        ...['-reqin', 'ocsp.request', '-respout', 'ocsp.response', '-ndays', '1'],
      );
      return readFileSync(at('ocsp.response'));
    },
  };
}
