/** The command line as a user meets it: exit codes, one clear line for each mistake, stdout for data only. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startBackend } from '../harness/backend.ts';
import { startCommandLine } from '../harness/command-line.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { runProgram } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { formatAddress } from '../../src/support/address.ts';

const folder = temporaryFolder(t);

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** In a process of its own. */
const started = (args: readonly string[]) =>
  runProgram(process.execPath, [LB4, ...args], { timeoutMs: 20_000 });
const lb4 = startCommandLine(t);

const VALID = `
listeners: [{ name: web, bind: "127.0.0.1:0", upstream: app }]
upstreams: [{ name: app, backends: ["127.0.0.1:81"] }]
`;

void t.test(
  'mistakes in flags: exit 2 and one line that names what was given and what is expected',
  async t => {
    const cases: [string[], RegExp][] = [
      [['--backend', '127.0.0.1:81'], /unknown option '--backend' \(Did you mean --backends\?\)/],
      [['blance'], /unknown command 'blance': expected run, demo, check, .* or an option/],
      [['chek', '-c', 'x'], /did you mean check\?/],
      [['-b', '127.0.0.1:81', 'extra'], /too many arguments/],
      [['-b', '127.0.0.1'], /--backends: expected a port, as in 127\.0\.0\.1:5432, got "127\.0\.0\.1"/],
      [['-b', '127.0.0.1:81,127.0.0.1:81'], /--backends: .*127\.0\.0\.1:81.*(twice|already|also)/],
      [['-b', '127.0.0.1:99999'], /--backends: expected a port from 1 to 65535/],
      [['-b', '256.1.1.1:80'], /--backends: expected an IPv4 address or a host name/],
      [['-b', '::1:80'], /--backends: expected/],
      [['-b', ''], /--backends: expected/],
      [['-b', '127.0.0.1:81@-1'], /--backends: expected.*-1/],
      [['-b', '127.0.0.1:81', '-s', 'leastcon'], /--strategy: .*leastcon.*did you mean "leastconn"/],
      [['-b', '127.0.0.1:81', '-l', '127.0.0.1'], /--listen: expected a port/],
      [
        ['-b', '127.0.0.1:81', '--connect-timeout', '5x'],
        /--connect-timeout: expected a duration such as .*5s.*got "5x"/,
      ],
      [['-b', '127.0.0.1:81', '--pool-warm', 'many'], /--pool-warm: expected an integer/],
      [['-b', '127.0.0.1:81', '--max-sessions', '0'], /--max-sessions: expected an integer from 1/],
      [['-b', '127.0.0.1:81', '--health', 'htttp'], /--health: expected.*did you mean "http"/],
      [['-b', '127.0.0.1:81', '--health', 'postgress'], /--health: .*did you mean "postgres"/],
      [['-b', '127.0.0.1:81', '-b', '127.0.0.1:81'], /--backends: expected each backend only once/],
      [['-c', 'one.yaml', '-c', 'two.yaml'], /'two\.yaml' is invalid\. Only one file can be given/],
      [['check', '-c', 'one.yaml', '-c', 'two.yaml'], /'two\.yaml' is invalid\. Only one file can be given/],
      [
        ['-b', '127.0.0.1:81', '--log-level', 'verbose'],
        /--log-level: expected one of error, warn, info, debug|--log-level: expected error/,
      ],
      [['-b', '127.0.0.1:81', '-s', './no-such-strategy.js'], /no-such-strategy\.js/],
    ];
    for (const [args, expected] of cases) {
      const { code, stdout, stderr } = await lb4(args);
      t.equal(code, 2, `${args.join(' ')}: ${stderr}`);
      t.match(stderr, expected);
      t.equal(stderr.trimEnd().split('\n').length, 1, 'one line');
      t.equal(stdout, '');
    }
    const [[args] = [[]]] = cases;
    t.match(await started(args), { ...(await lb4(args)), code: 2 }, 'and as a process it exits so');
  },
);

