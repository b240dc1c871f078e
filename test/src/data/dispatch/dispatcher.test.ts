import t from 'tap';
import type { DispatcherDeps } from '../../../../src/data/dispatch/dispatch-owner.ts';
import { Dispatch } from '../../../../src/data/dispatch/dispatcher.ts';
import type { UpstreamRuntime } from '../../../../src/data/dispatch/upstream-runtime.ts';
import type { Connection } from '../../../../src/engine/engine.ts';
import type { Termination } from '../../../../src/model/termination.ts';
import { dispatcherDeps, relayEnd } from '../../../harness/dispatch-deps.ts';
import { FakeConnection } from '../../../harness/fake-engine.ts';
import { createFakeUpstream, type BackendSpec } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';
const C = '10.0.0.3:80';
const D = '10.0.0.4:80';

type Result = { backend: string | undefined; attempts: number } & (
  | { ok: true; connection: Connection; origin: string | undefined; connectMs: number | undefined }
  | { ok: false; termination: Termination }
);

/** A dispatch, not started yet, and what its owner was told. */
function owned(upstream: UpstreamRuntime, deps: DispatcherDeps) {
  const results: Result[] = [];
  const waits: boolean[] = [];
  const dispatch = new Dispatch(upstream, '192.0.2.1', deps, {
    onWaiting: isWaiting => waits.push(isWaiting),
    onConnected: connection => {
      const { backend, attempts, origin, connectMs } = dispatch;
      results.push({ ok: true, connection, backend, attempts, origin, connectMs });
    },
    onUnavailable: termination => {
      const { backend, attempts } = dispatch;
      results.push({ ok: false, termination, backend, attempts });
    },
  });
  return { dispatch, results, waits };
}

function start(
  backends: Record<string, BackendSpec>,
  options: Parameters<typeof createFakeUpstream>[1] = {},
) {
  let nowMs = 0;
  const fake = createFakeUpstream(backends, options);
  const failed: string[] = [];
  const { dispatch, results } = owned(
    fake.upstream,
    dispatcherDeps({
      now: () => nowMs,
      report: event => {
        if (event.kind === 'connectFailed') failed.push(`${event.backend} ${event.failure.reason}`);
      },
    }),
  );
  dispatch.start();
  const cancel = () => dispatch.cancel();
  return { ...fake, dispatch, failed, results, cancel, pass: (ms: number) => (nowMs += ms) };
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
  const { upstream, counts, slotOf } = createFakeUpstream({ [A]: { maxSessions: 1 } });
  counts.take(slotOf(A), 1);
  const { dispatch, results } = owned(upstream, dispatcherDeps());
  dispatch.start();
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
  const { results } = start({ [A]: { addresses: [] } });
  t.match(results, [{ ok: false, termination: { by: 'backend', reason: 'unreachable' } }]);
});

void t.test('whoever hears of a failed connect may cancel, and no further backend is tried', async t => {
  const { upstream, engine, live } = createFakeUpstream({ [A]: {}, [B]: {} });
  const { dispatch, results } = owned(upstream, dispatcherDeps({ report: () => dispatch.cancel() }));
  dispatch.start();
  engine.connects[0]?.fail('refused');
  t.equal(engine.connects.length, 1);
  t.same(results, []);
  t.same([live(A), live(B)], [0, 0]);
});

/** A dispatch that was given what an earlier one left clean at A, with engine answers by hand from then on. */
function startReused(
  backends: Record<string, BackendSpec> = { [A]: {}, [B]: {} },
  options: Parameters<typeof createFakeUpstream>[1] = {},
) {
  const fake = createFakeUpstream(backends, { reuse: true, ...options });
  const failed: string[] = [];
  const deps = dispatcherDeps({
    report: event => {
      if (event.kind === 'connectFailed') failed.push(event.backend);
    },
  });
  const first = owned(fake.upstream, deps);
  first.dispatch.start();
  fake.engine.connects[0]?.succeed();
  const next = owned(fake.upstream, deps);
  return new Promise<typeof fake & typeof next & { failed: string[] }>(resolve => {
    // A pool with a limiter answers behind a promise.
    setImmediate(() => {
      first.dispatch.release(relayEnd(true));
      next.dispatch.start();
      resolve({ ...fake, ...next, failed });
    });
  });
}

const settled = () => new Promise(resolve => setImmediate(resolve));

void t.test('what a session left clean serves the next one', async t => {
  const { results, engine, live } = await startReused();
  t.match(results, [{ ok: true, backend: A, attempts: 1, origin: 'reused' }]);
  t.equal(engine.connects.length, 1);
  t.equal(live(A), 1);
});

