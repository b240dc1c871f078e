/** The mirror's configuration as the command line takes it: exit codes, places, and never a password. */
import { join } from 'node:path';
import t from 'tap';
import { startCommandLine } from '../harness/command-line.ts';

const lb4 = startCommandLine(t);

const config = (redis: string): string => `
listeners: [{ name: web, bind: "127.0.0.1:0", upstream: app }]
upstreams: [{ name: app, backends: ["127.0.0.1:81"] }]
redis: ${redis}
`;
const FORM = 'expected a Redis URL: redis://[user[:password]@]host[:6379][/db], ';

void t.test(
  'a Redis URL that is refused: exit 2, with the option or the variable, without the password',
  async t => {
    // By flag and by variable in turns: what is refused is the same (test/src/config/report/secrets.test.ts).
    const cases: [option: '--redis' | 'LB4_REDIS', url: string, expected: string][] = [
      ['--redis', 'hunter2', FORM],
      ['LB4_REDIS', 'http://u:hunter2@h', FORM],
      ['--redis', 'redis://u:hunter2@h:99999', 'expected a port from 1 to 65535'],
      ['LB4_REDIS', 'redis://u:hun/ter2@h', 'expected at most one @, and percent-encoded characters'],
      ['--redis', 'redis+sentinel://u:hunter2@h', "expected the master's name"],
    ];
    for (const [option, url, expected] of cases) {
      const given = option === '--redis' ? [option, url] : [];
      const { code, stdout, stderr } = await lb4(['-b', '127.0.0.1:81', ...given], { LB4_REDIS: url });
      t.equal(code, 2, stderr);
      t.ok(stderr.startsWith(`lb4: ${option}: ${expected}`), stderr);
      t.match(stderr, /^.*\n$/, 'one line');
      t.notMatch(stderr + stdout, /hun|ter2/);
    }
  },
);

void t.test('a URL whose option is misspelled or missing is not repeated', async t => {
  const url = 'redis://u:hunter2@h';
  const cases: [args: string[], said: RegExp][] = [
    [[`--redsi=${url}'x`], /^lb4: unknown option '--redsi'/],
    [['--redsi', url], /^lb4: unknown option '--redsi' \(Did you mean --redis\?\)/],
    [[url], /^lb4: unknown command 'redis:\/\/\*\*\*'/],
    [['run', url], /^lb4: too many arguments/],
  ];
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await lb4(args);
    t.equal(code, 2);
    t.match(stderr, said);
    t.notMatch(stderr + stdout, 'hunter2');
  }
});

void t.test('a file that is refused: exit 78, with line, column, key and what is expected', async t => {
  const cases: [redis: string, env: NodeJS.ProcessEnv, said: string][] = [
    [
      '{ url: redis://h, publish: 9ms }',
      {},
      ':4:35  redis.publish: expected a duration from 10ms to 1m, got "9ms"',
    ],
    [
      '{ url: "redis://u:${PW}@h:x" }',
      { PW: 'hunter2' },
      ':4:15  redis.url: expected a port from 1 to 65535',
    ],
    ['{ url: "redis://u:${PW}@h" }', { PW: 'hun@ter2' }, ':4:15  redis.url: expected at most one @'],
    [
      '{ url: "redis://u:hunter2@h", passwordFile: x }',
      {},
      ':4:52  redis.passwordFile: expected no such key',
    ],
    ['{ url: "redis://h", password: hunter2 }', {}, ':4:28  redis: unknown key "password"; expected one of'],
  ];
  const folder = t.testdir(Object.fromEntries(cases.map(([redis], i) => [`${i}.yaml`, config(redis)])));
  for (const [i, [, env, said]] of cases.entries()) {
    const path = join(folder, `${i}.yaml`);
    const check = await lb4(['check', '-c', path], env);
    t.equal(check.code, 78);
    t.ok(check.stderr.startsWith(path + said), check.stderr);
    t.notMatch(check.stderr + check.stdout, /hun|ter2/);
    if (i > 1) continue;
    const run = await lb4(['-c', path], env);
    t.equal(run.code, 78);
    t.equal(run.stderr, `lb4: ${check.stderr}`, 'run says the same');
  }
});

void t.test('check reads the files that the mirror needs, from the folder of the configuration', async t => {
  const folder = t.testdir({
    'bad.yaml': config('{ url: "rediss://h", passwordFile: no-such-file, tls: { ca: notes.txt } }'),
    'good.yaml': config('{ url: "rediss://h", passwordFile: password, instance: lb4-1 }'),
    'notes.txt': 'no certificate',
    password: 'hunter2\n',
  });
  const bad = join(folder, 'bad.yaml');
  const { code, stderr } = await lb4(['check', '-c', bad]);
  t.equal(code, 78);
  t.equal(
    stderr,
    `${bad}:4:43  redis.passwordFile: expected a readable file with a password in it, got ${join(folder, 'no-such-file')} (ENOENT)
${bad}:4:68  redis.tls.ca: expected a PEM file with at least one certificate, got ${join(folder, 'notes.txt')} (no certificate in it)
`,
  );
  const good = await lb4(['check', '-c', join(folder, 'good.yaml')]);
  t.equal(good.code, 0, good.stderr);
  t.match(good.stdout, 'good.yaml: valid, 1 listener, 1 upstream');
});
