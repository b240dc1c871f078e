/**
 * Reads the files that a configuration names: certificates, private keys, passwords, tokens.
 *
 * Place: used at the start by the health checks and the mirror, and by `lb4 check`; so a bad file is found before its
 * first use could fail.
 * Invariants:
 * - A refused file is a `ConfigError` with the key and the path.
 * - No message contains text of a file.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { systemCode } from '../../errors.ts';
import { ConfigError } from '../report/config-error.ts';
import type { Path } from '../report/issue.ts';

export interface FileDeps {
  /** Relative paths start here. */
  readonly baseDir: string;
  /** The place in the configuration, such as `['upstreams', 'app', 'health']` or `['redis']`, for errors. */
  readonly at: Path;
  /** The file's text, as UTF-8. */
  readonly readFile: (path: string) => string;
}

/** The content of a file, and how to refuse it later. */
interface NamedFile {
  readonly text: string;
  readonly refusal: (found: string) => ConfigError;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** The certificates of a PEM file, each by itself: at least one. `key` is below `deps.at`, such as `['tls', 'ca']`. */
export function readCertificates(key: Path, file: string, deps: FileDeps): [string, ...string[]] {
  const { text, refusal } = read(key, file, 'a PEM file with at least one certificate', deps);
  const [first, ...others] = text.match(CERTIFICATE) ?? [];
  if (first === undefined) throw refusal('no certificate in it');
  const certificates: [string, ...string[]] = [first, ...others];
  // createSecureContext skips what it cannot read, and would then trust no certificate at all.
  certificates.forEach((certificate, index) => {
    try {
      new X509Certificate(certificate);
    } catch {
      throw refusal(`certificate ${index + 1} of ${certificates.length} cannot be read`);
    }
  });
  return certificates;
}

/** The private key of a PEM file, which must be the one of `certificate`. */
export function readPrivateKey(key: Path, file: string, certificate: string, deps: FileDeps): string {
  const { text, refusal } = read(key, file, 'a PEM file with the private key of the certificate', deps);
  if (!PRIVATE_KEY.test(text)) throw refusal('no private key in it');
  let isOfCertificate: boolean;
  try {
    isOfCertificate = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(text));
  } catch {
    throw refusal(/ENCRYPTED/.test(text) ? 'it needs a passphrase' : 'the private key cannot be read');
  }
  if (!isOfCertificate) throw refusal('the key of another certificate');
  return text;
}

/** A password: the whole text of a file, without one line end at its end. */
export function readPassword(key: Path, file: string, deps: FileDeps): string {
  const { text, refusal } = read(key, file, 'a readable file with a password in it', deps);
  const password = text.replace(/\r?\n$/, '');
  if (password === '') throw refusal('it is empty');
  // The character that decoding puts in place of bytes that are no UTF-8: the password would be another one.
  if (password.includes('\uFFFD')) throw refusal('it is not UTF-8');
  return password;
}

/** The token of the admin API; undefined where none is configured. Spaces around it are dropped. */
export function adminToken(
  { tokenFile }: { readonly tokenFile?: string | undefined },
  deps: Omit<FileDeps, 'at'>,
): string | undefined {
  if (tokenFile === undefined) return undefined;
  const { text, refusal } = read(['tokenFile'], tokenFile, 'a readable file with a token in it', {
    ...deps,
    at: ['admin'],
  });
  const token = text.trim();
  if (token === '') throw refusal('it is empty');
  if (!/^[\x21-\x7e]{1,4096}$/.test(token))
    throw refusal('a token is one word of at most 4096 ASCII characters');
  return token;
}

function read(key: Path, file: string, expected: string, { baseDir, at, readFile }: FileDeps): NamedFile {
  const path = resolve(baseDir, file);
  const refusal = (found: string): ConfigError => {
    const got = `${path} (${found})`;
    const message = `expected ${expected}, got ${got}`;
    return new ConfigError([{ path: [...at, ...key], kind: 'value', expected, got, message }]);
  };
  try {
    return { text: readFile(path), refusal };
  } catch (error) {
    throw refusal(systemCode(error));
  }
}
