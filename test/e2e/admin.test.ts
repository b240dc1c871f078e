/** A running lb4 as its operator sees it: where its admin API is, and the commands that ask it. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { formatAddress } from '../../src/support/address.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { askAdmin } from '../harness/admin.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { startCommandLine } from '../harness/command-line.ts';
import { LB4, startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { ended, runProgram, type Ran } from '../harness/programs.ts';
import '../harness/run-once.ts';
import type { Teardown } from '../harness/teardown.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const noLibc = !loadLibc().ok && 'the C library cannot be called here';
const WAYS = [['node', '0'], ...(noLibc ? [] : [['epoll', '1'] as const])] as const;

/** A user of its own, as far as sockets are concerned; root's are elsewhere. */
interface Operator {
  readonly env: NodeJS.ProcessEnv;
  /** Runs a command for the instance of this test, one after the other in one process. */
  readonly lb4: (...args: string[]) => Promise<Omit<Ran, 'signal'>>;
  /** The same in a process of its own, beside others. */
  readonly beside: (...args: string[]) => Promise<Ran>;
  readonly start: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Lb4Process>;
}

const commandLine = startCommandLine(t);

/** Names of instances that no other test has. */
const named = (name: string): string => `test-${process.pid}-${name}`;

function operator(t: Teardown, name: string): Operator {
  const env = {
    ...process.env,
    XDG_RUNTIME_DIR: temporaryFolder(t),
    LB4_ADMIN_SOCKET: 'auto',
    LB4_NAME: named(name),
  };
  return {
    env,
    lb4: (...args) => commandLine(args, env),
    beside: (...args) => runProgram(process.execPath, [LB4, ...args], { env }),
    start: (args, more = {}) => startLb4(t, args, { env: { ...env, ...more } }),
  };
}

const socketLine = (lb4: Lb4Process) =>
  lb4.line(({ event, address }) => event === 'adminListening' && String(address).startsWith('unix:'));

for (const [engine, workers] of WAYS) {
  void t.test(`${engine} engine, ${workers} workers: lb4 status needs no option`, async t => {
    const { lb4, start } = operator(t, `status-${engine}`);
    const running = await start(['-b', '127.0.0.1:1', '--engine', engine, '--workers', workers]);
    await socketLine(running);
    const shown = await lb4('status');
    t.equal(shown.code, 0);
    t.match(shown.stdout, new RegExp(`^lb4 .*: running, ready, up .*, pid ${running.pid}\n`));
    t.match(shown.stdout, new RegExp(`default +${running.address} +open +0\n`));
    const { stdout } = await lb4('status', '--json');
    t.match(JSON.parse(stdout), { pid: running.pid, engine, upstreams: [{ name: 'default' }] });
    t.equal(await running.stop(), 0);
    const gone = await lb4('status');
    t.same([gone.code, gone.stdout], [1, '']);
    t.match(gone.stderr, /^lb4: no lb4 named test-\S+ runs here: there is no socket at [^\n]*\n$/);
  });
}

for (const [engine, workers] of WAYS) {
  void t.test(
    `${engine} engine, ${workers} workers: backends and sessions are changed by commands`,
    async t => {
      const { lb4, beside, start } = operator(t, `change-${engine}`);
      const [one, two] = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)];
      const [first, second] = [formatAddress(one.address), formatAddress(two.address)];
      const running = await start(['-b', first, '--engine', engine, '--workers', workers]);
      await socketLine(running);
      const says = async (command: string, expected: RegExp, code = 0): Promise<void> => {
        const { stdout, stderr, code: is } = await lb4(...command.split(' '));
        t.equal(is, code, command);
        t.match(`${stdout}${stderr}`, expected, command);
      };
      await says(`weight default ${first} 7`, /: up, takes sessions, weight 7, 0 sessions\n/);
      await says(`maint default ${first}`, /: maint, takes no new sessions/);
      await says(`ready default ${first}`, /: up, takes sessions/);
      await says(`add default ${second} --weight 3 --max-sessions 9`, /takes sessions, weight 3, 0 sessions/);
      const changes = running.lines.filter(({ event }) => event === 'adminChange');
      t.match(changes, [{ before: 1, after: 7 }, { after: 'maint' }, { after: 'ready' }, { what: 'added' }]);
      await says(`drain default ${second} --wait`, /: drain, takes no new sessions.*\nno session left\n$/s);

      const client = await connectClient(t, { kind: 'tcp', host: running.host, port: running.port });
      void client.send('hello');
      await client.untilText('hello');
      await says(
        'backends',
        new RegExp(`default +${first} +up +up +7 +1\ndefault +${second} +drain +\\w+ +3 +0/9\n`),
      );
      await says('sessions', new RegExp(`127.0.0.1:\\d+ +default +${first} +\\ds +5B +5B\n`));
      await says(
        `drain default ${first} --wait --timeout 300ms`,
        /1 session left.*1 session left after 0 s/s,
        1,
      );
      const waiting = beside('drain', 'default', first, '--wait');
      await running.line(({ event, before }) => event === 'adminChange' && before === 'drain');
      client.reset();
      t.match(await waiting, { code: 0, stderr: /no session left\n$/ });

      await says(`ready default ${first}`, /takes sessions/);
      const other = await connectClient(t, { kind: 'tcp', host: running.host, port: running.port });
      void other.send('hello');
      await other.untilText('hello');
      await says('sessions --client 10.0.0.0/8 --end', /^0 sessions ended\n$/);
      await says('sessions --client 127.0.0.0/8 --end', /^1 session ended\n$/);
      t.equal(await other.untilEnded(), 'reset');
      await says(`remove default ${second}`, /: removed\n/);
      await says(`remove default ${second}`, /^lb4: upstream default has no backend [^\n]*\n$/, 1);
      await says('weight default', /^lb4: missing required argument 'backend'\n$/, 2);
      await says(`weight default ${first} 300`, /^lb4: weight: expected an integer from 0 to 256\n$/, 2);
      await says('drain default', /^lb4: drain takes an upstream and a backend/, 2);
      await says('backends --watch 5', /^lb4: --watch: expected a duration/, 2);
      await says('drain --wait', /^(?:draining|running): 0 sessions to end\nno session left\n$/);
      t.equal((await ended(running.child)).code, 0);
    },
  );
}

