/**
 * Counts are shared over TLS, with who can prove to be the Redis that is meant.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RedisConnection } from '../../../../src/control/mirror/redis-connection.ts';
import { freePort, runProgram, skipWithout } from '../../../harness/programs.ts';
import { startRedisServer } from '../../../harness/redis-server.ts';
import { shareOver, type SharingInstance } from '../../../harness/sharing-instance.ts';
import { temporaryFolder } from '../../../harness/temporary-folder.ts';

const skip = skipWithout('redis-server', 'openssl');

void t.test('a Redis with a certificate of an own authority', { skip }, async t => {
  const folder = temporaryFolder(t);
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const made = await runProgram('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=redis.test', '-addext', 'subjectAltName=DNS:redis.test', '-keyout', key, '-out', cert],
  ]);
  t.equal(made.code, 0, made.stderr);
  const ca = readFileSync(cert, 'utf8');
  const port = await freePort();
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
  const redis = await startRedisServer(t, { args: ['--tls-port', String(port), ...files] });
  const over = (tls: RedisConnection['tls'] & object): SharingInstance => {
    const topology = { kind: 'single', node: { host: '127.0.0.1', port } } as const;
    return shareOver(t, { topology, database: 0, tls }, { timeoutMs: 1_000 });
  };

  t.equal(await over({ ca, serverName: 'redis.test' }).trouble(), 'unreachable', 'it asks for a certificate');
  const own = { cert: ca, key: readFileSync(key, 'utf8') };
  t.equal(await over({ ca, serverName: 'redis.test', ...own }).trouble(), 'fine');
  t.match(await over({ ca, serverName: 'other.test', ...own }).failure(), {
    reason: 'unreachable',
    message: /ERR_TLS_CERT_ALTNAME_INVALID/,
  });
  t.match(await over({ serverName: 'redis.test', ...own }).failure(), {
    reason: 'unreachable',
    message: /SELF_SIGNED/,
  });
  t.equal(await over({ ca: 'no certificate', ...own }).trouble(), 'unreachable');
  const plain = shareOver(t, { ...redis.connection, tls: { ca } });
  t.match(await plain.trouble(), /^(unreachable|timeout)$/, 'where nobody speaks TLS');
});
