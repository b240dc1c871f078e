import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig, loadConfigFile } from '../../../../src/config/source/load.ts';

const folder = t.testdir({});
let count = 0;
function fileWith(content: string | Uint8Array): string {
  const file = join(folder, `${String(++count)}.yaml`);
  writeFileSync(file, content);
  return file;
}
/** The message of a refused file, with the file's name as F. */
function problems(content: string, env: Record<string, string> = {}): string {
  const file = fileWith(content);
  const result = loadConfigFile(file, env);
  return result.ok ? '' : result.message.replaceAll(file, 'F');
}

const GOOD = `
listeners:
  - { name: web, bind: ':8080', upstream: app }
upstreams:
  - name: app
    backends: ['10.0.0.1:80']
`;

await t.test('a good file becomes a configuration, in YAML and in JSON', t => {
  t.match(loadConfigFile(fileWith(GOOD), {}), { ok: true, config: { upstreams: [{ name: 'app' }] } });
  const json =
    '{"listeners":[{"name":"w","bind":":1","upstream":"a"}],"upstreams":[{"name":"a","backends":["b:1"]}]}';
  t.match(loadConfigFile(fileWith(json), {}), { ok: true, config: { upstreams: [{ name: 'a' }] } });
  t.end();
});

await t.test('a file that cannot be read is refused with its reason', t => {
  const directory = join(folder, 'directory');
  mkdirSync(directory);
  const cases: [string, string, string][] = [
    [join(folder, 'nope.yaml'), 'missing', 'there is no such file'],
    [join(fileWith('x'), 'below'), 'missing', 'there is no such file'],
    [directory, 'directory', 'it is a directory'],
    [fileWith(''), 'empty', 'it is empty'],
    [fileWith(' \n\n'), 'empty', 'it is empty'],
    [fileWith('# only a comment\n'), 'empty', 'it is empty'],
    [fileWith(Uint8Array.of(97, 0, 98)), 'binary', 'it is not a text file (UTF-8)'],
    [fileWith(Uint8Array.of(97, 58, 32, 0xff, 0xfe)), 'binary', 'it is not a text file (UTF-8)'],
    [fileWith(Buffer.alloc(10_000_000, 'a: b\n')), 'tooLarge', 'it is larger than 1 MiB'],
    [fileWith(Buffer.alloc(1024 * 1024 + 1, '#')), 'tooLarge', 'it is larger than 1 MiB'],
    ['x'.repeat(300), 'failed', 'ENAMETOOLONG'],
  ];
  for (const [file, reason, words] of cases) {
    const message = `cannot read ${file}: ${words}`;
    t.strictSame(loadConfigFile(file, {}), { kind: 'unreadable', ok: false, reason, message });
  }
  t.match(
    loadConfigFile(fileWith(Buffer.alloc(1024 * 1024, '#')), {}),
    { reason: 'empty' },
    '1 MiB is allowed',
  );
  t.end();
});

const isRoot = process.getuid?.() === 0;
await t.test('a file without permission is refused', { skip: isRoot && 'root may read every file' }, t => {
  const file = fileWith(GOOD);
  chmodSync(file, 0);
  t.match(loadConfigFile(file, {}), {
    reason: 'permission',
    message: `cannot read ${file}: permission denied`,
  });
  t.end();
});

await t.test(
  'three problems at once are all reported, each with its line and column, in the order of the file',
  t => {
    const text = `listeners:
  - name: web
    bind: ':8080'
    upstream: ap
upstreams:
  - name: app
    backends:
      - { address: 10.0.0.1:80, weight: -1 }
      - { address: 10.0.0.2:80, weigth: 2 }
    connect: { timeout: 5x }
    health:
      interval: 5
`;
    t.equal(
      problems(text),
      `F:4:15  listeners[0].upstream: expected the name of an upstream (app), got "ap"; did you mean "app"?
F:8:41  upstreams[0].backends[0].weight: expected an integer from 0 to 256, got -1
F:9:33  upstreams[0].backends[1]: unknown key "weigth"; did you mean "weight"?
F:10:25  upstreams[0].connect.timeout: expected a duration such as 250ms, 5s, 10m or 1h, got "5x"
F:12:17  upstreams[0].health.interval: expected a duration with its unit, such as 250ms, 5s, 10m or 1h, got 5`,
    );
    t.end();
  },
);