void t.test(
  'a second instance of one name starts, says so, and has the socket when the first has ended',
  async t => {
    const { lb4, start } = operator(t, 'twice');
    const first = await start(['-b', '127.0.0.1:1', '--workers', '0']);
    await socketLine(first);
    const second = await start(['-b', '127.0.0.1:1', '--workers', '0']);
    const warning = await second.line(({ event }) => event === 'adminUnavailable');
    t.match(warning['message'], /--name gives this one a name of its own/);
    t.match((await lb4('status')).stdout, `pid ${first.pid}`);
    t.equal(await first.stop(), 0);
    await socketLine(second);
    t.match((await lb4('status')).stdout, `pid ${second.pid}`);
    t.equal(await second.stop(), 0);
  },
);

void t.test('a socket that a killed lb4 has left behind is replaced', async t => {
  const { lb4, start } = operator(t, 'killed');
  const first = await start(['-b', '127.0.0.1:1', '--workers', '0']);
  const path = String((await socketLine(first))['address']).slice('unix:'.length);
  first.child.kill('SIGKILL');
  await new Promise(resolve => first.child.once('exit', resolve));
  t.ok(existsSync(path));
  const dead = await lb4('status');
  t.equal(dead.code, 1);
  t.match(dead.stderr, /no lb4 answers at unix:\S+ \(ECONNREFUSED\)/);
  const second = await start(['-b', '127.0.0.1:1', '--workers', '0']);
  await socketLine(second);
  t.match((await lb4('status')).stdout, `pid ${second.pid}`);
  t.equal(await second.stop(), 0);
  t.notOk(existsSync(path));
});

void t.test('--watch shows it again and again, and ends with a signal', async t => {
  const { start, env } = operator(t, 'watch');
  const running = await start(['-b', '127.0.0.1:1', '--workers', '0']);
  await socketLine(running);
  const watching = spawn(process.execPath, [LB4, 'status', '--json', '--watch', '100ms'], { env });
  t.teardown(() => watching.kill('SIGKILL'));
  let text = '';
  watching.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  await until('three rounds', () => text.split('\n').length > 3);
  for (const line of text.split('\n').slice(0, 3)) t.match(JSON.parse(line), { pid: running.pid });
  watching.kill('SIGINT');
  t.equal((await ended(watching)).signal, 'SIGINT');
  t.equal(await running.stop(), 0);
});

void t.test(
  'a drain through the API ends lb4; a signal joins it, and another one ends it at once',
  async t => {
    const { lb4, env, start } = operator(t, 'drain');
    const backend = await startBackend(t, scripts.echo);
    const running = await start(['-b', formatAddress(backend.address)]);
    await socketLine(running);
    const client = await connectClient(t, { kind: 'tcp', host: running.host, port: running.port });
    void client.send('hello');
    await client.untilText('hello');
    const waiting = spawn(process.execPath, [LB4, 'drain', '--wait'], { env });
    t.teardown(() => waiting.kill('SIGKILL'));
    let said = '';
    waiting.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
    await running.line(({ event }) => event === 'drainStarted');
    t.match((await lb4('status')).stdout, /: draining, not ready/);
    await until('it has counted', () => said.includes('1 session left'));
    running.child.kill('SIGTERM');
    await running.line(({ event }) => event === 'stopping');
    running.child.kill('SIGTERM');
    t.equal(await client.untilEnded(), 'reset');
    t.equal((await ended(waiting)).code, 0);
    t.match(said, /1 session left\nno session left\n$/);
    t.equal((await ended(running.child)).code, 0);
  },
);

