/** What an upgrade hands over besides clients: files, admin sockets, the service, what operators have changed. */
import { existsSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { request } from 'node:http';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { bindListeningSockets } from '../../src/linux/listening-sockets.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { FULL } from '../harness/full-load.ts';
import { LB4, LB4_ACTIVATED, SEPARATE_LB4 } from '../harness/lb4-process.ts';
import { notifySocket } from '../harness/notify-socket.ts';
import { ended, runProgram } from '../harness/programs.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { isRunning, startUpgradedLb4, untilGone, type UpgradedLb4 } from '../harness/upgraded-lb4.ts';
import { pause, until } from '../harness/until.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;
t.setTimeout(120_000);

interface Configured {
  readonly folder: string;
  readonly file: string;
  readonly configure: (top?: object, upstream?: object, listeners?: readonly object[]) => void;
}

async function configured(t: Test): Promise<Configured & { readonly backend: string }> {
  const backend = formatAddress((await startBackend(t, scripts.echo)).address);
  const folder = temporaryFolder(t);
  const file = join(folder, 'lb4.json');
  const configure: Configured['configure'] = (top = {}, upstream = {}, listeners = []) =>
    writeFileSync(
      file,
      JSON.stringify({
        ...{ workers: 1, drainTimeout: '2s' },
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }, ...listeners],
        upstreams: [{ name: 'app', health: 'off', backends: [backend], ...upstream }],
        ...top,
      }),
    );
  configure();
  return { folder, file, configure, backend };
}

async function echoed(t: Test, address: Address): Promise<void> {
  const client = await connectClient(t, address);
  await client.send('x');
  await client.untilText('x');
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin');
}

async function end(lb4: UpgradedLb4): Promise<void> {
  process.kill(lb4.current(), 'SIGTERM');
  await untilGone(lb4.current());
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Asks over a connection of its own. */
function ask(where: string, method: string, path: string, body?: object): Promise<Answer> {
  const colon = where.lastIndexOf(':');
  const target = where.startsWith('unix:')
    ? { socketPath: where.slice('unix:'.length) }
    : { host: where.slice(0, colon), port: where.slice(colon + 1) };
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        ...{ ...target, method, path, agent: false },
        headers: { host: 'localhost', 'content-type': 'application/json' },
      },
      response => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Answer['body'] }),
        );
      },
    );
    asking.once('error', reject);
    asking.end(body && JSON.stringify(body));
  });
}

void t.test("pid file, socket files and the admin API are the newcomer's", { skip }, async t => {
  const { folder, file, configure } = await configured(t);
  const name = `upgrade-${process.pid}`;
  configure({ name, admin: { bind: '127.0.0.1:0' } }, {}, [
    { name: 'local', bind: `unix:${folder}/web.sock`, upstream: 'app' },
  ]);
  const lb4 = await startUpgradedLb4(t, ['-c', file, '--pid-file', join(folder, 'pid')], {
    env: { LB4_ADMIN_SOCKET: 'auto' },
  });
  await until('both admin sockets are open', () => adminAddresses(lb4).length === 2);
  const [tcp = '', unix = ''] = adminAddresses(lb4);
  const local: Address = { kind: 'unix', path: join(folder, 'web.sock') };

  const unready: unknown[] = [];
  const watch = { isOver: false };
  const watching = (async () => {
    while (!watch.isOver) {
      await pause(10);
      for (const where of [tcp, unix]) {
        const answer = await ask(where, 'GET', '/readyz').catch((error: unknown) => error);
        if ((answer as Partial<Answer>).status !== 200) unready.push(answer);
      }
    }
  })();
  for (const through of FULL ? [tcp, unix] : [tcp]) {
    const before = lb4.current();
    const upgrading = await ask(through, 'POST', '/api/v1/upgrade', {});
    t.match(upgrading, { status: 200, body: { pid: Number, version: String } });
    const pid = Number(upgrading.body['pid']);
    lb4.follow(pid);
    await lb4.line(line => line.event === 'started' && line['pid'] === pid);
    const named = (): string =>
      existsSync(join(folder, 'pid')) ? readFileSync(join(folder, 'pid'), 'utf8') : '';
    await until('the pid file is its own', () => named() === `${pid}\n`);
    for (const where of [tcp, unix]) t.match((await ask(where, 'GET', '/api/v1/status')).body, { pid });
    await untilGone(before);
    t.equal(readFileSync(join(folder, 'pid'), 'utf8'), `${pid}\n`, 'also when the predecessor has ended');
    await echoed(t, local);
  }
  watch.isOver = true;
  await watching;
  t.same(unready, [], 'whatever watches lb4 sees it ready throughout');
  t.notOk(lb4.lines.some(({ event }) => event === 'pidFileTakenOver'));

  const upgraded = await runProgram(process.execPath, [LB4, 'upgrade', '--admin', unix]);
  t.match(upgraded, { code: 0, stdout: /^lb4 \S+ has taken over as process \d+; process \d+ drains\b.*\n$/ });
  lb4.follow(Number(/process (\d+)/.exec(upgraded.stdout)?.[1]));
  configure({ name, admin: { bind: '127.0.0.1:0' }, limits: 3 });
  const failed = await runProgram(process.execPath, [LB4, 'upgrade', '--admin', tcp]);
  t.match(failed, { code: 1, stdout: '', stderr: /^lb4: .*lb4\.json:1:\d+ {2}limits: / });
  await end(lb4);
  for (const path of [join(folder, 'pid'), local.path, unix.slice('unix:'.length)])
    t.notOk(existsSync(path), path);
});

