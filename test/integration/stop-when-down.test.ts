/** `stopWhenDown`: what stands in front of lb4 is refused while the upstream has no backend. */
import { existsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput, type EventMap, type LoadBalancer } from '../../src/index.ts';
import { bindListeningSockets } from '../../src/linux/listening-sockets.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { FaultyBackend, ownHost } from '../harness/faulty-backend.ts';
import { listenAddress } from '../harness/listening-address.ts';
import { freePort } from '../harness/programs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const loaded = loadLibc();

const PLACES = {
  'two workers': { ...DATA_PLANE, workers: 2 },
  ...OWN_THREAD,
} as const;

async function isRefused(t: Test, address: Address): Promise<boolean> {
  try {
    (await connectClient(t, address)).reset();
    return false;
  } catch {
    return true;
  }
}

async function start(t: Test, config: ConfigInput): Promise<{ balancer: LoadBalancer; seen: Seen[] }> {
  const balancer = createLoadBalancer(config);
  t.teardown(() => balancer.stop());
  const seen: Seen[] = [];
  balancer.on('listener:stopped', event => seen.push(['stopped', event]));
  balancer.on('listener:notBack', event => seen.push(['notBack', event]));
  balancer.on('listener:listening', event => seen.push(['listening', event]));
  await balancer.start();
  return { balancer, seen };
}

type Seen = readonly [
  string,
  EventMap['listener:stopped'] | EventMap['listener:notBack'] | EventMap['listener:listening'],
];

const isStopped = (balancer: LoadBalancer): boolean => balancer.snapshot().listeners[0]?.stopped === true;
const words = (seen: readonly Seen[]): string[] => seen.map(([what]) => what);

for (const [place, dataPlane] of Object.entries(PLACES)) {
  const skip = place === 'two workers' && !loaded.ok ? 'workers need koffi on Linux' : false;

  void t.test(`${place}: clients are refused while no backend is well; sessions go on`, { skip }, async t => {
    const folder = temporaryFolder(t);
    const { address } = await startBackend(t, scripts.echo);
    const backend = formatAddress(address);
    const port = await freePort();
    const file = join(folder, 'web.sock');
    const bind = [`127.0.0.1:${port}`, { address: `unix:${file}`, mode: '0600' }];
    const config: ConfigInput = {
      ...dataPlane,
      listeners: [{ name: 'web', bind, upstream: 'app', stopWhenDown: true }],
      upstreams: [{ name: 'app', health: 'off', backends: [backend] }],
    };
    const { balancer, seen } = await start(t, config);
    const at = listenAddress(`127.0.0.1:${port}`);
    const unix = listenAddress(`unix:${file}`);
    const client = await connectClient(t, at);
    await client.send('a');
    await client.untilText('a');

    balancer.setBackendState('app', backend, 'drain');
    await until('it has stopped', () => isStopped(balancer));
    await until('clients are refused', () => isRefused(t, at));
    t.ok(await isRefused(t, unix));
    t.notOk(existsSync(file));
    const [listener, ...others] = balancer.snapshot().listeners;
    t.match(listener, { name: 'web', addresses: [], stopped: true, paused: false, sessions: 1 });
    t.same([listener?.pausedMs, others], [undefined, []]);
    await client.send('b');
    await client.untilText('ab');

    await balancer.apply({ ...config, drainTimeout: '1s' });
    t.ok(await isRefused(t, at), 'another configuration does not let clients in');

    balancer.setBackendState('app', backend, 'ready');
    await until('it listens again', () => !isStopped(balancer));
    for (const where of [at, unix]) {
      const next = await connectClient(t, where);
      await next.send('c');
      await next.untilText('c');
    }
    t.equal(statSync(file).mode & 0o777, 0o600);
    t.same(words(seen), ['listening', 'listening', 'stopped', 'listening', 'listening']);
    t.match(seen[2]?.[1], { listener: 'web', upstream: 'app', kept: undefined });
  });

  void t.test(`${place}: checks decide, and a port that is taken is tried again`, { skip }, async t => {
    const backend = await FaultyBackend.start('one', ownHost(1), 'refuse');
    t.teardown(() => backend.close());
    const port = await freePort();
    const { balancer, seen } = await start(t, {
      ...dataPlane,
      listeners: [{ name: 'web', bind: `127.0.0.1:${port}`, upstream: 'app', stopWhenDown: true }],
      upstreams: [
        {
          ...{ name: 'app', backends: [formatAddress(backend.address)] },
          health: { type: 'tcp', interval: 50, timeout: 50, rise: 1, fall: 1, initial: 'checked' },
        },
      ],
    });
    t.ok(isStopped(balancer), 'it does not listen before a check has passed');
    const at = listenAddress(`127.0.0.1:${port}`);
    const other = createServer().listen(port, '127.0.0.1');
    await new Promise(resolve => other.once('listening', resolve));
    await backend.become('serve');
    await until('it has tried', () => words(seen).includes('notBack'));
    t.match(seen.at(-1)?.[1], { listener: 'web', upstream: 'app', reason: /address is in use|EADDRINUSE/ });
    await new Promise(resolve => other.close(resolve));
    await until('it listens', () => words(seen).includes('listening'));
    t.notOk(await isRefused(t, at));
    await backend.become('refuse');
    await until('it has stopped', () => words(seen).at(-1) === 'stopped');
    await until('clients are refused', () => isRefused(t, at));
  });

  void t.test(`${place}: a socket that was passed stays open`, { skip: skip || !loaded.ok }, async t => {
    if (!loaded.ok) return;
    const { libc } = loaded;
    const { address: own } = await startBackend(t, scripts.echo);
    const backend = formatAddress(own);
    const where = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
    const { address, fds } = await bindListeningSockets(libc, where, 1);
    const [fd = -1] = fds;
    t.teardown(() => libc.close(fd));
    const port = await freePort();
    const bind = [formatAddress(address), `127.0.0.1:${port}`];
    const balancer = createLoadBalancer(
      {
        ...dataPlane,
        listeners: [{ name: 'web', bind, upstream: 'app', stopWhenDown: true, whenUnavailable: 'http503' }],
        upstreams: [{ name: 'app', health: 'off', backends: [backend] }],
      },
      { passed: [{ fd, name: '' }] },
    );
    t.teardown(() => balancer.stop());
    const stopped = new Promise(resolve => balancer.on('listener:stopped', resolve));
    await balancer.start();
    balancer.setBackendState('app', backend, 'drain');
    t.same(await stopped, { listener: 'web', upstream: 'app', kept: [formatAddress(address)] });
    await until('the own one is closed', () => isRefused(t, listenAddress(`127.0.0.1:${port}`)));
    const client = await connectClient(t, address);
    await client.untilText('HTTP/1.1 503');
    balancer.setBackendState('app', backend, 'ready');
    await until('it listens again', () => !isStopped(balancer));
    t.notOk(await isRefused(t, listenAddress(`127.0.0.1:${port}`)));
  });
}
