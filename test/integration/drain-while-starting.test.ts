/** A drain that comes while the balancer still starts: clients are served or refused, and none is reset. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';

import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { HastyClients, type Outcomes } from '../harness/hasty-clients.ts';

const libc = loadLibc();

for (const [engine, workers] of [
  ['epoll', 2],
  ['node', 2],
  ['node', 0],
] as const) {
  const skip = workers > 0 && !libc.ok && libc.reason;
  const name = `${engine} engine, ${workers} workers`;

  void t.test(`${name}: who is let in while it starts is served before it ends`, { skip }, async t => {
    const { balancer, leave } = await besieged(t);
    const states: string[] = [];
    const drained = new Promise<void>((resolve, reject) => {
      balancer.on('listener:listening', () => {
        states.push(balancer.state);
        balancer.drain().then(resolve, reject);
      });
    });
    await balancer.start();
    await drained;
    const outcomes = await leave();
    t.same(states, ['starting']);
    t.equal(balancer.state, 'stopped');
    t.same(
      Object.keys(outcomes).filter(outcome => !ALLOWED.includes(outcome)),
      [],
      JSON.stringify(outcomes),
    );
  });

  void t.test(`${name}: before a client is let in, none is any more`, { skip }, async t => {
    const { balancer, leave } = await besieged(t);
    let listened = false;
    balancer.on('listener:listening', () => (listened = true));
    const started = balancer.start();
    const drained = balancer.drain();
    await t.rejects(started, { code: 'LB4_WRONG_STATE', message: 'stopped before it had started' });
    await drained;
    t.same(Object.keys(await leave()), ['ECONNREFUSED']);
    t.notOk(listened);
    t.equal(balancer.state, 'stopped');
  });

  /** One that is not started yet, at whose address clients come and come. */
  async function besieged(t: {
    teardown(work: () => unknown): void;
  }): Promise<{ balancer: LoadBalancer; leave: () => Promise<Outcomes> }> {
    const clients = await HastyClients.start(t);
    const port = await freePort();
    const balancer = createLoadBalancer({
      ...{ engine, workers },
      listeners: [{ name: 'web', bind: [`127.0.0.1:${port}`], upstream: 'app' }],
      upstreams: [{ name: 'app', health: 'off', backends: [`127.0.0.1:${clients.backend}`] }],
    });
    t.teardown(() => balancer.stop());
    return { balancer, leave: clients.come(port) };
  }
}

/** Below the ports that the system gives away: of those, a client that comes too early may reach itself. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return await freePort();
  }
  server.close();
  return port;
}

const ALLOWED = ['served', 'ECONNREFUSED'];
