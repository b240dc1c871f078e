/** `lb4 check --show`: every value with its origin, no secret, and the same configuration when it is read back. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { showConfig } from '../../../src/cli/show-config.ts';
import { diffConfigs } from '../../../src/config/diff.ts';
import { loadConfig } from '../../../src/config/source/load.ts';
import { startCommandLine } from '../../harness/command-line.ts';
import { fc } from '../../harness/properties.ts';
import { randomConfig } from '../../harness/random-config.ts';

void t.test('each value has its place in the file, or is a default', async t => {
  const file = join(
    t.testdir({
      'lb4.yaml': [
        'listeners:',
        "  - { name: web, bind: '127.0.0.1:0', upstream: app }",
        'upstreams:',
        '  - name: app',
        '    health: { interval: 3s }',
        '    backends:',
        '      - 10.0.0.1:80@2',
        '      - address: 10.0.0.2:80',
        '        weight: ${W}',
        'redis: { url: "redis://me:hunter2@r" }',
      ].join('\n'),
    }),
    'lb4.yaml',
  );
  const lb4 = startCommandLine(t);
  const { code, stdout, stderr } = await lb4(['check', '-c', file, '--show'], { W: '7' });
  t.same([code, stderr], [0, ''], stdout);
  const lines = stdout.split('\n');
  t.equal(lines[0], `# ${file}: valid, 1 listener, 1 upstream`);
  for (const line of [
    `  - name: web # ${file}:2:13`,
    `      - 127.0.0.1:0 # ${file}:2:24`,
    '      idle: 1h # default',
    `      - address: 10.0.0.1:80 # ${file}:7:9`,
    `        weight: 2 # ${file}:7:9`,
    `        weight: 7 # ${file}:9:17`,
    `      interval: 3s # ${file}:5:25`,
    '      timeout: 2s # default',
    '    strategy: leastconn # default',
    `  url: redis://***@r:6379 # ${file}:10:15`,
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.notMatch(stdout, 'hunter2');
});

void t.test('options and variables are origins, with a file and without one', async t => {
  const file = join(
    t.testdir({
      'lb4.yaml':
        "listeners: [{ name: web, bind: ':0', upstream: app }]\nupstreams: [{ name: app, backends: ['a:1'] }]\n",
    }),
    'lb4.yaml',
  );
  const lb4 = startCommandLine(t);
  const env = { LB4_IDLE_TIMEOUT: '5m', LB4_REDIS: 'redis://me:hunter2@r', LB4_DRAIN_TIMEOUT: '9s' };
  const short = await lb4(['check', '--show', '-b', '10.0.0.1:80@3', '--drain-timeout', '7s'], env);
  t.same([short.code, short.stderr], [0, '']);
  const lines = short.stdout.split('\n');
  t.equal(
    lines[0],
    '# --backends, LB4_IDLE_TIMEOUT, --drain-timeout, LB4_REDIS: valid, 1 listener, 1 upstream',
  );
  for (const line of [
    '  - name: default # default',
    '      - 127.0.0.1:8080 # default',
    '      - address: 10.0.0.1:80 # --backends',
    '        weight: 3 # --backends',
    '      idle: 5m # LB4_IDLE_TIMEOUT',
    'drainTimeout: 7s # --drain-timeout',
    '  url: redis://***@r:6379 # LB4_REDIS',
  ])
    t.ok(lines.includes(line), line);
  t.notMatch(short.stdout, 'hunter2');

  const both = await lb4(
    ['check', '-c', file, '--show', '-s', 'random', '--send-proxy', 'v1', '--accept-proxy', '10.0.0.0/8'],
    env,
  );
  t.equal(both.code, 0);
  for (const line of [
    '    strategy: random # --strategy',
    '      version: v1 # --send-proxy',
    '        - 10.0.0.0/8 # --accept-proxy',
    '      idle: 5m # LB4_IDLE_TIMEOUT',
    `      - address: a:1 # ${file}:2:37`,
  ])
    t.ok(both.stdout.split('\n').includes(line), line);
});

void t.test('check finds what run would find, with the same exit code', async t => {
  const folder = t.testdir({
    'lb4.yaml':
      "listeners: [{ name: web, bind: ':0', upstream: app }]\nupstreams: [{ name: app, backends: ['a:1'] }]\n",
  });
  const file = join(folder, 'lb4.yaml');
  const lb4 = startCommandLine(t);
  const none = join(folder, 'none');
  const cases: readonly (readonly [string[], number, string, NodeJS.ProcessEnv?])[] = [
    [[], 2, '--backends: missing'],
    [['-c', none], 78, none],
    [['-c', file, '--idle-timeout', '5x'], 2, '--idle-timeout: expected a duration'],
    [['-c', file], 2, 'LB4_IDLE_TIMEOUT: expected a duration', { LB4_IDLE_TIMEOUT: '5x' }],
    [['-c', file, '-s', './none.js'], 2, '--strategy: '],
    [['-b', 'a:1', '--admin', '127.0.0.1:0', '--admin-token-file', none], 2, '--admin-token-file: '],
  ];
  for (const [args, code, words, env = {}] of cases) {
    for (const command of [['check', ...args], args]) {
      const ran = await lb4(command, env);
      t.equal(ran.code, code, `${command.join(' ')}: ${ran.stderr}`);
      t.match(ran.stderr, words);
      t.equal(ran.stdout, '');
    }
  }
  const misspelt = await lb4(['check', '-c', file], { LB4_BACKEND: 'b:1' });
  t.match(misspelt, {
    code: 0,
    stderr: /^warning: the environment variable LB4_BACKEND .* mean LB4_BACKENDS\?\n$/,
  });
});

void t.test('read back it is the same configuration, but for secrets', async t => {
  const folder = t.testdir({});
  const [file, shown] = [join(folder, 'lb4.yaml'), join(folder, 'shown.yaml')];
  const load = (path: string) => {
    const loaded = loadConfig({ file: path, env: {} });
    if (!loaded.ok) throw new Error(loaded.message);
    return loaded;
  };
  fc.assert(
    fc.property(randomConfig, input => {
      writeFileSync(file, JSON.stringify({ ...input, redis: undefined }));
      const { config, origin } = load(file);
      const text = showConfig(config, origin);
      writeFileSync(shown, text);
      const differences = diffConfigs(config, load(shown).config).filter(
        ({ path }) => path.at(-1) !== 'send',
      );
      return differences.length === 0 && !text.includes('hunter2');
    }),
    { numRuns: 60 },
  );
});
