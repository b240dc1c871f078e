/** Lists of `access` on the command line: check names what is wrong with a file, and says who may come in. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startCommandLine } from '../harness/command-line.ts';
import '../harness/run-once.ts';

const lb4 = startCommandLine(t);

const FRIENDS = `# friends\n${'10.0.0.0/8\n'.repeat(50_000)}2001:db8::/32\n`;

function written(t: Test, access: string, list = FRIENDS): string {
  const folder = t.testdir();
  writeFileSync(join(folder, 'friends.txt'), list);
  const path = join(folder, 'lb4.yaml');
  const text = `listeners:
  - name: web
    bind: 127.0.0.1:0
    upstream: app
    access: ${access}
  - { name: open, bind: '127.0.0.1:0', upstream: app }
upstreams: [{ name: app, health: off, backends: ['127.0.0.1:9'] }]
`;
  writeFileSync(path, text);
  return path;
}

void t.test('a bad line among 50,000 is named, with the place of the key', async t => {
  const path = written(t, "{ deny: ['::1', 'file:friends.txt'], allow: all }", `${FRIENDS}10.0.0.0.1\n`);
  for (const command of ['check', 'run']) {
    const { code, stdout, stderr } = await lb4([command, '-c', path]);
    t.equal(code, 78, command);
    t.equal(stdout, '');
    t.match(stderr, 'lb4.yaml:5:29  listeners[0].access.deny[1]: expected a file with a network', command);
    t.match(stderr, 'friends.txt (line 50003: 10.0.0.0.1 is no network)', command);
  }
});

void t.test('one that is half written or missing is named as well', async t => {
  const access = "[{ allow: 'file:friends.txt' }, { deny: 'file:nowhere' }]";
  const { code, stderr } = await lb4(['check', '-c', written(t, access, '10.0.0.0/8\n10.0.0')]);
  t.equal(code, 78);
  t.match(stderr, 'friends.txt (line 2: it has no line end');
  t.match(stderr, /access\[1\]\.deny.*nowhere \(ENOENT\)/);
});

void t.test('check --client says that a proxy in front is judged by the client that it names', async t => {
  const path = written(t, "{ deny: ['192.0.2.0/24'] }\n    acceptProxy: { from: [192.0.2.7] }");
  const proxy = await lb4(['check', '-c', path, '--client', '192.0.2.7']);
  t.match(
    proxy.stdout,
    `listener web: 192.0.2.7 is trusted to name its client (acceptProxy): that one is judged, and the sender itself only where it names none
listener web: 192.0.2.7 is denied: reset, by deny 192.0.2.0/24, at ${path}:5:22\n`,
  );
  t.notMatch((await lb4(['check', '-c', path, '--client', '192.0.2.8'])).stdout, 'trusted');
});

void t.test('with dryRun check says that a denied client comes in all the same', async t => {
  const path = written(t, "{ deny: ['192.0.2.0/24'] }\n    dryRun: true");
  t.match((await lb4(['check', '-c', path])).stdout, 'allows all others (dryRun: all come in)\n');
  const denied = await lb4(['check', '-c', path, '--client', '192.0.2.7']);
  t.match(denied.stdout, `at ${path}:5:22 (dryRun: it comes in, and is logged)\n`);
  const allowed = await lb4(['check', '-c', path, '--client', '198.51.100.1']);
  t.match(allowed.stdout, /198\.51\.100\.1 is allowed, by no entry\n/);
});

void t.test('check says what the lists are, and --client what becomes of a client', async t => {
  const path = written(t, "{ deny: [10.6.6.6, 10.7.0.0/16, '::1', unix], allow: ['file:friends.txt'] }");
  const plain = await lb4(['check', '-c', path]);
  t.equal(plain.code, 0);
  t.match(
    plain.stdout,
    'listener web: denies 10.6.6.6 and 10.7.0.0/16 and ::1 and 1 more, allows file:friends.txt (50001 networks), denies all others\n',
  );
  const shown = await lb4(['check', '-c', path, '--show']);
  t.match(shown.stdout, /^# .*\n# listener web: denies/);
  for (const [client, words] of [
    [
      '10.1.2.3',
      `listener web: 10.1.2.3 is allowed, by allow file:friends.txt (10.0.0.0/8 in line 2), at ${path}:5:67`,
    ],
    ['::ffff:10.6.6.6', `listener web: ::ffff:10.6.6.6 is denied: reset, by deny 10.6.6.6, at ${path}:5:22`],
    [
      '2001:db8::7',
      `listener web: 2001:db8::7 is allowed, by allow file:friends.txt (2001:db8::/32 in line 50002), at ${path}:5:67`,
    ],
    ['192.0.2.1', 'listener web: 192.0.2.1 is denied: reset, by no entry'],
    ['unix', `listener web: a client of a unix socket is denied: reset, by deny unix, at ${path}:5:52`],
  ] as const) {
    const { code, stdout } = await lb4(['check', '-c', path, '--client', client]);
    t.equal(code, 0);
    t.match(stdout, `${words}\nlistener open: has no access, so every client is allowed\n`);
  }
  const drops = written(t, '{ allow: 10.0.0.0/8, deny: drop }');
  const dropped = await lb4(['check', '-c', drops, '--client', '::1']);
  t.match(dropped.stdout, `listener web: ::1 is denied: dropped, by deny drop, at ${drops}:5:40\n`);
  t.match((await lb4(['check', '-c', drops])).stdout, 'listener web: allows 10.0.0.0/8, drops all others\n');
  const wrong = await lb4(['check', '-c', path, '--client', '10.0.0.0/8']);
  t.equal(wrong.code, 2);
  t.match(wrong.stderr, /--client': expected an IP address or unix/);
});
