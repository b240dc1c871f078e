/**
 * Reads the files that a configuration names: certificates, private keys, passwords.
 *
 * Place: at the start, by the health checks and the mirror, and by `lb4 check`; so a bad file is found before a first
 * use could fail. Invariants: what is refused is an `Lb4Error` (`LB4_CONFIG_INVALID`) with the key and the path; what
 * stands in a file is in no message.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { Lb4Error, systemCode } from '../errors.ts';

export interface FileDeps {
  /** Relative paths start here. */
  readonly baseDir: string;
  /** The place in the configuration, such as `upstreams.app.health` or `redis`, for errors. */
  readonly where: string;
  /** The file's text, as UTF-8. */
  readonly readFile: (path: string) => string;
}

/** What has been read, and how to refuse it all the same. */
interface NamedFile {
  readonly text: string;
  readonly refusal: (found: string, cause?: unknown) => Lb4Error;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** The certificates of a PEM file, each by itself: at least one. `key` is below `deps.where`, such as `tls.ca`. */
export function readCertificates(key: string, file: string, deps: FileDeps): [string, ...string[]] {
  const { text, refusal } = read(key, file, 'a PEM file with at least one certificate', deps);
  const [first, ...others] = text.match(CERTIFICATE) ?? [];
  if (first === undefined) throw refusal('no certificate in it');
  const certificates: [string, ...string[]] = [first, ...others];
  // createSecureContext passes over what it cannot read, and would then trust nobody.
  certificates.forEach((certificate, index) => {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      throw refusal(`certificate ${index + 1} of ${certificates.length} cannot be read`, error);
    }
  });
  return certificates;
}

/** The private key of a PEM file, which must be the one of `certificate`. */
export function readPrivateKey(key: string, file: string, certificate: string, deps: FileDeps): string {
  const { text, refusal } = read(key, file, 'a PEM file with the private key of the certificate', deps);
  if (!PRIVATE_KEY.test(text)) throw refusal('no private key in it');
  let isOfCertificate: boolean;
  try {
    isOfCertificate = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(text));
  } catch (error) {
    const why = /ENCRYPTED/.test(text) ? 'it needs a passphrase' : 'the private key cannot be read';
    throw refusal(why, error);
  }
  if (!isOfCertificate) throw refusal('the key of another certificate');
  return text;
}

/** A password: the whole text of a file but for one line end at its end. */
export function readPassword(key: string, file: string, deps: FileDeps): string {
  const { text, refusal } = read(key, file, 'a readable file with a password in it', deps);
  const password = text.replace(/\r?\n$/, '');
  if (password === '') throw refusal('it is empty');
  // What decoding makes of bytes that are no UTF-8; the password would be another one.
  if (password.includes('\uFFFD')) throw refusal('it is not UTF-8');
  return password;
}

function read(
  key: string,
  file: string,
  expected: string,
  { baseDir, where, readFile }: FileDeps,
): NamedFile {
  const path = resolve(baseDir, file);
  const refusal = (found: string, cause?: unknown): Lb4Error =>
    new Lb4Error('LB4_CONFIG_INVALID', `${where}.${key}: expected ${expected}, got ${path} (${found})`, {
      cause,
    });
  try {
    return { text: readFile(path), refusal };
  } catch (error) {
    throw refusal(systemCode(error), error);
  }
}
