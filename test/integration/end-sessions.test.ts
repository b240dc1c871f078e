/** Operators end sessions that run: those that match, over all workers, at most as many as they say. */
import t, { type Test } from 'tap';
import { createLoadBalancer } from '../../src/load-balancer.ts';
import type { SessionRecord } from '../../src/model/session-record.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import { until } from '../harness/until.ts';

async function running(t: Test, parts: { maxSessions?: number } = {}) {
  const backend = await startBackend(t, scripts.echo);
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [{ name: 'app', backends: [{ address: formatAddress(backend.address), ...parts }] }],
  });
  t.teardown(() => balancer.stop());
  const records: SessionRecord[] = [];
  balancer.on('session:closed', record => records.push(record));
  await balancer.start();
  const dial = async (count: number) => {
    const address = addressOf(balancer);
    const clients = await Promise.all(Array.from({ length: count }, () => connectClient(t, address)));
    for (const client of clients) void client.send('hello');
    return clients;
  };
  return { balancer, records, dial };
}

void t.test(
  'those that match are reset, each exactly once, and recorded as ended by an operator',
  async t => {
    const { balancer, records, dial } = await running(t);
    const clients = await dial(250);
    await Promise.all(clients.map(client => client.untilText('hello')));
    t.equal(await balancer.endSessions({ upstream: 'other' }), 0);
    t.equal(await balancer.endSessions({ client: '10.0.0.0/8' }), 0);
    t.equal(await balancer.endSessions({ client: '127.0.0.0/8', limit: 40 }), 40);
    await until('40 are recorded', () => records.length === 40);
    t.equal(await balancer.endSessions({ upstream: 'app', moreBytesThan: 9 }), 210);
    await until('all are recorded', () => records.length === 250);
    t.ok(records.every(({ by, phase, reason }) => `${by} ${phase} ${reason}` === 'balancer relay operator'));
    t.equal(new Set(records.map(({ id }) => id)).size, 250);
    const endings = await Promise.all(clients.map(client => client.untilEnded()));
    t.same([...new Set(endings)], ['reset']);
    t.equal(balancer.snapshot().sessions, 0);
  },
);

void t.test('one is ended by its id, and the others go on', async t => {
  const { balancer, records, dial } = await running(t);
  const clients = await dial(5);
  await Promise.all(clients.map(client => client.untilText('hello')));
  const [first, ...others] = await balancer.sessions();
  t.equal(await balancer.endSessions({ id: first?.id }), 1);
  await until('it is recorded', () => records.length === 1);
  t.equal(records[0]?.id, first?.id);
  t.equal(await balancer.endSessions({ id: first?.id }), 0);
  const left = await balancer.sessions({ startedBeforeMs: Date.now() + 60_000 });
  t.same(left.map(({ id }) => id).sort(), others.map(({ id }) => id).sort());
});

void t.test(
  'a session that waits for a backend is ended as well, and its place in the queue is free',
  async t => {
    const { balancer, records, dial } = await running(t, { maxSessions: 1 });
    const [served] = await dial(1);
    await served?.untilText('hello');
    await dial(3);
    await until('three wait', () => balancer.snapshot().upstreams[0]?.queue.waiting === 3);
    const waiting = (await balancer.sessions()).filter(({ phase }) => phase === 'queue');
    t.equal(await balancer.endSessions({ id: waiting[0]?.id }), 1);
    await until('two wait', () => balancer.snapshot().upstreams[0]?.queue.waiting === 2);
    await until('it is recorded', () => records.length === 1);
    t.match(records[0], { by: 'balancer', phase: 'queue', reason: 'operator' });
  },
);