const adminAddresses = (lb4: UpgradedLb4): string[] => [
  ...new Set(
    lb4.lines.filter(({ event }) => event === 'adminListening').map(line => String(line['address'])),
  ),
];

void t.test('what operators have changed is kept, unless the file has changed it', { skip }, async t => {
  const { file, configure, backend } = await configured(t);
  const upstream = { backends: [backend, '127.0.0.1:81@3', '127.0.0.1:82@3', '127.0.0.1:83'] };
  const top = { admin: { bind: '127.0.0.1:0' } };
  configure(top, upstream);
  const lb4 = await startUpgradedLb4(t, ['-c', file]);
  const [admin = ''] = adminAddresses(lb4);
  const at = (address: string): string => `/api/v1/upstreams/app/backends/${address}`;
  await ask(admin, 'PATCH', at(backend), { state: 'drain' });
  await ask(admin, 'PATCH', at('127.0.0.1:81'), { weight: 7 });
  await ask(admin, 'PATCH', at('127.0.0.1:82'), { weight: 7 });
  await ask(admin, 'DELETE', at('127.0.0.1:83'));
  await ask(admin, 'PUT', at('127.0.0.1:84'), { weight: 2, maxSessions: 5, backup: true });
  configure(top, { backends: [backend, '127.0.0.1:81@3', '127.0.0.1:82@4', '127.0.0.1:83'] });
  await lb4.upgrade();
  await lb4.upgrade();
  const { body } = await ask(admin, 'GET', '/api/v1/upstreams/app');
  t.match(body['backends'], [
    { backend, operator: 'drain' },
    { backend: '127.0.0.1:81', weight: 7 },
    { backend: '127.0.0.1:82', weight: 4 },
    { backend: '127.0.0.1:84', weight: 2, maxSessions: 5, backup: true },
  ]);
  t.equal((body['backends'] as unknown[]).length, 4);
  await end(lb4);
});

void t.test('the service manager follows', { skip }, async t => {
  if (!loaded.ok) return;
  const service = notifySocket(t, loaded.libc);
  const { file } = await configured(t);
  const lb4 = await startUpgradedLb4(t, ['-c', file], {
    command: ['sh', '-c', 'WATCHDOG_PID=$$ exec "$@"', 'sh', process.execPath, LB4],
    env: { NOTIFY_SOCKET: service.path, WATCHDOG_USEC: '200000' },
  });
  await service.report(/^READY=1/);
  await lb4.upgrade();
  const newcomer = lb4.current();
  await untilGone(lb4.pid);
  const seen = service.reports().length;
  await until('the newcomer reports that it is alive', () =>
    service.reports().slice(seen).includes('WATCHDOG=1'),
  );
  await end(lb4);
  const words = service.reports().filter(report => report !== 'WATCHDOG=1');
  t.same(
    words.map(report => report.split('\n')[0]),
    ['READY=1', `MAINPID=${newcomer}`, 'READY=1', 'STOPPING=1'],
    'the predecessor says nothing of its own end',
  );
});

