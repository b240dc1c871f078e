/** A drain as clients and probes see it: not ready and still accepting, then sessions that go in turn. */
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import type { SessionRecord } from '../../src/model/session-record.ts';
import { formatAddress, parseAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient, untilRefused } from '../harness/client.ts';

const libc = loadLibc();

for (const [engine, workers] of [
  ['epoll', 1],
  ['epoll', 2],
  ['node', 2],
  ['node', 0],
] as const) {
  const skip = workers > 0 && !libc.ok && libc.reason;
  const name = `${engine} engine, ${workers} workers`;

  void t.test(
    `${name}: with a delay it is not ready at once, and takes clients until then`,
    { skip },
    async t => {
      const { balancer, address } = await start(t, {
        engine,
        workers,
        drainTimeout: '1h',
        drain: { delay: '400ms' },
      });
      t.match(balancer.snapshot(), { state: 'running', ready: true });
      const started = new Promise(resolve => balancer.on('drain:started', resolve));
      const drained = balancer.drain();
      t.match(balancer.snapshot(), { state: 'leaving', ready: false });
      const client = await connectClient(t, address);
      await client.send('welcome');
      await client.untilText('welcome');
      t.equal(balancer.state, 'leaving', 'all of this while it leaves');
      await started;
      t.match(balancer.snapshot(), { state: 'draining', ready: false });
      await untilRefused(t, address);
      await client.send(' still');
      await client.untilText('welcome still');
      client.halfClose();
      await drained;
      t.equal(balancer.state, 'stopped');
    },
  );

  void t.test(`${name}: a stop ends the delay at once`, { skip }, async t => {
    const { balancer, address } = await start(t, { engine, workers, drain: { delay: '1h' } });
    const client = await connectClient(t, address);
    await client.send('x');
    await client.untilText('x');
    const drained = balancer.drain();
    await balancer.stop();
    await drained;
    t.equal(await client.untilEnded(), 'reset');
  });

  void t.test(`${name}: silent sessions go first, and not all in one moment`, { skip }, async t => {
    const { balancer, address, records } = await start(t, { engine, workers, drain: { spread: 1 } });
    const silent = await Promise.all(Array.from({ length: 8 }, () => connectClient(t, address)));
    for (const client of silent) {
      await client.send('x');
      await client.untilText('x');
    }
    const busy = await Promise.all(Array.from({ length: 4 }, () => connectClient(t, address)));
    const sending = setInterval(() => {
      for (const { socket } of busy) if (!socket.destroyed && socket.writable) socket.write('busy');
    }, 20);
    t.teardown(() => clearInterval(sending));
    for (const client of busy) await once(client.socket, 'data');
    await balancer.drain(1_500);
    t.equal(records.length, 12);
    t.ok(
      records.every(({ by, phase, reason }) => `${by} ${phase} ${reason}` === 'balancer drain drainTimeout'),
    );
    // The engines' clocks tick each 100 ms, and each worker has its own turns.
    const isSilent = ({ bytesFromClient }: SessionRecord): boolean => bytesFromClient === 1;
    const first = records.slice(0, 5).filter(isSilent);
    t.ok(first.length >= 4, `${first.length} of the first five were silent`);
    const ends = records.map(({ startedAtMs, durationMs }) => startedAtMs + durationMs);
    t.ok(Math.max(...ends) - Math.min(...ends) > 375, 'over a good part of the time');
  });
}

void t.test('the states in which backends can still be changed include leaving', async t => {
  const { balancer, backend } = await start(t, { drain: { delay: '1h' } });
  const drained = balancer.drain();
  balancer.setBackendWeight('app', backend, 7);
  t.equal(balancer.snapshot().upstreams[0]?.backends[0]?.weight, 7);
  await t.rejects(balancer.drain(), { code: 'LB4_WRONG_STATE', message: 'cannot drain: it is leaving' });
  await balancer.stop();
  await drained;
});

async function start(t: Test, config: Partial<ConfigInput>) {
  const backend = formatAddress((await startBackend(t, scripts.echo)).address);
  const balancer: LoadBalancer = createLoadBalancer({
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [{ name: 'app', health: 'off', backends: [backend] }],
    ...config,
  });
  const records: SessionRecord[] = [];
  balancer.on('session:closed', record => records.push(record));
  t.teardown(() => balancer.stop());
  await balancer.start();
  const parsed = parseAddress(balancer.snapshot().listeners[0]?.addresses[0] ?? '');
  if (!parsed.ok) throw new Error(parsed.expected);
  const address: Address = parsed.address;
  return { balancer, address, records, backend };
}
