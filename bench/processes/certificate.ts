/**
 * The certificate of the balancers under TLS: one for all of them, made by openssl for the run, P-256 as most sites have.
 *
 * Place: rounds.ts passes it to peers in scenarios with TLS.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsFiles } from '../peers/peer.ts';
import type { Children } from './children.ts';

/** Made at the first call. */
export function certificateMaker(children: Children): () => Promise<TlsFiles> {
  let made: Promise<TlsFiles> | undefined;
  return () => (made ??= makeCertificate(children));
}

async function makeCertificate(children: Children): Promise<TlsFiles> {
  const folder = children.temporaryFolder();
  const [cert, key, both] = [join(folder, 'cert.pem'), join(folder, 'key.pem'), join(folder, 'both.pem')];
  const child = await children.start([
    ...['openssl', 'req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-days', '2', '-subj', '/CN=bench', '-addext', 'subjectAltName=DNS:bench'],
    ...['-keyout', key, '-out', cert],
  ]);
  const { code, stderr } = await child.ended;
  if (code !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  writeFileSync(both, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'), { mode: 0o600 });
  return { cert, key, both };
}