void t.test('what lb4 prints before there is a log is printable, whatever it quotes', async t => {
  const evil = 'x\x1b[2J\x9b31m\u202e\rforged';
  const invalid = file(`${evil}.yaml`, VALID.replace('name: app', 'strategy: "a\\e[2J\\u202e", name: app'));
  const cases: [string[], NodeJS.ProcessEnv?][] = [
    [[evil]],
    [[`--${evil}`]],
    [['-b', '127.0.0.1:81', evil]],
    [['-b', evil]],
    [['-b', `unix:/tmp/${evil}`, '-s', evil]],
    [['-b', '127.0.0.1:81', '-s', `./${evil}\n.js`]],
    [['-c', `/no/${evil}\nfile`]],
    [['-c', invalid]],
    [['check', '-c', invalid]],
    [['check', '-c', `/no/${evil}\nfile`]],
    [['demo', '-l', evil]],
    [['demo', '-l', '127.0.0.1:0', '-s', `./${evil}\n.js`]],
    [[], { [`LB4_${evil}`]: 'x' }],
    [[], { LB4_BACKENDS: evil }],
  ];
  for (const [args, env] of cases) {
    const { code, stderr } = await lb4(args, env);
    t.not(code, 0);
    t.match(stderr, /^(lb4: |.*\.yaml|cannot read )/, JSON.stringify(args));
    for (const line of stderr.split('\n')) {
      t.notMatch(line, /[\p{Cc}\p{Cf}]/u);
      t.notMatch(line, /^(forged|\.js|file)/, 'one line stays one line');
    }
  }
  const valid = file(`${evil}-good.yaml`, VALID);
  const { code, stdout } = await lb4(['check', '-c', valid]);
  t.equal(code, 0);
  t.match(stdout, /^[^\p{Cc}\p{Cf}]+\n$/u);
});

void t.test('a mistake in the environment names the variable', async t => {
  const { code, stderr } = await lb4([], { LB4_BACKENDS: '127.0.0.1:81', LB4_IDLE_TIMEOUT: 'soon' });
  t.equal(code, 2);
  t.match(stderr, /LB4_IDLE_TIMEOUT: expected a duration/);
});

void t.test('lb4 alone says where to begin', async t => {
  const { code, stderr } = await lb4([], {});
  t.equal(code, 2);
  t.match(
    stderr,
    /^lb4: --backends: missing.*\nlb4: lb4 demo shows it at work; lb4 --help lists the options\n$/,
  );
});

void t.test('a misspelt variable is named where lb4 does not start for want of it', async t => {
  const { code, stderr } = await lb4([], { LB4_BACKEND: '127.0.0.1:81' });
  t.equal(code, 2);
  t.match(
    stderr,
    /--backends: missing.*\nlb4: the environment variable LB4_BACKEND .* did you mean LB4_BACKENDS\?\n$/,
  );
});

void t.test('a variable that the file refers to is not taken for a misspelt one', async t => {
  const path = file('refers.yaml', VALID.replace('127.0.0.1:81', '${LB4_BACKEND}') + 'workers: ${W:-}\n');
  const { code, stderr } = await lb4(['-c', path], { LB4_BACKEND: '127.0.0.1:81' });
  t.equal(code, 78);
  t.match(stderr, /workers: expected .*, got "\$\{W:-\}", which is empty\n$/);
  t.notMatch(stderr, /LB4_BACKEND/);
});

void t.test('of an option given twice the last one counts', async t => {
  const { stderr } = await lb4(['-b', '127.0.0.1:81', '--idle-timeout', '5x', '--idle-timeout', '6x']);
  t.match(stderr, /--idle-timeout: .*"6x"/);
});

void t.test('files that cannot be used: exit 78 with the reason', async t => {
  const large = file('large.yaml', '');
  truncateSync(large, 10 * 1024 * 1024);
  const cases: [string, RegExp][] = [
    [file('empty.yaml', ''), /empty/],
    [file('binary.yaml', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 0xff])), /binary|text/],
    [large, /larger than|1 MiB/],
    [folder, /directory/],
    [join(folder, 'missing.yaml'), /does not exist|no such file/],
  ];
  for (const [path, expected] of cases) {
    for (const command of [
      ['check', '-c', path],
      ['-c', path],
    ]) {
      const { code, stderr } = await lb4(command);
      t.equal(code, 78, stderr);
      t.match(stderr, expected);
      t.match(stderr, path, 'and names the file');
    }
  }
});

