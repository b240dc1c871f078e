/** Sessions over parked connections: leaving them clean, and replacing one that was dead. */
import t from 'tap';
import type { Termination } from '../../../../src/model/termination.ts';
import type { FakeRelay } from '../../../harness/fake-engine.ts';
import { fakeSessions } from '../../../harness/fake-sessions.ts';
import { type BackendSpec, createFakeUpstream } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';
const DRAINED: Termination = { by: 'balancer', phase: 'drain', reason: 'drainTimeout' };

interface Options {
  readonly warm?: number;
  readonly reuse?: boolean;
  readonly idleMs?: number;
  readonly lifetimeMs?: number;
}

/** A data plane of one listener with the backends A and B, whose engine and time the test moves. */
function setUp({ warm = 0, reuse = true, idleMs = 600_000, lifetimeMs = 0 }: Options = {}) {
  const backends: Record<string, BackendSpec> = { [A]: {}, [B]: {} };
  const sessions = fakeSessions(now => createFakeUpstream(backends, { reuse, warm, now }), {
    whenUnavailable: 'reset',
    timeouts: { idle: idleMs, halfClosed: 60_000, lifetime: lifetimeMs, lifetimeJitter: 0 },
  });
  const { engine, upstream, open, now, records } = sessions;
  /** Answers the connect under way, and waits for the relay that follows. */
  const connect = async (): Promise<FakeRelay> => {
    engine.connects.at(-1)?.succeed();
    await settled();
    return lastRelay();
  };
  const lastRelay = (): FakeRelay => {
    const relay = engine.relays.at(-1);
    if (relay === undefined) throw new Error('no session relays');
    relay.lastActivityMs = now();
    return relay;
  };
  const poolOf = (id: string) =>
    [...upstream.backends()].find(backend => backend.id === id)?.pool.lender.stats();
  /** A session over a connection that an earlier one has left clean at A. */
  const reused = async () => {
    open();
    (await connect()).endClean();
    records.length = 0;
    return { ...open(), relay: lastRelay() };
  };
  return { ...sessions, connect, lastRelay, poolOf, reused };
}

const settled = () => new Promise(resolve => setImmediate(resolve));

void t.test('a connection left clean serves the next session, and the record says so', async t => {
  const { open, connect, lastRelay, records, engine, live, poolOf } = setUp();
  open();
  const first = await connect();
  t.equal(first.options.reuse, true);
  t.notOk(first.takesStale);
  first.endClean();
  t.match(records, [{ backend: A, attempts: 1, warm: false, reused: false, by: 'client', reason: 'closed' }]);
  t.equal(live(A), 0);
  t.match(poolOf(A), { lent: 0, parked: 1 });
  open();
  const second = lastRelay();
  t.equal(second.backend, first.backend);
  t.ok(second.takesStale);
  t.equal(engine.connects.length, 1);
  second.end({ by: 'backend', reason: 'closed' });
  t.match(records[1], { backend: A, attempts: 1, warm: false, reused: true, by: 'backend' });
  t.match(poolOf(A), { lent: 0, parked: 0 }, 'it was not left clean this time');
  t.equal(live(A), 0);
});

void t.test(
  'a parked connection that turns out dead is replaced, and the session is told of once',
  async t => {
    const { reused, connect, records, engine, live, poolOf, wheel } = setUp();
    const { client, relay } = await reused();
    relay.bytesFromClient = 9;
    relay.stale();
    t.match(poolOf(A), { lent: 0, parked: 0 });
    t.equal(live(A), 1, 'it keeps its lease');
    t.equal(wheel.size, 0);
    t.equal(engine.connects[1]?.address, A);
    const fresh = await connect();
    t.not(fresh.backend, relay.backend);
    t.notOk(fresh.takesStale, 'it cannot be stale again');
    fresh.bytesFromClient = 10;
    fresh.endClean();
    t.match(records, [
      {
        backend: A,
        attempts: 2,
        warm: false,
        reused: false,
        bytesFromClient: 10,
        by: 'client',
        reason: 'closed',
      },
    ]);
    t.equal(records.length, 1);
    t.same(client.calls, ['relay', 'relay']);
    t.equal(live(A), 0);
    t.match(poolOf(A), { lent: 0, parked: 1 });
    t.equal(wheel.size, 0);
  },
);

