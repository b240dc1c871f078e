/** Every command that asks a running lb4: what it prints, how wide that is, its JSON and its exit code, by every way. */
import { createServer, type ServerResponse } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CLIENT_COMMANDS } from '../../src/cli/client/client-commands.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { askAdmin } from '../harness/admin.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { startCommandLine } from '../harness/command-line.ts';
import { startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { OpenApiAnswers } from '../harness/openapi-answers.ts';
import { ended } from '../harness/programs.ts';
import { FULL } from '../harness/full-load.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const noLibc = !loadLibc().ok && 'the C library cannot be called here';
const ENGINES = noLibc ? (['node'] as const) : (['epoll', 'node'] as const);
const commandLine = startCommandLine(t);

/** 64 characters, as many as a name may have. */
const LONG = `app-${'x'.repeat(60)}`;
const MANY = 1_000;
const V6 = '[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535';

type Ran = Awaited<ReturnType<typeof commandLine>>;

interface Started {
  readonly running: Lb4Process;
  readonly file: string;
  readonly write: (more?: string) => void;
  /** The echoing backend, and where the API is besides its socket. */
  readonly backend: string;
  readonly admin: Address & { readonly kind: 'tcp' };
  readonly token: string;
  readonly lb4: (...args: string[]) => Promise<Ran>;
  /** A client that has been served. */
  readonly session: () => Promise<Awaited<ReturnType<typeof connectClient>>>;
}

async function start(t: Test, engine: string): Promise<Started> {
  const backend = formatAddress((await startBackend(t, scripts.echo)).address);
  const folder = temporaryFolder(t);
  const [file, token] = [join(folder, 'lb4.yaml'), join(folder, 'token')];
  writeFileSync(token, 's3cret');
  const long = `unix:/${'long/'.repeat(15)}${LONG.slice(0, 20)}`;
  const many = Array.from({ length: MANY }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`);
  const write = (more = ''): void =>
    writeFileSync(
      file,
      [
        'workers: 2',
        'listeners:',
        "  - { name: web, bind: '127.0.0.1:0', upstream: app }",
        `  - { name: ${LONG}, bind: '127.0.0.1:0', upstream: ${LONG} }`,
        "  - { name: many, bind: '127.0.0.1:0', upstream: many }",
        'upstreams:',
        `  - { name: app, health: off, backends: ['${backend}'] }`,
        `  - { name: ${LONG}, health: off, backends: ['${V6}', '${long}'] }`,
        `  - { name: many, health: off, backends: [${many.map(each => `'${each}'`).join(', ')}] }`,
        `admin: { bind: '127.0.0.1:0', tokenFile: token }`,
        more,
      ].join('\n'),
    );
  write();
  const env = {
    XDG_RUNTIME_DIR: folder,
    LB4_ADMIN_SOCKET: 'auto',
    LB4_NAME: `test-${process.pid}-commands-${engine}`,
  };
  const running = await startLb4(t, ['-c', file, '--engine', engine], { env });
  const at = await running.line(
    ({ event, address }) => event === 'adminListening' && !String(address).startsWith('unix:'),
  );
  await running.line(
    ({ event, address }) => event === 'adminListening' && String(address).startsWith('unix:'),
  );
  const [host = '', port] = String(at['address']).split(':');
  return {
    ...{ running, file, write, backend, token },
    admin: { kind: 'tcp', host, port: Number(port) },
    lb4: (...args) => commandLine(args, env),
    session: async () => {
      const client = await connectClient(t, { kind: 'tcp', host: running.host, port: running.port });
      void client.send('hello');
      await client.untilText('hello');
      return client;
    },
  };
}

const HEADERS = { authorization: 'Bearer s3cret' };

function withoutAges(json: string): string {
  return json.replaceAll(/"stateForMs":\d+/g, '');
}

function widest(text: string): number {
  return Math.max(...text.split('\n').map(line => line.length));
}

/** `--json` prints the very answers that the API documents. */
async function jsonIsAsDocumented(t: Test, { backend, admin, lb4, session }: Started): Promise<void> {
  await session();
  const { json } = await askAdmin(admin, 'GET', '/api/v1/openapi.json', { headers: HEADERS });
  const document = new OpenApiAnswers(json);
  const one = '/api/v1/upstreams/{upstream}/backends/{backend}';
  const table: readonly (readonly [string, string, string, number?])[] = [
    ['status', 'GET', '/api/v1/status'],
    ['backends', 'GET', '/api/v1/upstreams'],
    ['backends app', 'GET', '/api/v1/upstreams'],
    ['sessions', 'GET', '/api/v1/sessions'],
    [`maint app ${backend}`, 'PATCH', one],
    [`drain app ${backend}`, 'PATCH', one],
    [`ready app ${backend}`, 'PATCH', one],
    [`weight app ${backend} 1`, 'PATCH', one],
    ['add app 127.0.0.1:9', 'PUT', one, 201],
    ['remove app 127.0.0.1:9', 'DELETE', one],
    ['sessions --upstream app --end', 'DELETE', '/api/v1/sessions'],
    ['reload', 'POST', '/api/v1/reload'],
  ];
  for (const [command, method, form, status = 200] of table) {
    const { stdout, code } = await lb4(...command.split(' '), '--json');
    t.equal(code, 0, command);
    t.match(stdout, /^[^\n]*\n$/, `${command}: one line`);
    const answer = JSON.parse(stdout) as Record<string, unknown>;
    const answered = { status, text: stdout, json: answer, headers: { 'content-type': 'application/json' } };
    t.ok(document.expect(method, form, answered), command);
  }
}

/** Two operators add and remove backends at once; nothing is left of it. */
async function twoOperators(t: Test, { running, admin, lb4 }: Started): Promise<void> {
  const ask = (method: string, backend: string, body?: unknown) =>
    askAdmin(admin, method, `/api/v1/upstreams/app/backends/${backend}`, { headers: HEADERS, body });
  const shown = async (): Promise<string> => withoutAges((await lb4('backends', 'app', '--json')).stdout);
  const before = await shown();
  const operators = ['127.0.7', '127.0.8'].map(async network => {
    for (let round = 0; round < (FULL ? 250 : 15); round++) {
      const own = `${network}.${round % 250}:9`;
      const answers = [
        await ask('PUT', own, { weight: 1 + (round % 9) }),
        // Both want this one.
        await ask('PUT', '127.0.9.1:9', {}),
        await ask('PATCH', own, { state: 'maint', weight: 3 }),
        await ask('DELETE', own),
      ];
      const wrong = answers.find(({ status }) => status !== 200 && status !== 201);
      if (wrong !== undefined) throw new Error(wrong.text);
    }
  });
  await Promise.all(operators);
  t.equal((await ask('DELETE', '127.0.9.1:9')).status, 200);
  t.equal(await shown(), before, 'nothing is left of what two operators have added');
  t.equal(running.lines.filter(({ event }) => event === 'adminFailed').length, 0);
}

for (const engine of ENGINES) {
  void t.test(`${engine} engine, 2 workers: every command, one after the other`, async t => {
    const started = await start(t, engine);
    const { running, write, backend, admin, token, lb4, session } = started;
    await twoOperators(t, started);
    await jsonIsAsDocumented(t, started);
    const at = formatAddress(admin);
    const app = `app ${backend}`;
    const client = await session();
    // Arguments, exit code, all that is printed on stdout and stderr.
    const table: readonly (readonly [string, number, RegExp])[] = [
      ['status', 0, /: running, ready, .*\nengine .*, 2 workers, 1 session now/],
      [`status --admin ${at} --admin-token-file ${token}`, 0, /: running, ready/],
      [`status --admin ${at}`, 1, /^lb4: a bearer token is needed\n$/],
      ['status --name no-such-lb4', 1, /^lb4: no lb4 named no-such-lb4 runs here: /],
      ['status --admin 127.0.0.1:1', 1, /^lb4: no lb4 answers at 127.0.0.1:1 \(ECONNREFUSED\)\n$/],
      ['status --admin nonsense', 2, /^lb4: --admin: expected host:port/],
      ['status --watch soon', 2, /^lb4: --watch: expected a duration/],
      ['status extra', 2, /^lb4: too many arguments/],
      ['backends', 0, /^UPSTREAM +BACKEND/],
      ['backends app', 0, new RegExp(`\napp +${backend} +up +unchecked +1 +1\n`)],
      ['backends none', 1, /^lb4: no upstream is named "none"/],
      [
        `add app ${running.address}`,
        1,
        /^lb4: 127\.0\.0\.1:\d+ leads back to listeners\[0\]\.bind .*: each session/,
      ],
      [`add app ${at}`, 1, /^lb4: \S+ leads to the admin API of this lb4/],
      ['sessions', 0, /^ID +CLIENT.*\n.*127\.0\.0\.1:\d+ +app/],
      ['sessions --upstream app --listener web --limit 5', 0, /\n.* app /],
      ['sessions --upstream many', 0, /^ID +CLIENT[^\n]*\n$/],
      [`sessions --backend ${backend} --client 127.0.0.1`, 0, /\n.* app /],
      ['sessions --older-than 1h', 0, /^[^\n]*\n$/],
      ['sessions --more-bytes-than 9B', 0, /\n.* 5B +5B\n/],
      ['sessions --more-bytes-than 11B', 0, /^[^\n]*\n$/],
      ['sessions --limit none', 2, /^lb4: limit: expected an integer/],
      ['sessions --client here', 2, /^lb4: client: expected an IP address/],
      ['sessions --end', 2, /^lb4: name at least one of listener, /],
      [`weight ${app} 3`, 0, /: up, takes sessions, weight 3, 1 session\n$/],
      [`weight ${app} 257`, 2, /^lb4: weight: expected an integer from 0 to 256\n$/],
      [`weight ${app} three`, 2, /^lb4: the weight: expected an integer, got three\n$/],
      [`maint ${app}`, 0, /: maint, takes no new sessions/],
      [`ready ${app}`, 0, /: up, takes sessions/],
      ['maint app', 2, /^lb4: missing required argument 'backend'\n$/],
      ['maint app 10.9.9.9:1', 1, /^lb4: upstream app has no backend 10\.9\.9\.9:1\n$/],
      ['ready none 10.9.9.9:1', 1, /^lb4: no upstream is named "none"; there are app, /],
      [
        `drain ${app} --wait --timeout 50ms`,
        1,
        /\n1 session left, \d s\n.*lb4: 1 session left after 0 s\n$/s,
      ],
      [`drain ${app} --wait --timeout soon`, 2, /^lb4: --timeout: expected a duration/],
      [`ready ${app}`, 0, /: up, takes sessions/],
      ['drain app', 2, /^lb4: drain takes an upstream and a backend, or neither/],
      ['add app 127.0.0.1:9 --backup --weight 2 --max-sessions 7', 0, /: standby, .*weight 2, 0 sessions\n$/],
      ['add app 127.0.0.1:9 --max-sessions 8', 1, /cannot be changed \(it is 7\): remove it first\n$/],
      ['add app 127.0.0.1:0', 2, /^lb4: .*expected a port from 1 to 65535/],
      ['add app 127.0.0.1:9 --weight', 2, /^lb4: option '--weight <n>' argument missing\n$/],
      [
        'status',
        0,
        /\nother than configured, by operators:\n.*: weight 3, configured 1\n.*127\.0\.0\.1:9: added\n$/s,
      ],
      ['remove app 127.0.0.1:9', 0, /: removed\n$/],
      ['remove app 127.0.0.1:9', 1, /^lb4: upstream app has no backend 127\.0\.0\.1:9\n$/],
      ['reload --dry-run', 0, /^nothing changes\n$/],
      ['reload', 0, /^nothing changes\n$/],
      ['reload extra', 2, /^lb4: too many arguments/],
      ['upgrade --no-such-option', 2, /^lb4: unknown option '--no-such-option'\n$/],
      [`remove ${app} --force --wait`, 0, /: removed\n(?:1 session left\n)?no session left\n$/],
    ];
    for (const [command, code, words] of table) {
      const { code: is, stdout, stderr } = await lb4(...command.split(' '));
      t.equal(is, code, `${command}: ${stderr}`);
      t.match(`${stdout}${stderr}`, words, command);
      t.ok(widest(stdout) <= 80, `${command}: ${widest(stdout)} columns`);
      if (code !== 0 && !command.includes('--wait')) t.equal(stdout, '', `${command}: data only`);
      t.notMatch(stderr, /\n {4}at /, command);
    }
    t.equal(await client.untilEnded(), 'reset', 'remove --force');
    t.equal((await lb4('backends')).stdout.split('\n').length, MANY + 2 + 2, 'a line for each backend');

    write('drainTimeout: 3s\nx: 1');
    t.match(await lb4('reload'), { code: 1, stderr: /unknown key "x"/ });
    t.match(
      (await lb4('status')).stdout.replaceAll(/\s+/g, ' '),
      /failed \(admin API, 0s ago\),.* unknown key "x"/,
    );
    write('drainTimeout: 3s');
    t.match(await lb4('reload'), { code: 0, stdout: 'drainTimeout 30s → 3s\n' });
    t.notMatch((await lb4('status')).stdout, 'the last reload');
    t.match(await lb4('drain', '--wait', '--timeout', '9s'), {
      code: 0,
      stdout: /^draining: 0 sessions to end\n$/,
    });
    t.equal((await ended(running.child)).code, 0);
  });
}

void t.test('without an lb4 every command that asks one exits 1, and says where it looked', async t => {
  const env = { XDG_RUNTIME_DIR: temporaryFolder(t), LB4_NAME: `test-${process.pid}-nobody` };
  const args: Readonly<Record<string, string>> = {
    ...{ ready: ' app b:1', maint: ' app b:1', remove: ' app b:1', add: ' app b:1', weight: ' app b:1 1' },
    doctor: ' --live',
  };
  for (const command of CLIENT_COMMANDS) {
    const { code, stdout, stderr } = await commandLine(`${command}${args[command] ?? ''}`.split(' '), env);
    t.equal(code, 1, command);
    t.match(`${stdout}${stderr}`.replaceAll(/\s+/g, ' '), 'there is no socket at', command);
  }
});

void t.test('drain --wait outlives a cut connection, and ends with the process that was asked', async t => {
  const path = join(temporaryFolder(t), 's.sock');
  const statuses: ((response: ServerResponse) => void)[] = [
    response => response.end('{"pid":1,"sessions":2}'),
    response => response.destroy(),
    response => response.end('{"pid":1,"sessions":1}'),
    // Another process, which systemd has started.
    response => response.end('{"pid":2,"sessions":9}'),
  ];
  const server = createServer((request, response) => {
    if (request.method === 'POST') response.end('{"state":"draining","sessions":2}');
    else statuses.shift()?.(response);
  }).listen(path);
  t.teardown(() => server.close());
  await new Promise(resolve => server.once('listening', resolve));
  const ran = await commandLine(['drain', '--wait', '--admin', `unix:${path}`]);
  t.match(ran, {
    code: 0,
    stdout: 'draining: 2 sessions to end\n',
    stderr: /^1 session left\nno session left\n$/,
  });
});

void t.test(
  'hostile names are refused in one line that a terminal can show, and silence is no end',
  async t => {
    const { running, lb4, backend } = await start(t, ENGINES[0]);
    const before = (await lb4('backends', '--json')).stdout;
    const names = [
      '__proto__',
      'x\n:80',
      '\u001b[2J:80',
      '\u202e:80',
      '😀:80',
      `${'h'.repeat(10_000)}:80`,
      ':80',
      '..',
    ];
    for (const name of names) {
      for (const command of ['add', 'maint', 'remove']) {
        const { code, stdout, stderr } = await lb4(command, 'app', name);
        t.ok(code === 1 || code === 2, `${command} ${name.slice(0, 20)}`);
        t.equal(stdout, '');
        t.match(stderr, /^lb4: [^\n\p{Cc}\p{Cf}]{1,900}\n$/u);
      }
      t.match(await lb4('backends', name), { code: 1, stderr: /^lb4: [^\n\p{Cc}\p{Cf}]{1,900}\n$/u });
    }
    const odd = 'unix:/tmp/a b\u001b[31m漢';
    t.match(await lb4('add', 'app', odd), {
      code: 0,
      stdout: /^app unix:\/tmp\/a b\\x1b\[31m漢: [^\p{Cc}]+\n$/u,
    });
    t.match(await lb4('remove', 'app', odd), { code: 0 });
    t.equal(withoutAges((await lb4('backends', '--json')).stdout), withoutAges(before));

    running.child.kill('SIGSTOP');
    for (const command of [`drain app ${backend}`, 'drain']) {
      const { code, stderr } = await lb4(...command.split(' '), '--wait', '--timeout', '1s');
      t.equal(code, 1, `${command}: an lb4 that stands still is none that has ended`);
      t.match(stderr, /^lb4: cannot ask unix:\S+: no answer within 1 s\n$/, command);
    }
    running.child.kill('SIGCONT');
    t.equal(await running.stop(), 0);
  },
);
