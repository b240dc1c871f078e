import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RedisConfig } from '../../../../src/config/schema/schema.ts';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import { Lb4Error } from '../../../../src/errors.ts';
import { redisConnection } from '../../../../src/control/mirror/redis-connection.ts';
import { certificateFor, withoutOpenssl } from '../health/certificate.ts';

/** The section as the configuration parses it. */
function section(redis: Record<string, unknown>): RedisConfig {
  const parsed = parseConfig({
    listeners: [{ name: 'l', bind: ':1', upstream: 'u' }],
    upstreams: [{ name: 'u', backends: ['a:1'] }],
    redis,
  });
  if (!parsed.ok || parsed.config.redis === undefined) throw new Error(JSON.stringify(parsed));
  return parsed.config.redis;
}

const readFile = (path: string): string => readFileSync(path, 'utf8');
const connect = (redis: Record<string, unknown>, baseDir = '/nowhere') =>
  redisConnection(section(redis), { baseDir, at: ['redis'], readFile });
/** Connects with a password file of this text. */
const withPassword = (text: string) =>
  redisConnection(section({ url: 'redis://h', passwordFile: 'pw' }), {
    baseDir: '/etc/lb4',
    at: ['redis'],
    readFile: () => text,
  });

function refused(redis: Record<string, unknown>, baseDir: string): string {
  try {
    connect(redis, baseDir);
  } catch (error) {
    if (error instanceof Lb4Error && error.code === 'LB4_CONFIG_INVALID') return error.message;
    throw error;
  }
  return '';
}

void t.test('a URL alone needs no file, and what it does not say is absent', async t => {
  const node = { host: 'h', port: 6379 };
  t.strictSame(connect({ url: 'redis://h' }), { topology: { kind: 'single', node }, database: 0 });
  t.strictSame(connect({ url: 'rediss://u:p@h/3' }), {
    topology: { kind: 'single', node },
    database: 3,
    username: 'u',
    password: 'p',
    tls: {},
  });
});

void t.test('passwords come from files, whose one line end at the end is not a part of them', async t => {
  const folder = t.testdir({ pw: 's e c r e t\n', spw: 'two\n\n' });
  const redis = {
    url: 'redis+sentinel://s/m',
    username: 'lb4',
    passwordFile: 'pw',
    sentinelUsername: 'watcher',
    sentinelPasswordFile: join(folder, 'spw'),
  };
  t.strictSame(connect(redis, folder), {
    topology: { kind: 'sentinel', nodes: [{ host: 's', port: 26_379 }], master: 'm' },
    database: 0,
    username: 'lb4',
    password: 's e c r e t',
    sentinelUsername: 'watcher',
    sentinelPassword: 'two\n',
  });
  t.equal(withPassword('x\r\n').password, 'x');
  t.equal(withPassword(' x ').password, ' x ');
});

void t.test('a password file that cannot be used is refused with the key, the path and why', async t => {
  const folder = t.testdir({ empty: '', line: '\n' });
  const EXPECTED = 'expected a readable file with a password in it, got';
  const cases: [file: string, found: string][] = [
    ['missing', 'ENOENT'],
    ['.', 'EISDIR'],
    ['empty', 'it is empty'],
    ['line', 'it is empty'],
  ];
  for (const [file, found] of cases) {
    const place = `${EXPECTED} ${join(folder, file)} (${found})`;
    t.equal(refused({ url: 'redis://h', passwordFile: file }, folder), `redis.passwordFile: ${place}`);
    t.equal(
      refused({ url: 'redis+sentinel://s/m', sentinelPasswordFile: file }, folder),
      `redis.sentinelPasswordFile: ${place}`,
    );
  }
  t.throws(() => withPassword(Buffer.from([0x68, 0xff]).toString()), {
    code: 'LB4_CONFIG_INVALID',
    message: `redis.passwordFile: ${EXPECTED} /etc/lb4/pw (it is not UTF-8)`,
  });
});

void t.test('everything that is wrong with the files is told at once', async t => {
  const folder = t.testdir({ notes: 'no certificate' });
  const tls = { ca: 'notes', cert: 'gone.pem', key: 'gone.key' };
  const CERTIFICATE = 'expected a PEM file with at least one certificate, got';
  t.equal(
    refused({ url: 'rediss://h', passwordFile: 'gone', tls }, folder),
    [
      `redis.passwordFile: expected a readable file with a password in it, got ${join(folder, 'gone')} (ENOENT)`,
      `redis.tls.ca: ${CERTIFICATE} ${join(folder, 'notes')} (no certificate in it)`,
      `redis.tls.cert: ${CERTIFICATE} ${join(folder, 'gone.pem')} (ENOENT)`,
    ].join('\n'),
  );
});

void t.test('certificates and keys are read, and must belong together', { skip: withoutOpenssl }, async t => {
  const { cert, key, folder } = await certificateFor(t, 'DNS:redis.test');
  const other = await certificateFor(t, 'DNS:other.test');
  const all = { ca: 'cert.pem', cert: 'cert.pem', key: 'key.pem', serverName: 'redis.test' };
  const { tls } = connect({ url: 'rediss://h', tls: all }, folder);
  t.strictSame(tls, { serverName: 'redis.test', ca: cert.trim(), cert: cert.trim(), key });

  const encrypted = join(folder, 'encrypted.pem');
  const [openssl, pass] = ['openssl', 'pass:hunter2'];
  execFileSync(openssl, [
    'pkcs8',
    '-topk8',
    '-in',
    join(folder, 'key.pem'),
    '-out',
    encrypted,
    '-passout',
    pass,
  ]);
  const cases: [key: string, found: string][] = [
    [join(other.folder, 'key.pem'), 'the key of another certificate'],
    [join(folder, 'cert.pem'), 'no private key in it'],
    [encrypted, 'it needs a passphrase'],
    [join(folder, 'gone.pem'), 'ENOENT'],
  ];
  for (const [path, found] of cases) {
    t.equal(
      refused({ url: 'rediss://h', tls: { ...all, key: path } }, folder),
      `redis.tls.key: expected a PEM file with the private key of the certificate, got ${path} (${found})`,
    );
  }
  const broken = t.testdir({ 'k.pem': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n' });
  t.match(
    refused({ url: 'rediss://h', tls: { ...all, key: join(broken, 'k.pem') } }, folder),
    /k\.pem \(the private key cannot be read\)$/,
  );
});
