import t from 'tap';
import { dispatch, type DispatchResult } from '../../../src/dispatch/dispatcher.ts';
import { createFakeUpstream, type BackendSpec } from '../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';
const C = '10.0.0.3:80';
const D = '10.0.0.4:80';

function start(
  backends: Record<string, BackendSpec>,
  options: Parameters<typeof createFakeUpstream>[1] = {},
) {
  let nowMs = 0;
  const fake = createFakeUpstream(backends, options);
  const failed: string[] = [];
  const results: DispatchResult[] = [];
  const cancel = dispatch(
    fake.upstream,
    '192.0.2.1',
    {
      now: () => nowMs,
      onConnectFailed: (_upstream, backend, failure) => failed.push(`${backend} ${failure.reason}`),
    },
    result => results.push(result),
  );
  return { ...fake, failed, results, cancel, pass: (ms: number) => (nowMs += ms) };
}

void t.test(
  'the picked backend is connected to, with the configured timeout, and the time is taken',
  async t => {
    const { engine, results, live, pass } = start({ [A]: {} });
    t.match(engine.connects, [{ address: A, timeoutMs: 5_000 }]);
    pass(7);
    const connection = engine.connects[0]?.succeed();
    t.match(results, [{ ok: true, attempts: 1, connectMs: 7, origin: 'new' }]);
    t.equal(results[0]?.ok && results[0].connection, connection);
    t.equal(live(A), 1, 'and stays counted');
  },
);

void t.test(
  'a backend that refuses is followed by the next distinct one, and not counted any more',
  async t => {
    const { engine, results, failed, live } = start({ [A]: {}, [B]: {} });
    engine.connects[0]?.fail('refused', 'ECONNREFUSED');
    t.equal(engine.connects[1]?.address, B);
    engine.connects[1]?.succeed();
    t.match(results, [{ ok: true, attempts: 2 }]);
    t.same(failed, [`${A} refused`]);
    t.same([live(A), live(B)], [0, 1]);
  },
);

void t.test('no more backends are tried than `connect.attempts` allows', async t => {
  const { engine, results } = start({ [A]: {}, [B]: {}, [C]: {}, [D]: {} }, { attempts: 3 });
  for (let i = 0; i < 3; i++) engine.connects[i]?.fail('timeout');
  t.equal(engine.connects.length, 3);
  t.match(results, [
    {
      ok: false,
      attempts: 3,
      backend: C,
      termination: { by: 'backend', phase: 'connect', reason: 'timeout' },
    },
  ]);
});

void t.test('the only backend is tried once; its failure is the session’s', async t => {
  const { engine, results } = start({ [A]: {} });
  engine.connects[0]?.fail('unreachable');
  t.equal(engine.connects.length, 1);
  t.match(results, [{ ok: false, attempts: 1, termination: { by: 'backend', reason: 'unreachable' } }]);
});

void t.test('with nothing to pick the answer comes at once', async t => {
  t.match(start({ [A]: { eligible: false } }).results, [
    {
      ok: false,
      attempts: 0,
      backend: undefined,
      termination: { by: 'balancer', phase: 'connect', reason: 'noBackend' },
    },
  ]);
  const { upstream, counts } = createFakeUpstream({ [A]: { maxSessions: 1 } });
  counts.take(counts.slotOf('app', A), 1);
  const results: DispatchResult[] = [];
  dispatch(upstream, '', { now: () => 0, onConnectFailed: () => undefined }, result => results.push(result));
  t.match(results, [{ ok: false, termination: { by: 'balancer', reason: 'full' } }]);
});

void t.test('a machine out of descriptors blames no backend and tries no other', async t => {
  const { engine, results } = start({ [A]: {}, [B]: {} });
  engine.connects[0]?.fail('localResources', 'EMFILE');
  t.equal(engine.connects.length, 1);
  t.match(results, [{ ok: false, termination: { by: 'balancer', reason: 'localResources' } }]);
});

void t.test('a cancelled dispatch ends its connect, frees its lease and never answers', async t => {
  const { engine, results, cancel, live } = start({ [A]: {} });
  cancel();
  cancel();
  t.ok(engine.connects[0]?.cancelled);
  t.equal(live(A), 0);
  t.same(results, []);
});

void t.test('cancelling after the answer changes nothing', async t => {
  const { engine, cancel, live } = start({ [A]: {} });
  engine.connects[0]?.succeed();
  cancel();
  t.equal(live(A), 1);
});

void t.test('an engine that answers within the call is served as well', async t => {
  const { engine } = createFakeUpstream({});
  engine.autoConnect = address => (address === A ? 'refused' : true);
  const { results, live } = start({ [A]: {}, [B]: {} }, { engine });
  t.match(results, [{ ok: true, attempts: 2 }]);
  t.same([live(A), live(B)], [0, 1]);
});

void t.test('a backend whose name has never been resolved fails like one that cannot be reached', async t => {
  const { results } = start({ [A]: { address: undefined } });
  t.match(results, [{ ok: false, termination: { by: 'backend', reason: 'unreachable' } }]);
});
