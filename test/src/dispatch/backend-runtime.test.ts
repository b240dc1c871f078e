/** One backend over its addresses: how it is connected to, and what becomes of parked connections when they change. */
import t from 'tap';
import {
  BackendRuntime,
  type BackendPool,
  type ConnectBackend,
} from '../../../src/dispatch/backend-runtime.ts';
import type { ConnectResult } from '../../../src/engine/engine.ts';
import type { BackendSnapshot } from '../../../src/upstream/snapshot.ts';
import { FakeEngine } from '../../harness/fake-engine.ts';

function snapshot(...hosts: readonly string[]): BackendSnapshot {
  return {
    id: 'app.test:80',
    slot: 0,
    tag: 0,
    addresses: hosts.map(host => ({ kind: 'tcp', host, port: 80 })),
    ...{ weight: 1, maxSessions: undefined, eligible: true, well: true },
    ...{ trial: false, reserve: false, resetSessions: false },
  };
}

function create(...hosts: readonly string[]) {
  const engine = new FakeEngine();
  const calls: string[] = [];
  let open: ConnectBackend = () => () => undefined;
  const runtime = new BackendRuntime(snapshot(...hosts), {
    engine,
    connect: { timeoutMs: 4_000 },
    now: () => 0,
    createPool: connect => {
      open = connect;
      const pool: BackendPool = {
        acquire: () => () => undefined,
        release: () => undefined,
        suspend: () => calls.push('suspend'),
        resume: () => calls.push('resume'),
        close: () => undefined,
        stats: () => ({
          lent: 0,
          parked: 0,
          hits: 0,
          misses: 0,
          reused: 0,
          evicted: { dead: 0, late: 0, idle: 0, surplus: 0, drained: 0 },
        }),
      };
      return pool;
    },
  });
  const results: ConnectResult[] = [];
  return {
    ...{ engine, runtime, results },
    connect: () => open(result => results.push(result)),
    update: (...now: readonly string[]) => {
      runtime.update(snapshot(...now));
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
