/**
 * Self-signed certificates for TLS servers in tests, made by openssl.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { runProgram, skipWithout } from '../../../harness/programs.ts';
import { temporaryFolder } from '../../../harness/temporary-folder.ts';

/** For a test's `skip`. */
export const withoutOpenssl = skipWithout('openssl');

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** The file with `cert`, gone with the test. */
  readonly path: string;
  readonly folder: string;
}

/** A certificate for `names` (such as `DNS:backend.test,IP:127.0.0.1`) that is its own authority. */
export async function certificateFor(t: Test, names: string, days = 2): Promise<Certificate> {
  const folder = temporaryFolder(t);
  const [path, keyPath] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const { code, stderr } = await runProgram('openssl', [
    ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-days', `${days}`, '-subj', '/CN=lb4 test', '-addext', `subjectAltName=${names}`],
    ...['-keyout', keyPath, '-out', path],
  ]);
  if (code !== 0) throw new Error(stderr);
  return { cert: readFileSync(path, 'utf8'), key: readFileSync(keyPath, 'utf8'), path, folder };
}