await t.test('a backend given twice is told with both places', t => {
  t.equal(
    problems(GOOD.replace("['10.0.0.1:80']", "['10.0.0.1:80', '10.0.0.1:80@2']")),
    'F:6:31  upstreams[0].backends[1]: expected each backend only once, got "10.0.0.1:80@2" (also at upstreams[0].backends[0])',
  );
  t.end();
});

await t.test('what is missing is told at the nearest place there is', t => {
  t.equal(
    problems('upstreams:\n  - name: app\n    pool: {}\n'),
    `F:1:1  listeners: missing; expected a list of 1 to 1000 listeners
F:2:5  upstreams[0].backends: missing; expected a list of 1 to 10000 backends`,
  );
  t.end();
});

await t.test('duplicate keys and missing variables are told together with all other problems', t => {
  t.equal(
    problems(`${GOOD}    backends: ['\${GONE}', 'x']\ndrainTimeout: 1x\n`),
    `F:7:5  upstreams[0].backends: given twice; it stands in line 6 already
F:7:16  upstreams[0].backends[0]: the environment variable GONE is not set; set it, or give a default as in \${GONE:-value}
F:7:27  upstreams[0].backends[1]: expected a port, as in x:5432, got "x"
F:8:15  drainTimeout: expected a duration such as 250ms, 5s, 10m or 1h, got "1x"`,
  );
  t.end();
});

await t.test('what is not YAML is told as such, without further complaints', t => {
  t.match(problems('listeners: [\n'), /^F:\d:\d+ {2}not valid YAML: [^\n]+$/);
  t.end();
});

await t.test('variables are filled in, and what they contain is in no message', t => {
  const text = GOOD.replace("'10.0.0.1:80'", "'${BACKEND}'").replace('name: app', 'name: ${NAME}');
  const good = loadConfigFile(fileWith(text), { BACKEND: '10.9.9.9:1', NAME: 'app' });
  t.match(good, { ok: true, config: { upstreams: [{ name: 'app', backends: [{ id: '10.9.9.9:1' }] }] } });

  const lines = problems(text, { BACKEND: 'hunter2', NAME: 'swordfish' });
  t.notMatch(lines, /hunter2|swordfish/);
  t.equal(
    lines,
    `F:3:43  listeners[0].upstream: expected the name of an upstream (\${NAME}), got "app"
F:6:16  upstreams[0].backends[0]: expected host:port, [v6]:port or unix:/path, with an optional @weight, got "\${BACKEND}"`,
  );
  t.end();
});

await t.test('flags stand over the file, and problems name the one or the other', t => {
  const file = fileWith(`${GOOD}drainTimeout: 1x\n`);
  const flags = { backends: '10.0.0.7', drainTimeout: '2s', logLevel: 'loud' };
  t.match(loadConfig({ file, flags, env: {} }), {
    ok: false,
    issues: [
      { place: { option: '--backends' }, path: ['upstreams', 0, 'backends', 0] },
      { place: { option: '--log-level' } },
    ],
    message:
      '--backends: expected a port, as in 10.0.0.7:5432, got "10.0.0.7"\n--log-level: expected one of error, warn, info, debug, got "loud"',
  });
  t.match(loadConfig({ file, flags: { drainTimeout: '2s' }, env: {} }), {
    ok: true,
    config: { drainTimeout: 2000 },
  });
  t.match(loadConfig({ file, env: {} }), { issues: [{ place: { file, line: 7, column: 15 } }] });
  t.end();
});

await t.test(
  'a flag for one upstream and a file with two is told together with the problems of the file',
  t => {
    const file = fileWith(`${GOOD}  - { name: b, backends: [x] }\n`);
    t.match(loadConfig({ file, flags: { strategy: 'first' }, env: {} }), {
      issues: [{ place: { option: '--strategy' } }, { place: { line: 7 } }],
    });
    t.end();
  },
);

await t.test('a flag over a value with a variable is shown as the flag was given', t => {
  const file = fileWith(GOOD.replace('10.0.0.1:80', '${BACKEND}'));
  const result = loadConfig({ file, flags: { backends: 'host' }, env: { BACKEND: 'a:1' } });
  t.match(result, { message: '--backends: expected a port, as in host:5432, got "host"' });
  t.end();
});