void t.test('with --admin-socket off there is none', async t => {
  const { lb4, start } = operator(t, 'off');
  const running = await start([
    '-b',
    '127.0.0.1:1',
    '--workers',
    '0',
    '--admin-socket',
    'off',
    '--admin',
    '127.0.0.1:0',
  ]);
  const line = await running.line(({ event }) => event === 'adminListening');
  t.equal((await lb4('status')).code, 1);
  const there = await lb4('status', '--admin', String(line['address']));
  t.match(there.stdout, `pid ${running.pid}`);
  t.equal(await running.stop(), 0);
  t.equal(running.lines.filter(({ event }) => event === 'adminListening').length, 1);
});

void t.test('--admin with a token answers clients that have it', async t => {
  const { lb4, start, env } = operator(t, 'token');
  const folder = temporaryFolder(t);
  const [token, wrong] = [join(folder, 'token'), join(folder, 'wrong')];
  writeFileSync(token, 's3cret\n');
  writeFileSync(wrong, 'guess\n');
  const running = await start(['-b', '127.0.0.1:1', '--admin', '0.0.0.0:0', '--admin-token-file', token]);
  const line = await running.line(({ event }) => event === 'adminListening');
  const admin = String(line['address']).replace('0.0.0.0', '127.0.0.1');
  t.match((await lb4('status', '--admin', admin, '--admin-token-file', token)).stdout, `pid ${running.pid}`);
  const byVariables = await runProgram(process.execPath, [LB4, 'status', '--json'], {
    env: { ...env, LB4_ADMIN: `http://${admin}`, LB4_ADMIN_TOKEN_FILE: token },
  });
  t.equal(byVariables.code, 0);
  for (const [args, words] of [
    [['--admin-token-file', wrong], /the bearer token is another one/],
    [[], /a bearer token is needed/],
    [['--admin-token-file', join(folder, 'none')], /cannot read the token file/],
  ] as const) {
    const refused = await lb4('status', '--admin', admin, ...args);
    t.equal(refused.code, 1);
    t.match(refused.stderr, words);
  }
  const [host = '', port] = admin.split(':');
  t.equal((await askAdmin({ kind: 'tcp', host, port: Number(port) }, 'GET', '/readyz')).status, 200);
  t.equal(await running.stop(), 0);
});

void t.test(
  'an admin address beyond this machine without a token, or a bad token file, is refused',
  async t => {
    const { lb4 } = operator(t, 'refused');
    for (const address of ['0.0.0.0:9090', ':9090', '[::]:9090', '10.0.0.1:9090', 'example.com:9090']) {
      const { code, stderr } = await lb4('-b', '127.0.0.1:1', '--admin', address);
      t.equal(code, 2, address);
      t.match(
        stderr,
        /--admin: expected an address that only this machine can reach.*because there is no tokenFile/,
      );
    }
    const folder = temporaryFolder(t);
    const file = join(folder, 'lb4.yaml');
    const write = (admin: string): void =>
      writeFileSync(
        file,
        `listeners: [{ name: web, bind: '127.0.0.1:0', upstream: app }]\nupstreams: [{ name: app, backends: ['127.0.0.1:1'] }]\nadmin: ${admin}\n`,
      );
    write('{ bind: ":9090" }');
    for (const command of [['check'], []]) {
      const { code, stderr } = await lb4(...command, '-c', file);
      t.equal(code, 78);
      t.match(stderr, /lb4.yaml:3:16  admin.bind: expected an address that only this machine can reach/);
    }
    for (const [content, found] of [
      ['', 'it is empty'],
      ['two words', 'a token is one word'],
      [undefined, 'ENOENT'],
    ] as const) {
      if (content === undefined) write('{ bind: "127.0.0.1:0", tokenFile: none }');
      else {
        writeFileSync(join(folder, 'token'), content);
        write('{ bind: "127.0.0.1:0", tokenFile: token }');
      }
      for (const command of [['check'], []]) {
        const { code, stderr } = await lb4(...command, '-c', file);
        t.equal(code, 78, found);
        t.match(stderr, found);
      }
    }
  },
);

void t.test('an admin address that is taken ends the start with 69, before a client is accepted', async t => {
  const { lb4 } = operator(t, 'taken');
  const holder = createServer().listen(0, '127.0.0.1');
  t.teardown(() => holder.close());
  await new Promise(resolve => holder.once('listening', resolve));
  const bound = holder.address();
  const port = typeof bound === 'object' ? bound?.port : 0;
  const { code, stderr } = await lb4(
    '-b',
    '127.0.0.1:1',
    '-l',
    '127.0.0.1:0',
    '--admin',
    `127.0.0.1:${port}`,
  );
  t.equal(code, 69);
  t.match(stderr, `cannot listen on 127.0.0.1:${port}: EADDRINUSE`);
  t.notMatch(stderr, '"listening"');
});

void t.test(
  'a folder of another kind where the socket should be stops nothing',
  { skip: process.getuid?.() === 0 && 'root has a folder of its own' },
  async t => {
    const { start, env } = operator(t, 'folder');
    const runtime = env['XDG_RUNTIME_DIR'] ?? '';
    mkdirSync(runtime, { recursive: true });
    writeFileSync(join(runtime, 'lb4'), 'no folder');
    const running = await start(['-b', '127.0.0.1:1']);
    await running.line(({ event }) => event === 'adminListening');
    t.equal(await running.stop(), 0);
  },
);
