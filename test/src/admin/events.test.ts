/** `GET /api/v1/events`: what a client gets, where it goes on, and who may follow. */
import t from 'tap';
import { MOST_EVENTS } from '../../../src/admin/events/event-ring.ts';
import { HEARTBEAT_MS, MOST_STREAMS } from '../../../src/admin/events/event-streams.ts';
import { startAdmin, askAdmin, portOf } from '../../harness/admin.ts';
import { followEvents } from '../../harness/event-stream.ts';
import { countersOf, FakeBalancer } from '../../harness/fake-balancer.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import type { Teardown } from '../../harness/teardown.ts';
import { until } from '../../harness/until.ts';

async function start(t: Teardown, options: Parameters<typeof startAdmin>[1] = {}) {
  const balancer = new FakeBalancer();
  balancer.upstreams.set('mail', new Map());
  const counts = { snapshots: 0 };
  const port = portOf(
    Object.assign(balancer, {
      snapshot: () => {
        counts.snapshots++;
        return FakeBalancer.prototype.snapshot.call(balancer);
      },
      counters: () => countersOf(FakeBalancer.prototype.snapshot.call(balancer)),
    }),
  );
  const admin = await startAdmin(t, { ...options, port });
  const down = (upstream: string, backend: string, reason = 'refused'): void =>
    balancer.events.emit('backend:down', { upstream, backend, reason });
  return { ...admin, balancer, counts, down };
}

void t.test('an event has an id, its name, and one line of JSON with time, upstream and backend', async t => {
  const { address, balancer, down } = await start(t);
  const stream = await followEvents(t, address);
  down('app', '10.0.0.1:80', 'a\n\ndata: {}\r\u2028\u202e</script>\u001b[31m');
  balancer.events.emit('mirror:changed', { mode: 'shared', upstreams: ['app'], others: 2 });
  const [first, second] = await stream.first(2);
  t.match(first, {
    name: 'backend:down',
    data: {
      event: 'backend:down',
      time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
      upstream: 'app',
      backend: '10.0.0.1:80',
      reason: 'a\n\ndata: {}\r\u2028\u202e</script>\u001b[31m',
    },
  });
  t.match(second, { name: 'mirror:changed', data: { upstreams: ['app'], others: 2 } });
  t.not(first?.id, second?.id);
  t.ok(stream.retryMs > 0, 'it says when to come back');
});

void t.test('a client that comes back goes on after the last event it has received', async t => {
  const { address, down } = await start(t);
  const before = await followEvents(t, address);
  down('app', 'a:1');
  down('app', 'b:1');
  const [, second] = await before.first(2);
  before.close();
  down('app', 'c:1');
  const headers = { 'last-event-id': second?.id ?? '' };
  const after = await followEvents(t, address, { headers });
  down('app', 'd:1');
  await after.first(2);
  t.same(
    after.events.map(({ name, data }) => [name, data['backend']]),
    [
      ['backend:down', 'c:1'],
      ['backend:down', 'd:1'],
    ],
  );
});

void t.test('a client that was never sent an event goes on from where it began', async t => {
  const { address, down } = await start(t);
  down('app', 'a:1');
  const before = await followEvents(t, address);
  await until('it has an id', () => before.lastId !== '');
  before.close();
  down('app', 'b:1');
  const after = await followEvents(t, address, { headers: { 'last-event-id': before.lastId } });
  t.match(await after.first(1), [{ data: { backend: 'b:1' } }]);
});

void t.test('what cannot be sent any more is said to be missed: how much, where that is known', async t => {
  const { address, balancer, down } = await start(t);
  const before = await followEvents(t, address);
  down('app', 'a:1');
  const [first] = await before.first(1);
  before.close();
  for (let i = 0; i < MOST_EVENTS + 7; i++) balancer.events.emit('worker:restarted', { worker: i });
  const late = await followEvents(t, address, { headers: { 'last-event-id': first?.id ?? '' } });
  const [missed, next] = await late.first(MOST_EVENTS + 1);
  t.match(missed, { name: 'missed', id: undefined, data: { event: 'missed', events: 7 } });
  t.match(next, { name: 'worker:restarted', data: { worker: 7 } });
  const other = await followEvents(t, address, { headers: { 'last-event-id': 'another-1' } });
  down('app', 'b:1');
  const [unknown, then] = await other.first(2);
  t.match(unknown, { name: 'missed', data: { events: undefined } });
  t.match(then, { data: { backend: 'b:1' } });
});

void t.test('a new client gets what happens from now on, or as many past events as it asks for', async t => {
  const { address, down } = await start(t);
  for (const backend of ['a:1', 'b:1', 'c:1']) down('app', backend);
  const recent = await followEvents(t, address, { path: '/api/v1/events?recent=2' });
  const none = await followEvents(t, address);
  down('app', 'd:1');
  await Promise.all([recent.first(3), none.first(1)]);
  t.same(
    [recent, none].map(({ events }) => events.map(({ data }) => data['backend'])),
    [['b:1', 'c:1', 'd:1'], ['d:1']],
  );
});

