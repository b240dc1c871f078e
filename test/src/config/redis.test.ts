/** The section `redis`: what it becomes, and what is wrong with it in plain words. */
import t from 'tap';
import { loadConfig } from '../../../src/config/source/load.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { problems, withTop, type Keys } from './small-inputs.ts';

const withRedis = (keys: Keys) => withTop({ redis: { url: 'redis://h', ...keys } });

void t.test('without the section there is no mirror', async t => {
  const parsed = parseConfig(withTop({}));
  t.ok(parsed.ok && parsed.config.redis === undefined);
});

void t.test('a URL is enough: counts are published four times a second', async t => {
  const parsed = parseConfig(withRedis({}));
  t.strictSame(parsed.ok && parsed.config.redis, {
    url: { topology: { kind: 'single', node: { host: 'h', port: 6379 } }, database: 0, tls: false },
    publish: 250,
  });
});

void t.test('every key has its place', async t => {
  const keys = {
    username: 'lb4',
    passwordFile: 'pw',
    sentinelUsername: 's',
    sentinelPasswordFile: 'spw',
    tls: { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem', serverName: 'redis.internal' },
    publish: 60_000,
    instance: 'lb4-1.example_x',
  };
  const parsed = parseConfig(withRedis({ url: 'rediss+sentinel://s/m', ...keys }));
  t.match(parsed, { ok: true, config: { redis: { url: { tls: true }, ...keys } } });
});

void t.test('--redis stands over the URL of the file, and makes the section where there is none', async t => {
  const from = (file: string | undefined) =>
    loadConfig({ file, flags: { backends: 'a:1', redis: 'redis://flag' }, env: {} });
  const host = (name: string) => ({ redis: { url: { topology: { node: { host: name } } } } });
  t.match(from(undefined), { ok: true, config: host('flag') });
  const folder = t.testdir({ 'lb4.yaml': 'redis: { url: redis://file, publish: 1s }\n' });
  t.match(from(`${folder}/lb4.yaml`), {
    ok: true,
    config: { redis: { ...host('flag').redis, publish: 1000 } },
  });
});

const SECTION =
  'redis: expected a mapping with keys such as url, username, passwordFile, sentinelUsername, got';
const DURATION = 'expected a duration from 10ms to 1m, got';
const SENTINEL =
  'expected no such key unless url begins with redis+sentinel:// or rediss+sentinel://, got a text';
const NAME =
  'expected a name of 1 to 64 letters, digits, ".", "_" or "-" that starts with a letter or digit, got';
const HIDDEN = 'that is not shown';

const BAD: [name: string, keys: Keys, line: string][] = [
  ['a period below 10 ms', { publish: '9ms' }, `redis.publish: ${DURATION} "9ms"`],
  ['a period of 0', { publish: '0s' }, `redis.publish: ${DURATION} "0s"`],
  ['a period above a minute', { publish: '61s' }, `redis.publish: ${DURATION} "61s"`],
  ['an instance with a space', { instance: 'a b' }, `redis.instance: ${NAME} "a b"`],
  ['a name of 65 letters', { instance: 'x'.repeat(65) }, `redis.instance: ${NAME} "${'x'.repeat(65)}"`],
  ['an empty user', { username: '' }, 'redis.username: expected a text of 1 to 255 characters, got ""'],
  [
    'a user that is a number',
    { username: 12345 },
    `redis.username: expected a text of 1 to 255 characters, got a number ${HIDDEN}`,
  ],
  [
    'a password in the URL and in a file',
    { url: 'redis://:pw@h', passwordFile: 'f' },
    `redis.passwordFile: expected no such key, because url holds a password already, got a text ${HIDDEN}`,
  ],
  [
    'a user in the URL and beside it',
    { url: 'redis://u@h', username: 'v' },
    `redis.username: expected no such key, because url names a user already, got a text ${HIDDEN}`,
  ],
  [
    'a user for Sentinels without any',
    { sentinelUsername: 'u' },
    `redis.sentinelUsername: ${SENTINEL} ${HIDDEN}`,
  ],
  [
    'a password for Sentinels with a cluster',
    { url: 'redis+cluster://h', sentinelPasswordFile: 'f' },
    `redis.sentinelPasswordFile: ${SENTINEL} ${HIDDEN}`,
  ],
  [
    'TLS settings without TLS',
    { tls: {} },
    'redis.tls: expected no such key unless url begins with rediss, which means TLS, got a mapping',
  ],
  [
    'a certificate without its key',
    { url: 'rediss://h', tls: { cert: 'c.pem' } },
    'redis.tls.key: missing; expected both of cert and key, or none',
  ],
  [
    'a key without its certificate',
    { url: 'rediss://h', tls: { key: 'k.pem' } },
    'redis.tls.cert: missing; expected both of cert and key, or none',
  ],
  [
    'a name for TLS that is none',
    { url: 'rediss://h', tls: { serverName: 'a b' } },
    'redis.tls.serverName: expected a host such as app.internal or 10.0.0.1:8080, in plain ASCII, got "a b"',
  ],
  ['a misspelled key', { publsh: '1s' }, 'redis: unknown key "publsh"; did you mean "publish"?'],
  [
    'a port out of range',
    { url: 'rediss://u:hunter2@h:99999' },
    'redis.url: expected a port from 1 to 65535, as in redis://[user[:password]@]host[:6379][/db], got "rediss://***"',
  ],
];

for (const [name, keys, line] of BAD) {
  void t.test(`${name} is told in plain words`, async t => {
    t.equal(problems(withRedis(keys)), line);
  });
}

void t.test('a section that is none, or has no URL, is told in plain words', async t => {
  t.equal(problems(withTop({ redis: 'redis://u:hunter2@h' })), `${SECTION} a text ${HIDDEN}`);
  t.equal(problems(withTop({ redis: null })), `${SECTION} nothing`);
  t.match(problems(withTop({ redis: {} })), /^redis\.url: missing; expected a Redis URL: redis:\/\//);
});
