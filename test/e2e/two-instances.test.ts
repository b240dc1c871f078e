/** Two lb4 that want the same: the second one ends with 69, names the first, and leaves all of it as it was. */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { connectClient, untilRefused } from '../harness/client.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { formatAddress } from '../../src/support/address.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { ended, freePort, runProgram } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { WITHOUT_FFI } from '../harness/without-koffi.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;
t.setTimeout(120_000);

const BACKEND = ['-b', '127.0.0.1:1', '--health', 'off', '--workers', '1'] as const;

const failing = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  runProgram(process.execPath, [LB4, ...BACKEND, ...args, '--log-format', 'text'], {
    timeoutMs: 20_000,
    env,
  });

void t.test(
  'one address: TCP, all addresses of its port, a unix socket, the admin API',
  { skip },
  async t => {
    const folder = temporaryFolder(t);
    const [port, admin] = [await freePort(), await freePort()];
    const [tcp, unix, abstract] = [
      `127.0.0.1:${port}`,
      `unix:${folder}/web.sock`,
      `unix:@lb4-${process.pid}`,
    ];
    const first = await startLb4(t, [
      ...[...BACKEND, '-l', tcp, '-l', unix, '-l', abstract, '--admin', `127.0.0.1:${admin}`],
    ]);
    const cases = [
      [['-l', tcp], tcp, ''],
      [['-l', `:${port}`], `:${port}`, `, which listens on ${tcp}`],
      [['-l', `0.0.0.0:${port}`], `0.0.0.0:${port}`, `, which listens on ${tcp}`],
      [['-l', unix], unix, ''],
      [['-l', abstract], abstract, ''],
      [['-l', '127.0.0.1:0', '--admin', `127.0.0.1:${admin}`], `127.0.0.1:${admin}`, ''],
      [['-l', tcp, '--engine', 'node', '--workers', '0'], tcp, ''],
    ] as const;
    const results = await Promise.all(cases.map(([args]) => failing(args)));
    for (const [i, [, address, besides]] of cases.entries()) {
      t.equal(results[i]?.code, 69, address);
      const holder = `process ${first.pid} (node ${LB4.split('/').at(-1) ?? ''})`;
      const line = `cannot listen on ${address}: EADDRINUSE, the address is in use by ${holder}${besides}\n`;
      t.ok(results[i]?.stderr.endsWith(line), `${address}: ${results[i]?.stderr ?? ''}`);
    }
    await connectClient(t, { kind: 'unix', path: join(folder, 'web.sock') });
    t.equal(await first.stop(), 0);
  },
);

void t.test('one address: without the C library as well', async t => {
  const first = await startLb4(t, [...BACKEND]);
  const env = { NODE_OPTIONS: WITHOUT_FFI.join(' ') };
  const second = await failing(['-l', first.address, '--workers', '0'], env);
  t.equal(second.code, 69);
  t.match(second.stderr, `in use by process ${first.pid} (node `);
});

void t.test('a reload that adds a busy address names its holder, and changes nothing', { skip }, async t => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const busy = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const file = join(temporaryFolder(t), 'lb4.json');
  const configure = (...bind: readonly string[]): void =>
    writeFileSync(
      file,
      JSON.stringify({
        workers: 1,
        // A reset may come before Node has seen that the client is connected.
        listeners: [
          { name: 'web', bind: ['127.0.0.1:0', ...bind], upstream: 'app', whenUnavailable: 'close' },
        ],
        upstreams: [{ name: 'app', health: 'off', backends: ['127.0.0.1:1'] }],
      }),
    );
  configure();
  const lb4 = await startLb4(t, ['-c', file]);
  configure(busy);
  lb4.child.kill('SIGHUP');
  const { message } = await lb4.line(({ event }) => event === 'reloadFailed');
  t.match(message, `cannot listen on ${busy}: EADDRINUSE, the address is in use by process ${process.pid} (`);
  await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
});

function pidFileWith(t: Test, content: string): { folder: string; path: string } {
  const folder = temporaryFolder(t);
  const path = join(folder, 'lb4.pid');
  writeFileSync(path, content);
  return { folder, path };
}

