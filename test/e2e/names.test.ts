/**
 * lb4 on a machine whose names are the test's: its own hosts file, resolv.conf and name servers, in namespaces of its
 * own. What hangs there must hold up nothing: not the backends that are known, not the start, not the end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { startNameServer, type DnsReply } from '../harness/name-server.ts';
import { NetworkNamespace, skipWithoutNamespaces } from '../harness/network-namespace.ts';
import { ended, find } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { until } from '../harness/until.ts';

const SILENT = '127.0.0.53';
const REAL = '127.0.0.54';
/** Behind an interface that swallows everything. */
const BLACK_HOLE = '198.18.0.2';
/** What the silent one answers all the same. */
const KNOWN: Readonly<Record<string, DnsReply>> = {
  'good.test': { addresses: ['127.0.0.1'] },
  'half.test': { addresses: [BLACK_HOLE, '127.0.0.1'] },
};

/** Files that lb4 finds in /etc, and how to start it so that it does. */
function etc(t: Test, files: { hosts: string; 'resolv.conf': string }) {
  const folder = t.testdir(files);
  const mounts = Object.keys(files).map(name => `mount --bind ${join(folder, name)} /etc/${name}`);
  const command = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    `${mounts.join(' && ')} && exec "$@"`,
    'sh',
    process.execPath,
    LB4,
  ];
  // Not replaced: the file itself is mounted.
  const write = (name: keyof typeof files, text: string): void => writeFileSync(join(folder, name), text);
  return { command, write, folder };
}

