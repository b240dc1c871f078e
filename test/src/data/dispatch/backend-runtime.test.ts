/** One backend over its addresses: how it is connected to, and what becomes of parked connections when they change. */
import t from 'tap';
import { BackendRuntime } from '../../../../src/data/dispatch/backend-runtime.ts';
import type { ConnectResult } from '../../../../src/engine/engine.ts';
import type { BackendPlan } from '../../../../src/model/upstream-plan.ts';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { FakeEngine } from '../../../harness/fake-engine.ts';
import { backendPlan, upstreamPlan } from '../../../harness/plans.ts';

function planOf(...hosts: readonly string[]): BackendPlan {
  return backendPlan('app.test:80', 0, { addresses: hosts.map(host => ({ kind: 'tcp', host, port: 80 })) });
}

function create(...hosts: readonly string[]) {
  const engine = new FakeEngine();
  const plan = upstreamPlan();
  const ofAll = { ...plan, connect: { ...plan.connect, timeout: 4_000 } };
  const runtime = new BackendRuntime(planOf(...hosts), ofAll, {
    engine,
    shared: new ControlledState({ slots: 4 }),
    now: () => 0,
    random: () => 0,
    setTimer: () => () => undefined,
  });
  const calls: string[] = [];
  for (const call of ['suspend', 'resume'] as const) {
    const { pool } = runtime;
    const original = pool[call].bind(pool);
    pool[call] = () => {
      calls.push(call);
      original();
    };
  }
  const results: ConnectResult[] = [];
  return {
    ...{ engine, runtime, results },
    connect: () =>
      runtime.pool.lender.acquire(acquired => {
        if (acquired.ok) results.push({ ok: true, connection: acquired.connection });
        else results.push(acquired);
      }),
    update: (...now: readonly string[]) => {
      runtime.update(planOf(...now), ofAll);
      return calls.splice(0);
    },
  };
}

void t.test('a single address gets all of the time', async t => {
  const { connect, engine } = create('10.0.0.1');
  connect();
  t.match(engine.connects, [{ address: '10.0.0.1:80', timeoutMs: 4_000 }]);
});

void t.test(
  'of several each gets its share, and the session learns of none that failed before one worked',
  async t => {
    const { connect, engine, results } = create('10.0.0.1', '10.0.0.2');
    connect();
    engine.connects[0]?.fail('timeout', 'ETIMEDOUT');
    engine.connects[1]?.succeed();
    t.match(engine.connects, [
      { address: '10.0.0.1:80', timeoutMs: 2_000 },
      { address: '10.0.0.2:80', timeoutMs: 4_000 },
    ]);
    t.match(results, [{ ok: true }]);
  },
);

void t.test('a name that was never resolved is out of reach, and said to be so at once', async t => {
  const { connect, results } = create();
  connect();
  t.same(results, [{ ok: false, failure: { reason: 'unreachable', code: 'ENOTFOUND' } }]);
});

void t.test('parked connections go when an address that was in use is gone, and only then', async t => {
  const { connect, engine, runtime, update } = create('10.0.0.1', '10.0.0.2');
  connect();
  engine.connects[0]?.succeed();
  t.same(update('10.0.0.1', '10.0.0.3'), ['resume'], 'nobody was at the other one');
  t.equal(runtime.moves, 0);
  t.same(update('10.0.0.3'), ['suspend', 'resume']);
  t.equal(runtime.moves, 1);
  t.same(update('10.0.0.3'), ['resume']);
  t.equal(runtime.moves, 1);
});