void t.test('one pid file', { skip }, async t => {
  const { folder, path } = pidFileWith(t, '4194305\n');
  const first = await startLb4(t, [...BACKEND, '--pid-file', path]);
  const second = await failing(['-l', '127.0.0.1:0', '--pid-file', path]);
  t.equal(second.code, 69);
  t.match(
    second.stderr,
    new RegExp(
      `cannot write the pid file ${path}: it is the file of process ${first.pid} \\(node .*\\), which runs\n$`,
    ),
  );
  t.equal(readFileSync(path, 'utf8'), `${first.pid}\n`);
  first.child.kill('SIGKILL');
  await ended(first.child);
  const third = await startLb4(t, [...BACKEND, '--pid-file', path]);
  t.equal(readFileSync(path, 'utf8'), `${third.pid}\n`, 'one that was killed does not have it any more');
  t.equal(await third.stop(), 0);
  t.same(readdirSync(folder), []);
});

void t.test('many starts at one moment: one has the pid file', { skip }, async t => {
  const { folder, path } = pidFileWith(t, '4194305\n');
  const starts = await Promise.allSettled(
    Array.from({ length: 4 }, () => startLb4(t, [...BACKEND, '--workers', '0', '--pid-file', path])),
  );
  const running = starts.flatMap(start => (start.status === 'fulfilled' ? [start.value] : []));
  t.equal(running.length, 1);
  t.equal(readFileSync(path, 'utf8'), `${running[0]?.pid ?? 0}\n`);
  for (const start of starts)
    if (start.status === 'rejected') t.match(start.reason, { message: /which runs/ });
  t.equal(await running[0]?.stop(), 0);
  t.same(readdirSync(folder), []);
});

void t.test('a number that another program has now does not stop a start', { skip }, async t => {
  const { path } = pidFileWith(t, '1\n');
  const lb4 = await startLb4(t, [...BACKEND, '--pid-file', path]);
  t.notOk(lb4.lines.some(({ event }) => event === 'pidFileTakenOver'));
  t.equal(await lb4.stop(), 0);
});

void t.test('one that drains lets the next one have its address and its pid file', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const { path } = pidFileWith(t, '');
  const args = [
    '-b',
    formatAddress(backend.address),
    '--health',
    'off',
    '--workers',
    '1',
    '--pid-file',
    path,
  ];
  const first = await startLb4(t, args);
  const address = { kind: 'tcp', host: first.host, port: first.port } as const;
  const client = await connectClient(t, address);
  await client.send('x');
  await client.untilText('x');
  first.child.kill('SIGTERM');
  await untilRefused(t, address);
  const second = await startLb4(t, [...args, '-l', first.address]);
  const taken = await second.line(({ event }) => event === 'pidFileTakenOver');
  t.match(taken, { predecessor: first.pid, message: /named process \d+ \(node .*\), which still runs$/ });
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin');
  t.same(await ended(first.child), { code: 0, signal: null });
  t.equal(readFileSync(path, 'utf8'), `${second.pid}\n`);
});

void t.test("one at a path whose file was removed has the first one's pid file, too", { skip }, async t => {
  const { folder, path } = pidFileWith(t, '');
  const socket = join(folder, 'web.sock');
  const args = [...BACKEND, '-l', `unix:${socket}`, '--pid-file', path];
  const first = await startLb4(t, args);
  rmSync(socket);
  const second = await startLb4(t, args);
  t.match(await second.line(({ event }) => event === 'pidFileTakenOver'), { predecessor: first.pid });
  t.equal(await first.stop(), 0);
  t.equal(readFileSync(path, 'utf8'), `${second.pid}\n`);
  t.ok(existsSync(socket));
  const third = await startLb4(t, args).catch((error: unknown) => error as Error);
  t.match(third, { message: new RegExp(`process ${second.pid} `) }, 'while the file is there');
  t.equal(await second.stop(), 0);
  t.same(readdirSync(folder), []);
});

void t.test(
  'one name: the second one says which process has the admin socket, and runs',
  { skip },
  async t => {
    const env = { XDG_RUNTIME_DIR: temporaryFolder(t), LB4_ADMIN_SOCKET: 'auto' };
    const named = [...BACKEND, '--name', `twice-${process.pid}`] as const;
    const first = await startLb4(t, [...named], { env });
    await first.line(({ event }) => event === 'adminListening');
    const second = await startLb4(t, [...named], { env });
    const { message } = await second.line(({ event }) => event === 'adminUnavailable');
    t.match(message, `in use by process ${first.pid} (node `);
    t.match(message, '; another lb4 of this name runs: --name gives this one a name of its own');
  },
);