void t.test('sockets of the service manager stay its own', { skip }, async t => {
  if (!loaded.ok) return;
  const { libc } = loaded;
  const { file, folder, configure } = await configured(t);
  const sockets = await Promise.all(
    [0, 1].map(() => bindListeningSockets(libc, { kind: 'tcp', host: '127.0.0.1', port: 0 }, 1)),
  );
  t.teardown(() => sockets.forEach(({ fds }) => fds.forEach(fd => libc.close(fd))));
  const [first, second] = sockets.map(({ address }) => address);
  const listener = { name: 'lent', bind: formatAddress(first!), upstream: 'app' };
  const other = { name: 'other', bind: formatAddress(second!), upstream: 'app' };
  const local = { name: 'local', bind: `unix:${folder}/web.sock`, upstream: 'app' };
  configure({}, {}, [listener, other, local]);
  const lb4 = await startUpgradedLb4(t, ['-c', file], {
    command: LB4_ACTIVATED,
    env: { LISTEN_FDS: '2', LISTEN_FDNAMES: 'x:y' },
    passed: sockets.flatMap(({ fds }) => fds),
  });
  configure({ workers: 3 }, {}, [listener, local]);
  await lb4.upgrade();
  await untilGone(lb4.pid);
  await echoed(t, first!);
  const waiting = echoed(t, second!);
  configure({ workers: 3 }, {}, [listener, other, local]);
  process.kill(lb4.current(), 'SIGHUP');
  await waiting;
  await lb4.upgrade();
  for (const address of [first!, second!]) await echoed(t, address);
  await end(lb4);
  const late = await connectClient(t, first!);
  t.ok(late, 'new clients wait at the socket');
  late.reset();
  t.notOk(existsSync(join(folder, 'web.sock')), "and what was lb4's own is gone");
});

void t.test(
  'a listener that the file no longer has is closed, and one it adds is opened',
  { skip },
  async t => {
    const { file, folder, configure } = await configured(t);
    const old = { name: 'old', bind: [`unix:${folder}/old.sock`, '127.0.0.1:0'], upstream: 'app' };
    const added = { name: 'new', bind: `unix:${folder}/new.sock`, upstream: 'app' };
    configure({}, {}, [old]);
    const lb4 = await startUpgradedLb4(t, ['-c', file]);
    const gone = lb4.lines.find(
      ({ event, listener, address }) =>
        event === 'listening' && listener === 'old' && String(address).startsWith('127.'),
    );
    configure({}, {}, [added]);
    await lb4.upgrade();
    await untilGone(lb4.pid);
    await echoed(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await echoed(t, { kind: 'unix', path: join(folder, 'new.sock') });
    const port = Number(/\d+$/.exec(String(gone?.['address']))?.[0]);
    await t.rejects(connectClient(t, { kind: 'tcp', host: '127.0.0.1', port }), { code: 'ECONNREFUSED' });
    t.notOk(existsSync(join(folder, 'old.sock')));
    await end(lb4);
  },
);

void t.test('a link that has been swapped leads to the new version', { skip }, async t => {
  const { file, folder } = await configured(t);
  const link = join(folder, 'current');
  const root = dirname(dirname(dirname(SEPARATE_LB4)));
  symlinkSync(root, link);
  const lb4 = await startUpgradedLb4(t, ['-c', file], {
    command: [process.execPath, join(link, 'dist', 'bin', 'lb4.js')],
  });
  symlinkSync(join(folder, 'nowhere'), join(folder, 'next'));
  renameSync(join(folder, 'next'), link);
  await t.rejects(
    lb4.upgrade(),
    /it ended with exit code 1 before it was ready/,
    'the link is followed anew',
  );
  t.ok(lb4.other.some(line => line.includes('Cannot find module')));
  symlinkSync(root, join(folder, 'next'));
  renameSync(join(folder, 'next'), link);
  await lb4.upgrade();
  await end(lb4);
});

void t.test(
  'through Redis both count until the predecessor has ended',
  { skip: skip || skipWithoutRedis() },
  async t => {
    const redis = await startRedisServer(t);
    const { file, configure } = await configured(t);
    configure({
      redis: { url: `redis://127.0.0.1:${redis.port}`, publish: '100ms' },
      admin: { bind: '127.0.0.1:0' },
    });
    const lb4 = await startUpgradedLb4(t, ['-c', file]);
    const [admin = ''] = adminAddresses(lb4);
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('x');
    await client.untilText('x');
    await lb4.line(({ event }) => event === 'mirrorShared');
    await lb4.upgrade();
    let elsewhere: unknown;
    const look = async (): Promise<void> => {
      const { body } = await ask(admin, 'GET', '/api/v1/upstreams/app');
      elsewhere = (body['backends'] as { elsewhere: number }[])[0]?.elsewhere;
    };
    const untilElsewhere = async (count: number): Promise<void> => {
      for (const deadline = performance.now() + 10_000; elsewhere !== count && performance.now() < deadline;)
        await look();
      t.equal(elsewhere, count);
    };
    await untilElsewhere(1);
    t.ok(isRunning(lb4.pid));
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.same(await ended(lb4.child), { code: 0, signal: null });
    await untilElsewhere(0);
    await end(lb4);
  },
);
