/** Listeners and upstreams that a configuration takes out: clients in the queue are served, and nothing is a failure. */
import t from 'tap';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import { createNodeEngine } from '../../src/engine/node/node-engine.ts';
import { formatAddress, parseAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { kernelClient } from '../harness/kernel-client.ts';
import { libc, withoutLibc } from '../harness/real-libc.ts';
import { until } from '../harness/until.ts';

/** More than an engine takes out of the kernel's queue in one turn. */
const CLIENTS = 200;

for (const [where, dataPlane] of Object.entries({ workers: DATA_PLANE, ...OWN_THREAD })) {
  void t.test(`over ${where}: a listener goes with its upstream`, { skip: withoutLibc }, async t => {
    const backends = [formatAddress((await startBackend(t, scripts.echo)).address)];
    const config = (names: readonly string[]): ConfigInput => ({
      ...dataPlane,
      listeners: names.map(name => ({ name, bind: '127.0.0.1:0', upstream: name })),
      upstreams: names.map(name => ({ name, health: 'off', backends })),
    });
    const balancer = createLoadBalancer(config(['stays', 'goes']));
    t.teardown(() => balancer.stop());
    await balancer.start();
    const ends: string[] = [];
    balancer.on('session:closed', ({ by, reason }) => ends.push(`${by} ${reason}`));
    balancer.on('upstream:down', ({ upstream }) => ends.push(`${upstream} is reported as down`));
    const leaving = balancer.snapshot().listeners[1]?.addresses[0] ?? '';
    const at = parseAddress(leaving);
    if (!at.ok) throw new Error(at.expected);
    // System calls, of which this thread's own data plane sees nothing before they are all in the queue.
    const clients = Array.from({ length: CLIENTS }, () => kernelClient(t, libc(), at.address));
    await balancer.apply(config(['stays']));
    await until('each has a session', () => balancer.snapshot().sessions === CLIENTS);
    t.same(ends, []);
    t.ok(clients.every(client => client.state() === 'connected'));
    t.match(
      balancer.snapshot().upstreams.map(({ name }) => name),
      ['stays'],
    );
  });
}

void t.test(
  'a thread that stood still loses no client when a listener closes',
  { skip: withoutLibc },
  async t => {
    let isLate = false;
    const engine = createNodeEngine({
      clock: { nowMs: 0 },
      libc: libc(),
      // Whatever it waits for in the end has taken too long already.
      setTimer: callback => {
        if (isLate) callback();
        return () => undefined;
      },
    });
    let taken = 0;
    const listener = await engine.listen(
      { kind: 'tcp', host: '127.0.0.1', port: 0 },
      { onClient: () => taken++ },
    );
    const clients = Array.from({ length: 20 }, () => kernelClient(t, libc(), listener.address));
    isLate = true;
    await listener.close();
    t.equal(taken, clients.length);
  },
);
