/**
 * Files and users that a configuration names and that are not there: check and run say where in the configuration each of them
 * is named, with line and column, as they do for everything else.
 */
import { join } from 'node:path';
import t from 'tap';
import { startCommandLine } from '../harness/command-line.ts';

const lb4 = startCommandLine(t);

const config = (keys: { bind?: string; health?: string; strategy?: string; redis?: string }): string => `
listeners: [{ name: web, upstream: app, bind: ${keys.bind ?? '"127.0.0.1:0"'} }]
upstreams:
  - name: other
    backends: ["127.0.0.1:81"]
  - name: app
    backends: ["127.0.0.1:81"]
    health: ${keys.health ?? 'off'}
    strategy: ${keys.strategy ?? 'leastconn'}
redis: ${keys.redis ?? '{ url: "redis://h" }'}
`;
const tls = '{ url: "rediss://h", tls: { cert: ../no-such, key: ../no-such } }';

const CASES: Record<string, [keys: Parameters<typeof config>[0], place: string]> = {
  'health.tls.ca': [{ health: '{ type: tls, tls: { ca: no-such } }' }, '8:37  upstreams[1].health.tls.ca'],
  strategy: [{ strategy: './no-such.js' }, '9:15  upstreams[1].strategy'],
  'redis.passwordFile': [
    { redis: '{ url: "redis://h", passwordFile: no-such }' },
    '10:42  redis.passwordFile',
  ],
  'redis.sentinelPasswordFile': [
    { redis: '{ url: "redis+sentinel://h/m", sentinelPasswordFile: no-such }' },
    '10:61  redis.sentinelPasswordFile',
  ],
  'redis.tls.ca': [{ redis: '{ url: "rediss://h", tls: { ca: no-such } }' }, '10:40  redis.tls.ca'],
  'redis.tls.cert': [{ redis: tls }, '10:42  redis.tls.cert'],
  'bind.user': [{ bind: '[{ address: "unix:/run/x", user: no-such }]' }, '2:80  listeners[0].bind[0].user'],
};

for (const [key, [keys, place]] of Object.entries(CASES)) {
  void t.test(`what ${key} names is not there: both give its place in the configuration`, async t => {
    const path = join(t.testdir({ 'lb4.yaml': config(keys) }), 'lb4.yaml');
    const problem = `${path}:${place}: `;
    for (const [command = '', ...options] of [['check'], ['run', '--log-format', 'text']]) {
      const { code, stdout, stderr } = await lb4([command, ...options, '-c', path]);
      t.equal(code, 78, command);
      t.equal(stdout, '');
      t.match(stderr, problem, command);
      t.match(stderr, /no-such.*(ENOENT|in .etc.passwd)/);
    }
  });
}

void t.test('check names all of them, in the order of the file', async t => {
  const keys = { health: '{ type: tls, tls: { ca: no-such } }', strategy: './no-such.js', redis: tls };
  const path = join(t.testdir({ 'lb4.yaml': config(keys) }), 'lb4.yaml');
  const { stderr } = await lb4(['check', '-c', path]);
  t.same(
    stderr
      .trim()
      .split('\n')
      .map(line => / {2}(\S+):/.exec(line)?.[1]),
    ['upstreams[1].health.tls.ca', 'upstreams[1].strategy', 'redis.tls.cert'],
  );
});

void t.test('check does not run a strategy that is there', async t => {
  const folder = t.testdir({ 'lb4.yaml': config({ strategy: './mine.js' }), 'mine.js': 'process.exit(9);' });
  const { code, stdout } = await lb4(['check', '-c', join(folder, 'lb4.yaml')]);
  t.equal(code, 0);
  t.match(stdout, 'valid');
});

void t.test('a strategy that was typed is named by its option', async t => {
  const { code, stderr } = await lb4(['-b', '127.0.0.1:81', '-s', './no-such.js', '--log-format', 'text']);
  t.equal(code, 2);
  t.match(stderr, /error --strategy: strategy module .*no-such\.js: expected a JavaScript module/);
});
