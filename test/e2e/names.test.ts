/**
 * lb4 on a machine whose names are the test's: its own hosts file, resolv.conf and name servers, in namespaces of its
 * own. What hangs there must hold up nothing: not the backends that are known, not the start, not the end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { startNameServer } from '../harness/name-server.ts';
import { NetworkNamespace, skipWithoutNamespaces } from '../harness/network-namespace.ts';
import { ended, find } from '../harness/programs.ts';
import { until } from '../harness/until.ts';

const SILENT = '127.0.0.53';
const REAL = '127.0.0.54';

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
  return { command, write };
}

void t.test('names', { skip: skipWithoutNamespaces('unshare', 'mount'), timeout: 60_000 }, async t => {
  const namespace = await NetworkNamespace.create(`lb4-names-${process.pid}`);
  t.teardown(() => namespace.delete());
  const silent = await namespace.run(() =>
    startNameServer(t, name => (name === 'good.test' ? { addresses: ['127.0.0.1'] } : undefined), {
      host: SILENT,
      port: 53,
    }),
  );
  const backend = await namespace.run(() => startBackend(t, scripts.echo));
  const port = backend.address.kind === 'tcp' ? backend.address.port : 0;

  /** Resolves once a client is served. */
  const served = async (t: Test, lb4: Lb4Process): Promise<void> => {
    for (;;) {
      const client = await namespace.run(() =>
        connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port }),
      );
      await client.send('hello').catch(() => undefined);
      client.halfClose();
      await client.untilEnded().catch(() => undefined);
      if (client.text === 'hello') return;
    }
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
    write('hosts', '127.0.0.1 hosts.test\n');
    await changed('backendUp', `hosts.test:${port}`);
    write('resolv.conf', `nameserver ${SILENT}\n`);
    write('hosts', '127.0.0.1 none.test\n');
    await changed('backendUp', 'none.test:80');
    await served(t, lb4);
    t.equal(await lb4.stop(), 0);
  });
});