void t.test('?upstream= selects events that name it, and its status; an unknown one is a 404', async t => {
  const { address, balancer, down, ask } = await start(t);
  const stream = await followEvents(t, address, { path: '/api/v1/events?upstream=mail&status=1s' });
  down('app', 'a:1');
  balancer.events.emit('worker:restarted', { worker: 1 });
  balancer.events.emit('mirror:changed', { mode: 'shared', upstreams: ['app', 'mail'], others: 1 });
  down('mail', 'b:1');
  await until('the last one is there', () => stream.events.at(-1)?.data['backend'] === 'b:1');
  t.same(
    stream.events.map(({ name }) => name),
    ['status', 'mirror:changed', 'backend:down'],
  );
  t.match(stream.events[0]?.data, { upstreams: [{ name: 'mail' }] });
  const { status, json } = await ask('GET', '/api/v1/events?upstream=mial');
  t.same([status, json['detail']], [404, 'no upstream is named "mial"; there are app, mail']);
  for (const query of ['status=10ms', 'status=2m', 'status=', 'recent=-1', 'recent=1001', 'up=app'])
    t.equal((await ask('GET', `/api/v1/events?${query}`)).status, 400, query);
});

void t.test('a silent stream has a comment every 15 s, which brings the id up to date', async t => {
  const clock = new FakeClock();
  const { address, balancer } = await start(t, { setTimer: clock.setTimer, uptimeMs: clock.now });
  const stream = await followEvents(t, address, { path: '/api/v1/events?upstream=app' });
  await until('it has begun', () => stream.lastId !== '');
  const began = stream.lastId;
  balancer.events.emit('worker:restarted', { worker: 1 });
  clock.advance(HEARTBEAT_MS);
  await until('a comment has come', () => stream.comments === 1);
  t.not(stream.lastId, began);
  const after = await followEvents(t, address, { headers: { 'last-event-id': stream.lastId } });
  balancer.events.emit('worker:restarted', { worker: 2 });
  t.match(await after.first(1), [{ data: { worker: 2 } }]);
});

void t.test(
  'the status is made once a second for all clients that follow it, and never for others',
  async t => {
    const clock = new FakeClock();
    const { address, counts, ask } = await start(t, { setTimer: clock.setTimer, uptimeMs: clock.now });
    const path = '/api/v1/events?status=1s';
    const plain = await followEvents(t, address);
    t.equal(counts.snapshots, 0);
    const streams = await Promise.all(Array.from({ length: 20 }, () => followEvents(t, address, { path })));
    const seldom = await followEvents(t, address, { path: '/api/v1/events?status=3s' });
    await Promise.all([...streams, seldom].map(stream => stream.first(1)));
    t.equal(counts.snapshots, 1, 'the first one, for all that came within the second');
    for (let second = 1; second <= 3; second++) {
      clock.advance(1_000);
      await Promise.all(streams.map(stream => stream.first(1 + second)));
      t.equal(counts.snapshots, 1 + second);
    }
    t.equal((await seldom.first(2)).length, 2, 'as seldom as it has asked for');
    t.equal(plain.events.length, 0);
    const asked = await ask('GET', '/api/v1/status');
    t.same(Object.keys(streams[0]?.events[0]?.data ?? {}), Object.keys(asked.json));
    const made = counts.snapshots;
    for (const stream of [...streams, seldom]) stream.close();
    await until('only the heartbeat is left', () => clock.pending === 1);
    clock.advance(5_000);
    t.equal(counts.snapshots, made, 'with the last of them gone it ends');
    plain.close();
    await until('no timer is left', () => clock.pending === 0);
  },
);

void t.test(
  'beyond 64 clients there is a 503 that says so, and the unix socket has places of its own',
  async t => {
    const { server, address, down } = await start(t);
    const tcp = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    const streams = await Promise.all(Array.from({ length: MOST_STREAMS }, () => followEvents(t, tcp)));
    const { status, json, headers } = await askAdmin(tcp, 'GET', '/api/v1/events');
    t.match(
      { status, json, headers },
      {
        status: 503,
        json: { detail: '64 clients follow events already, and there is no room for more' },
        headers: { 'content-type': /^application\/problem\+json/, connection: 'close', 'retry-after': '10' },
      },
    );
    t.equal((await askAdmin(tcp, 'GET', '/api/v1/status')).status, 200, 'other routes are served');
    const local = await followEvents(t, address);
    down('app', 'a:1');
    await Promise.all([...streams, local].map(stream => stream.first(1)));
    streams[0]?.close();
    await until('a place is free', async () => {
      const another = await followEvents(t, tcp);
      another.close();
      return another.status === 200;
    });
  },
);

void t.test('it needs the token and a Host of this machine, as every route does', async t => {
  const { address } = await start(t, { tcp: true, rules: { token: 'secret' } });
  t.equal((await askAdmin(address, 'GET', '/api/v1/events')).status, 401);
  const authorization = 'Bearer secret';
  const foreign = { headers: { authorization, host: 'example.com' } };
  t.equal((await askAdmin(address, 'GET', '/api/v1/events', foreign)).status, 403);
  const stream = await followEvents(t, address, { headers: { authorization } });
  t.equal(stream.status, 200);
});

void t.test('HEAD is answered and over', async t => {
  const { ask } = await start(t);
  const { status, headers } = await ask('HEAD', '/api/v1/events');
  t.match({ status, type: headers['content-type'] }, { status: 200, type: /^text\/event-stream/ });
});