void t.test('check prints every problem with its place, and exits 78', async t => {
  const path = file(
    'three.yaml',
    [
      'listeners:',
      '  - name: web',
      '    bind: "127.0.0.1:80"',
      '    upstream: app',
      '    timeouts: { idle: 5x }',
      'upstreams:',
      '  - name: app',
      '    strateggy: leastconn',
      '    backends:',
      '      - { address: 10.0.0.1:80, weight: -1 }',
    ].join('\n'),
  );
  const { code, stdout, stderr } = await started(['check', '-c', path]);
  t.equal(code, 78);
  t.equal(stdout, '');
  const lines = stderr.trimEnd().split('\n');
  t.equal(lines.length, 3, stderr);
  t.match(lines[0], /three\.yaml:5:23 +listeners\[0\]\.timeouts\.idle: expected a duration.*got "5x"/);
  t.match(lines[1], /three\.yaml:8:5 +upstreams\[0\]: unknown key "strateggy"; did you mean "strategy"\?/);
  t.match(
    lines[2],
    /three\.yaml:10:41 +upstreams\[0\]\.backends\[0\]\.weight: expected an integer from 0 to 256, got -1/,
  );
});

void t.test('check says that a valid file is valid, and exits 0', async t => {
  const { code, stdout, stderr } = await lb4(['check', '-c', file('valid.yaml', VALID)]);
  t.equal(code, 0, stderr);
  t.match(stdout, /valid\.yaml: valid, 1 listener, 1 upstream\n$/);
  t.equal(stderr, '');
});

void t.test('an address in use: exit 69 naming it', async t => {
  const taken = formatAddress((await startBackend(t)).address);
  const { code, stderr } = await started(['-b', '127.0.0.1:81', '-l', taken, '--log-format', 'text']);
  t.equal(code, 69);
  t.match(stderr, new RegExp(`cannot listen on ${taken}`));
  const demo = await started(['demo', '-l', taken]);
  t.equal(demo.code, 69);
  t.match(demo.stderr, new RegExp(`cannot listen on ${taken}`));
});

void t.test('a flag beats the environment, which beats the file, which beats the default', async t => {
  const path = file(
    'precedence.yaml',
    VALID.replace('upstream: app', 'upstream: app, timeouts: { idle: 1s }'),
  );
  const effective = async (args: string[], env: NodeJS.ProcessEnv) => {
    const { stderr } = await lb4([...args, '--idle-timeout', '5x'], env);
    return stderr;
  };
  t.match(await effective(['-c', path], { LB4_IDLE_TIMEOUT: '6x' }), /--idle-timeout: .*"5x"/);
  t.match((await lb4(['-c', path], { LB4_IDLE_TIMEOUT: '6x' })).stderr, /LB4_IDLE_TIMEOUT: .*"6x"/);
});

void t.test('help and version go to stdout, exit 0, and help fits 80 columns', async t => {
  for (const args of [['--help'], ['help'], ['demo', '--help'], ['check', '--help']]) {
    const { code, stdout, stderr } = await lb4(args);
    t.equal(code, 0, args.join(' '));
    t.equal(stderr, '');
    const longest = Math.max(...stdout.split('\n').map(line => line.length));
    t.ok(longest <= 80, `${args.join(' ')}: the longest line has ${longest} characters`);
  }
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  t.equal((await started(['--version'])).stdout, `${version}\n`);
});

void t.test('the pid file holds the pid while lb4 runs', async t => {
  const path = join(folder, 'lb4.pid');
  const process = await startLb4(t, ['-b', '127.0.0.1:81', '--health', 'off', '--pid-file', path]);
  const second = await started(['-b', '127.0.0.1:81', '-l', process.address, '--pid-file', path]);
  t.equal(second.code, 69, 'a second start on the same address fails');
  t.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
  t.equal(await process.stop(), 0);
  t.throws(() => readFileSync(path), { code: 'ENOENT' });
});
