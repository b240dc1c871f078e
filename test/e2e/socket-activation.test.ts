/** Sockets that a service manager has opened: lb4 takes them over, and leaves them as they are when it ends. */
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import t, { type Test } from 'tap';
import { bindListeningSockets } from '../../src/linux/listening-sockets.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, LB4_ACTIVATED, startLb4 } from '../harness/lb4-process.ts';
import { listenAddress } from '../harness/listening-address.ts';
import { ended, freePort, skipWithout } from '../harness/programs.ts';
import { libc, withoutLibc } from '../harness/real-libc.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { WITHOUT_FFI } from '../harness/without-koffi.ts';

interface Kept {
  readonly fd: number;
  readonly address: Address;
}

/** A socket as a service manager opens it: it listens, and nothing accepts. */
async function kept(t: Test, text: string): Promise<Kept> {
  const { address, fds, file } = await bindListeningSockets(libc(), listenAddress(text), 1);
  const [fd = -1] = fds;
  t.teardown(() => {
    libc().close(fd);
    if (file !== undefined) rmSync(file.path, { force: true });
  });
  return { fd, address };
}

async function served(t: Test, address: Address, text: string): Promise<string> {
  const client = await connectClient(t, address);
  await client.send(text);
  await client.untilText(text);
  client.halfClose();
  return await client.untilEnded();
}

const env = (names: readonly string[]): NodeJS.ProcessEnv => ({
  LISTEN_FDS: String(names.length),
  LISTEN_FDNAMES: names.join(':'),
});

for (const [engine, workers] of [
  ['epoll', 1],
  ['epoll', 2],
  ['node', 0],
  ['node', 2],
] as const) {
  void t.test(
    `${engine} engine, ${workers} workers: clients from before the start to after the end`,
    { skip: withoutLibc },
    async t => {
      const folder = temporaryFolder(t);
      const backend = await startBackend(t, scripts.echo);
      const sockets = [
        await kept(t, '127.0.0.1:0'),
        await kept(t, '[::1]:0'),
        await kept(t, `unix:${folder}/web.sock`),
        await kept(t, '127.0.0.1:0'),
      ];
      // The last one is known by its name only.
      const names = ['lb4.socket', 'lb4.socket', 'lb4.socket', 'mail'];
      const at = sockets.slice(0, 3).map(({ address }) => formatAddress(address));
      const config = join(folder, 'lb4.json');
      writeFileSync(
        config,
        JSON.stringify({
          ...{ engine, workers },
          listeners: [
            { name: 'web', bind: at, upstream: 'app' },
            { name: 'mail', bind: ['127.0.0.1:1'], upstream: 'app' },
          ],
          upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)] }],
        }),
      );
      const start = () =>
        startLb4(t, ['-c', config], {
          command: LB4_ACTIVATED,
          env: env(names),
          passed: sockets.map(({ fd }) => fd),
        });

      const early = sockets.map(({ address }) => served(t, address, 'early'));
      const first = await start();
      t.same(await Promise.all(early), Array(4).fill('fin'), 'those that waited are served');
      const burst = sockets.flatMap(({ address }) =>
        Array.from({ length: 20 }, () => served(t, address, 'burst')),
      );
      t.same(new Set(await Promise.all(burst)), new Set(['fin']));
      t.equal(await first.stop(), 0);

      // No process accepts now. The kernel lets them in, and they wait.
      const between = sockets.map(({ address }) => served(t, address, 'between'));
      t.ok(statSync(join(folder, 'web.sock')).isSocket(), "the file is the service manager's");
      const second = await start();
      t.same(await Promise.all(between), Array(4).fill('fin'), 'and the next lb4 serves them');
      t.equal(await second.stop(), 0);
    },
  );
}

void t.test(
  'a drain leaves clients that come to the next one, and keeps the sessions it has',
  { skip: withoutLibc },
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const socket = await kept(t, '127.0.0.1:0');
    const start = () =>
      startLb4(t, ['-b', formatAddress(backend.address), '-l', formatAddress(socket.address)], {
        command: LB4_ACTIVATED,
        env: env(['web']),
        passed: [socket.fd],
      });
    const first = await start();
    const client = await connectClient(t, socket.address);
    await client.send('before');
    await client.untilText('before');
    first.child.kill('SIGTERM');
    await first.line(({ event }) => event === 'drainStarted');
    const second = await start();
    t.equal(await served(t, socket.address, 'meanwhile'), 'fin');
    await client.send(' during');
    await client.untilText('before during');
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.same(await ended(first.child), { code: 0, signal: null });
    t.equal(await second.stop(), 0);
  },
);

void t.test(
  'a socket that no listener wants ends the start with 69 and one line',
  { skip: withoutLibc },
  async t => {
    const socket = await kept(t, '127.0.0.1:0');
    const child = spawn('sh', [...LB4_ACTIVATED.slice(1), '-b', '127.0.0.1:1', '-l', '127.0.0.1:0'], {
      stdio: ['ignore', 'ignore', 'pipe', socket.fd],
      env: { ...process.env, ...env(['admin']) },
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    t.equal((await ended(child)).code, 69);
    t.match(
      said,
      `cannot use the socket that was passed as descriptor 3 (admin): ${formatAddress(socket.address)}: no listener is at this address, and none is named admin`,
    );
  },
);

void t.test('sockets for another process are left alone', { skip: withoutLibc }, async t => {
  const socket = await kept(t, '127.0.0.1:0');
  const lb4 = await startLb4(t, ['-b', '127.0.0.1:1'], {
    env: { ...env(['admin']), LISTEN_PID: '1' },
    passed: [socket.fd],
  });
  t.equal(await lb4.stop(), 0);
});

void t.test(
  'without the C library they cannot be taken over, and lb4 says so',
  { skip: withoutLibc },
  async t => {
    const socket = await kept(t, '127.0.0.1:0');
    const [, ...shell] = ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', process.execPath, ...WITHOUT_FFI, LB4];
    const child = spawn('sh', [...shell, '-b', '127.0.0.1:1', '-l', formatAddress(socket.address)], {
      stdio: ['ignore', 'ignore', 'pipe', socket.fd],
      env: { ...process.env, ...env(['web']) },
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    t.equal((await ended(child)).code, 1);
    t.match(said, 'sockets that were passed to this process cannot be taken over: koffi cannot be loaded');
  },
);

void t.test(
  'systemd-socket-activate starts it with the first client',
  { skip: withoutLibc === false ? skipWithout('systemd-socket-activate') : withoutLibc },
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const port = await freePort();
    const lb4 = [process.execPath, LB4, '-b', formatAddress(backend.address), '-l', `:${port}`];
    const child = spawn('systemd-socket-activate', ['-l', String(port), '--fdname=web', ...lb4], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const listens = new Promise<void>(resolve => {
      child.stderr.on('data', () => {
        if (said.includes('Listening on')) resolve();
      });
    });
    await listens;
    t.equal(await served(t, { kind: 'tcp', host: '::1', port }, 'over IPv6'), 'fin', said);
    t.equal(await served(t, { kind: 'tcp', host: '127.0.0.1', port }, 'over IPv4'), 'fin');
    child.kill('SIGTERM');
    t.equal((await ended(child)).code, 0);
  },
);