void t.test('names', { skip: skipWithoutNamespaces('unshare', 'mount'), timeout: 60_000 }, async t => {
  const namespace = await NetworkNamespace.create(`lb4-names-${process.pid}`);
  t.teardown(() => namespace.delete());
  await namespace.ip('link', 'add', 'hole', 'type', 'veth', 'peer', 'name', 'void');
  for (const end of ['hole', 'void']) await namespace.ip('link', 'set', end, 'up');
  await namespace.ip('addr', 'add', '198.18.0.1/24', 'dev', 'hole');
  // Nobody has this one: without it the kernel itself would say so after three seconds.
  await namespace.ip('neigh', 'add', BLACK_HOLE, 'lladdr', '02:00:00:00:00:02', 'dev', 'hole');
  const silent = await namespace.run(() =>
    startNameServer(t, name => KNOWN[name], { host: SILENT, port: 53 }),
  );
  const backend = await namespace.run(() => startBackend(t, scripts.echo));
  const port = backend.address.kind === 'tcp' ? backend.address.port : 0;

  /** What a client gets that says hello; nothing when it is refused. */
  const ask = async (t: Test, { host, port }: Lb4Process): Promise<string> => {
    const client = await namespace
      .run(() => connectClient(t, { kind: 'tcp', host, port }))
      .catch(() => undefined);
    if (client === undefined) return '';
    await client.send('hello').catch(() => undefined);
    client.halfClose();
    await client.untilEnded().catch(() => undefined);
    return client.text;
  };
  /** Resolves once a client is served. */
  const served = async (t: Test, lb4: Lb4Process): Promise<void> => {
    while ((await ask(t, lb4)) !== 'hello');
  };

  for (const engine of [
    ['node', '0'],
    ['epoll', '1'],
  ] as const) {
    void t.test(`39 of 40 names hang, and Redis (${engine.join(', ')})`, async t => {
      const { command } = etc(t, { hosts: '127.0.0.1 localhost\n', 'resolv.conf': `nameserver ${SILENT}\n` });
      const backends = [...Array.from({ length: 39 }, (_, i) => `hangs-${i}.test:80`), `good.test:${port}`];
      const begin = performance.now();
      const lb4 = await namespace.run(() =>
        startLb4(
          t,
          [
            ...['--backends', backends.join(','), '--redis', 'redis://hangs.test'],
            ...['--engine', engine[0], '--workers', engine[1]],
          ],
          { command },
        ),
      );
      await served(t, lb4);
      const servedMs = performance.now() - begin;
      t.ok(servedMs < 8_000, `the one that is known serves after ${Math.round(servedMs)} ms`);
      const stop = performance.now();
      t.equal(await lb4.stop(), 0);
      const stoppedMs = performance.now() - stop;
      t.ok(stoppedMs < 1_000, `ended after ${Math.round(stoppedMs)} ms`);
    });
  }

  for (const [engine, check] of [
    ['node', { type: 'tcp' }],
    ['epoll', { type: 'sendExpect', send: 'a', expect: 'a' }],
  ] as const) {
    void t.test(
      `a name with an address that swallows everything (${engine}, check ${check.type})`,
      async t => {
        const { command, folder } = etc(t, { hosts: '', 'resolv.conf': `nameserver ${SILENT}\n` });
        const backends = [`half.test:${port}`];
        const connect = { timeout: '1s', attempts: 1 } as const;
        const config: ConfigInput = {
          listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
          upstreams: [{ name: 'app', backends, connect, health: { ...check, initial: 'down', rise: 1 } }],
          ...{ engine, workers: 1 },
        };
        const file = join(folder, 'lb4.json');
        writeFileSync(file, JSON.stringify(config));
        const lb4 = await namespace.run(() => startLb4(t, ['-c', file], { command }));
        await lb4.line(({ event }) => event === 'backendUp');
        await served(t, lb4);
        t.equal(await ask(t, lb4), 'hello');
        t.notOk(lb4.lines.some(({ event }) => event === 'connectFailed'));
        t.equal(await lb4.stop(), 0);
      },
    );
  }

  void t.test('a listener whose name hangs: SIGTERM ends the start at once', async t => {
    const { command } = etc(t, { hosts: '', 'resolv.conf': `nameserver ${SILENT}\n` });
    const [program, ...args] = [...command, '-l', 'listener.test:80', '-b', '127.0.0.1:80'];
    const child = await namespace.run(async () => spawn(program, args, { stdio: 'ignore' }));
    t.teardown(() => child.kill('SIGKILL'));
    await until('it is asked for', () => silent.questions.includes('A listener.test'));
    const begin = performance.now();
    child.kill('SIGTERM');
    t.equal((await ended(child)).code, 0);
    t.ok(performance.now() - begin < 1_000);
  });

  const skip = find('dnsmasq') === undefined ? 'this machine has no dnsmasq' : false;
  void t.test('a name server that comes later, and files that change', { skip }, async t => {
    const { command, write } = etc(t, { hosts: '', 'resolv.conf': `nameserver ${REAL}\nsearch test\n` });
    const backends = `alias:${port},none.test:80,hosts.test:${port}`;
    const lb4 = await namespace.run(() => startLb4(t, ['-b', backends], { command }));
    const changed = (event: string, backend: string) =>
      lb4.line(line => line.event === event && line['backend'] === backend);
    t.match(await changed('backendDown', 'none.test:80'), {
      reason: /ECONNREFUSED, there is no name server/,
    });
    const dnsmasq = await namespace.run(async () =>
      spawn(
        find('dnsmasq') ?? '',
        [
          ...[
            '--keep-in-foreground',
            '--no-resolv',
            '--no-hosts',
            '--conf-file=/dev/null',
            '--pid-file=',
            '--user=root',
          ],
          ...[`--listen-address=${REAL}`, '--bind-interfaces', '--log-facility=-'],
          ...['--host-record=good.test,127.0.0.1', '--cname=alias.test,good.test', '--address=/none.test/'],
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      ),
    );
    t.teardown(() => dnsmasq.kill('SIGKILL'));
    await once(dnsmasq.stderr, 'data');
    t.match(await changed('backendUp', `alias:${port}`), { reason: 'name resolved' });
    await served(t, lb4);
    // The hosts file counts at once, although the new name server knows nothing.
    write('resolv.conf', `nameserver ${SILENT}\n`);
    write('hosts', '127.0.0.1 hosts.test none.test\n');
    await changed('backendUp', `hosts.test:${port}`);
    await changed('backendUp', 'none.test:80');
    await served(t, lb4);
    t.equal(await lb4.stop(), 0);
  });
});