void t.test(
  'a stale connection is replaced by a fresh one of the same backend, with one lease all the while',
  async t => {
    const { dispatch, results, engine, live, upstream } = await startReused();
    dispatch.replaceStale();
    t.equal(live(A), 1);
    t.equal(engine.connects[1]?.address, A);
    engine.connects[1]?.succeed();
    await settled();
    t.match(results[1], { ok: true, backend: A, attempts: 2, origin: 'new' });
    t.not(results[1]?.ok && results[1].connection, results[0]?.ok && results[0].connection);
    t.equal(live(A), 1);
    dispatch.release(relayEnd(false));
    t.equal(live(A), 0);
    t.match([...upstream.backends()][0]?.pool.lender.stats(), { lent: 0, parked: 0 });
  },
);

void t.test('a backend that takes no sessions any more is not asked for a fresh one', async t => {
  for (const change of [{ eligible: false }, { weight: 0 }, undefined]) {
    const { dispatch, results, engine, live, apply } = await startReused();
    apply({ ...(change === undefined ? {} : { [A]: change }), [B]: {} });
    dispatch.replaceStale();
    t.same([live(A), live(B)], [0, 1]);
    t.equal(engine.connects[1]?.address, B);
    engine.connects[1]?.succeed();
    await settled();
    t.match(results[1], { ok: true, backend: B, attempts: 2, origin: 'new' });
  }
});

void t.test('the replacement is fresh also at another backend that has something parked', async t => {
  const { upstream, dispatch, results, engine, apply } = await startReused();
  apply({ [A]: { eligible: false }, [B]: {} });
  const other = owned(upstream, dispatcherDeps());
  other.dispatch.start();
  engine.connects[1]?.succeed();
  await settled();
  other.dispatch.release(relayEnd(true));
  dispatch.replaceStale();
  t.equal(engine.connects.length, 3);
  engine.connects[2]?.succeed();
  await settled();
  t.match(results[1], { ok: true, backend: B, origin: 'new' });
});

void t.test(
  'a replacement that fails is followed by the next backend, within `connect.attempts`',
  async t => {
    const { dispatch, results, engine, live, failed } = await startReused(undefined, { attempts: 2 });
    dispatch.replaceStale();
    engine.connects[1]?.fail('refused');
    await settled();
    t.equal(engine.connects[2]?.address, B);
    engine.connects[2]?.fail('timeout');
    await settled();
    t.match(results[1], {
      ok: false,
      backend: B,
      attempts: 3,
      termination: { by: 'backend', reason: 'timeout' },
    });
    t.same(failed, [A, B]);
    t.same([live(A), live(B)], [0, 0]);
  },
);

void t.test('a stale connection is no failed connect: with one attempt allowed it is replaced', async t => {
  const { dispatch, results, engine } = await startReused({ [A]: {} }, { attempts: 1 });
  dispatch.replaceStale();
  engine.connects[1]?.succeed();
  await settled();
  t.match(results[1], { ok: true, attempts: 2 });
});

void t.test('a replacement can be cancelled', async t => {
  const { dispatch, results, engine, live } = await startReused();
  dispatch.replaceStale();
  dispatch.cancel();
  t.ok(engine.connects[1]?.cancelled);
  await settled();
  t.equal(results.length, 1);
  t.equal(live(A), 0);
});

void t.test('after a backend has moved, no connection to its old address serves another session', async t => {
  const moved = { addresses: [{ kind: 'tcp', host: '10.9.9.9', port: 80 }] } as const;
  for (const isLent of [true, false]) {
    const { upstream, dispatch, results, engine, apply } = await startReused({ [A]: {} });
    const old = results[0]?.ok === true ? results[0].connection : undefined;
    if (!isLent) dispatch.release(relayEnd(true));
    apply({ [A]: {} });
    t.notOk(old instanceof FakeConnection && old.calls.includes('reset'), 'nothing has changed');
    apply({ [A]: moved });
    if (isLent) dispatch.release(relayEnd(true));
    t.ok(old instanceof FakeConnection && old.calls.includes('reset'));
    const next = owned(upstream, dispatcherDeps());
    next.dispatch.start();
    t.equal(engine.connects[1]?.address, '10.9.9.9:80');
    engine.connects[1]?.succeed();
    await settled();
    next.dispatch.release(relayEnd(true));
    t.match(
      [...upstream.backends()][0]?.pool.lender.stats(),
      { parked: 1 },
      'but one to its new address may',
    );
  }
});

void t.test('a failed connect is told before what follows from it', async t => {
  const told: string[] = [];
  const { upstream, engine } = createFakeUpstream({ [A]: {} }, { ejection: { failures: 1, earlyClose: 0 } });
  const deps = dispatcherDeps({
    report: event => {
      if (event.kind === 'connectFailed') told.push(`${event.backend} ${event.failure.reason}`);
      if (event.kind === 'backendFailing') told.push(`${event.backend} is failing`);
    },
  });
  owned(upstream, deps).dispatch.start();
  engine.connects[0]?.fail('refused');
  t.same(told, [`${A} refused`, `${A} is failing`]);
});