void t.test('a warm spare that turns out dead is replaced likewise', async t => {
  const { upstream, open, lastRelay, records, engine, live } = setUp({ warm: 1, reuse: false });
  engine.connects.find(({ address }) => address === A)?.succeed();
  await settled();
  open();
  const relay = lastRelay();
  t.ok(relay.takesStale);
  const before = engine.connects.length;
  relay.stale();
  engine.connects
    .slice(before)
    .find(({ address }) => address === A)
    ?.succeed();
  await settled();
  lastRelay().end({ by: 'client', reason: 'closed' });
  t.match(records, [{ backend: A, attempts: 2, warm: false, reason: 'closed' }]);
  t.equal(live(A), 0);
  upstream.close();
});

void t.test('when its backend is gone by then, the session moves to another', async t => {
  const { reused, connect, records, apply, live } = setUp();
  const { relay } = await reused();
  apply({ [A]: { eligible: false }, [B]: {} });
  relay.stale();
  t.same([live(A), live(B)], [0, 1]);
  (await connect()).end({ by: 'client', reason: 'closed' });
  t.match(records, [{ backend: B, attempts: 2 }]);
  t.same([live(A), live(B)], [0, 0]);
});

void t.test('when no backend can be had by then, the client is told as at first, and once', async t => {
  const { reused, records, apply, live } = setUp();
  const { client, relay } = await reused();
  apply({});
  relay.stale();
  t.same(client.calls, ['relay', 'reset']);
  t.match(records, [{ by: 'balancer', phase: 'connect', reason: 'noBackend', reused: false, attempts: 1 }]);
  t.equal(records.length, 1);
  t.equal(live(A), 0);
});

void t.test('an abort while a stale connection is replaced ends the session, once', async t => {
  const { reused, records, engine, live, poolOf } = setUp();
  const { session, client, relay } = await reused();
  relay.stale();
  session.abort(DRAINED);
  session.abort(DRAINED);
  t.ok(engine.connects[1]?.cancelled);
  t.same(client.calls, ['relay', 'reset']);
  t.match(records, [{ ...DRAINED, backend: A, attempts: 2, reused: false }]);
  t.equal(records.length, 1);
  t.equal(live(A), 0);
  await settled();
  t.match(poolOf(A), { lent: 0, parked: 0 });
});

void t.test('the replaced relay has timeouts of its own; the lifetime counts from the beginning', async t => {
  const idle = setUp({ idleMs: 5_000 });
  (await idle.reused()).relay.stale();
  idle.pass(4_900);
  await idle.connect();
  idle.pass(4_900);
  t.same(idle.records, []);
  idle.pass(300);
  t.match(idle.records, [{ by: 'balancer', phase: 'relay', reason: 'idle' }]);

  const lifetime = setUp({ lifetimeMs: 5_000 });
  const { relay } = await lifetime.reused();
  lifetime.pass(3_000);
  relay.stale();
  await lifetime.connect();
  lifetime.pass(1_900);
  t.same(lifetime.records, []);
  lifetime.pass(300);
  t.match(lifetime.records, [{ reason: 'lifetime' }]);
});

void t.test('whoever stops everything when a session ends cannot end it twice', async t => {
  const { reused, upstream, records } = setUp();
  const { session, relay } = await reused();
  const [runtime] = upstream.backends();
  if (runtime === undefined) throw new Error('no backend');
  const { lender } = runtime.pool;
  const release = lender.release.bind(lender);
  lender.release = (connection, clean) => {
    release(connection, clean);
    session.abort(DRAINED);
  };
  relay.endClean();
  t.match(records, [{ by: 'client', reason: 'closed' }]);
  t.equal(records.length, 1);
});
