/** A drain through the admin API. */
import t from 'tap';
import { portOf, startAdmin } from '../../harness/admin.ts';
import { FakeBalancer } from '../../harness/fake-balancer.ts';

void t.test('it begins once, with its own time where one is given, and is logged', async t => {
  const balancer = new FakeBalancer();
  const drains: unknown[] = [];
  const drain = (timeoutMs: number | undefined): void => {
    drains.push(timeoutMs);
    balancer.state = 'draining';
  };
  const { ask, entries } = await startAdmin(t, { port: portOf(balancer, { drain }) });
  t.match(await ask('POST', '/api/v1/drain', { body: { timeout: '10s' } }), {
    status: 202,
    json: { state: 'draining', sessions: 0 },
  });
  t.equal((await ask('POST', '/api/v1/drain')).status, 202, 'again: it drains already');
  t.same([drains, entries.length], [[10_000], 1]);
});

void t.test('an lb4 that is starting cannot drain through it, and a time must be one', async t => {
  const balancer = new FakeBalancer();
  const { ask } = await startAdmin(t, { port: portOf(balancer, { drain: () => t.fail('it began') }) });
  t.match(await ask('POST', '/api/v1/drain', { body: { timeout: '10' } }), {
    status: 400,
    json: { detail: /timeout: expected a duration/ },
  });
  balancer.state = 'starting';
  t.match(await ask('POST', '/api/v1/drain'), { status: 409, json: { detail: 'lb4 is starting' } });
});
