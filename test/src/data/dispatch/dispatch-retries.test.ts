import t from 'tap';
import { Dispatch } from '../../../../src/data/dispatch/dispatcher.ts';
import type { Termination } from '../../../../src/model/termination.ts';
import { dispatcherDeps } from '../../../harness/dispatch-deps.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';
import { createFakeUpstream, type BackendSpec } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';

function start(
  backends: Record<string, BackendSpec>,
  options: Parameters<typeof createFakeUpstream>[1] = {},
) {
  const fake = createFakeUpstream(backends, options);
  const timers = new FakeTimers();
  const ends: (Termination | 'connected')[] = [];
  const dispatch = new Dispatch(fake.upstream, '192.0.2.1', dispatcherDeps({ setTimer: timers.setTimer }), {
    onConnected: () => ends.push('connected'),
    onUnavailable: termination => ends.push(termination),
    onWaiting: () => undefined,
  });
  dispatch.start();
  const tried = () => fake.engine.connects.map(({ address }) => address);
  return { ...fake, timers, ends, dispatch, tried };
}

void t.test('the same backend is tried again after the delay, and stays counted meanwhile', async t => {
  const { engine, timers, live, tried, ends } = start(
    { [A]: {}, [B]: {} },
    { connect: { retriesPerBackend: 1, retryDelay: 30 } },
  );
  engine.connects[0]?.fail('refused');
  t.same(tried(), [A]);
  t.same(timers.delays, [30]);
  t.equal(live(A), 1);
  timers.fireNext();
  t.same(tried(), [A, A]);
  engine.connects[1]?.fail('refused');
  t.same(tried(), [A, A, B]);
  t.same([live(A), live(B)], [0, 1]);
  engine.connects[2]?.succeed();
  t.same(ends, ['connected']);
});

void t.test('a backend that went down during the delay is not tried again', async t => {
  const { engine, timers, apply, tried, live } = start(
    { [A]: {}, [B]: {} },
    { connect: { retriesPerBackend: 1 } },
  );
  engine.connects[0]?.fail('refused');
  apply({ [A]: { eligible: false }, [B]: {} });
  timers.fireNext();
  t.same(tried(), [A, B]);
  t.same([live(A), live(B)], [0, 1]);
});

void t.test('another round begins after the pause, with all backends', async t => {
  const { engine, timers, tried, ends, live } = start(
    { [A]: {}, [B]: {} },
    { attempts: 3, connect: { rounds: 2, backoff: 100 } },
  );
  engine.connects[0]?.fail('refused');
  engine.connects[1]?.fail('timeout');
  t.same(timers.delays, [100], 'there is no third backend: the round is over');
  t.same([live(A), live(B)], [0, 0], 'nothing is held during the pause');
  timers.fireNext();
  engine.connects[2]?.fail('refused');
  engine.connects[3]?.fail('timeout');
  t.same(tried(), [A, B, A, B]);
  t.same(ends, [{ by: 'backend', phase: 'connect', reason: 'timeout' }]);
  t.equal(timers.pending, 0);
});

void t.test('a cancel during a pause leaves nothing behind', async t => {
  const { engine, timers, dispatch, live, ends } = start({ [A]: {} }, { connect: { retriesPerBackend: 1 } });
  engine.connects[0]?.fail('refused');
  dispatch.cancel();
  t.equal(timers.pending, 0);
  t.equal(live(A), 0);
  t.same(ends, []);
});

void t.test('the deadline ends the search, whatever it is doing', async t => {
  const { engine, timers, ends, live } = start({ [A]: {}, [B]: {} }, { connect: { deadline: 700 } });
  t.same(timers.delays, [700]);
  engine.connects[0]?.fail('refused');
  timers.fireNext();
  t.ok(engine.connects[1]?.cancelled);
  t.same(ends, [{ by: 'balancer', phase: 'connect', reason: 'deadline' }]);
  t.same([live(A), live(B)], [0, 0]);
});

void t.test('a connection in time ends the deadline', async t => {
  const { engine, timers, ends } = start({ [A]: {} }, { connect: { deadline: 700 } });
  engine.connects[0]?.succeed();
  t.equal(timers.pending, 0);
  t.same(ends, ['connected']);
});

/** In panic: it gets sessions although it is not well. */
const DOWN = { well: false };

void t.test('without budget none that is down and failing is tried, and the session says so', async t => {
  const { engine, ends, live, tried, shared } = start(
    { [A]: DOWN, [B]: DOWN },
    { connect: { retryBudget: { percent: 0, minPerSecond: 0 } } },
  );
  shared.failures.failed(shared.slotOfBackend('app', B).index, 'connect');
  engine.connects[0]?.fail('refused');
  t.same(tried(), [A]);
  t.same(ends, [{ by: 'balancer', phase: 'connect', reason: 'retryBudget' }]);
  t.same([live(A), live(B)], [0, 0]);
});

void t.test('an upstream that is down gets no more attempts than sessions and budget allow', async t => {
  const fake = createFakeUpstream(
    { [A]: DOWN, [B]: DOWN },
    { connect: { attempts: 10, rounds: 1, retryBudget: { percent: 20, minPerSecond: 1 } } },
  );
  fake.engine.autoConnect = () => 'refused';
  for (let i = 0; i < 1000; i++) {
    new Dispatch(fake.upstream, '192.0.2.1', dispatcherDeps(), {
      onConnected: () => t.fail('nobody listens'),
      onUnavailable: () => undefined,
      onWaiting: () => undefined,
    }).start();
  }
  t.equal(fake.engine.connects.length, 1000 + 1 + 200 + 10, 'and the one that finds out about B');
});

const BUDGET_OF_TEN = { percent: 0, minPerSecond: 1 };

/** Starts so many sessions; what they end with, but for those that are connected. */
function startMany(fake: ReturnType<typeof createFakeUpstream>, timers: FakeTimers, count: number) {
  const reasons: string[] = [];
  for (let i = 0; i < count; i++) {
    new Dispatch(fake.upstream, '192.0.2.1', dispatcherDeps({ setTimer: timers.setTimer }), {
      onConnected: () => undefined,
      onUnavailable: ({ reason }) => reasons.push(reason),
      onWaiting: () => undefined,
    }).start();
  }
  return reasons;
}

void t.test('sessions that pause at the same time do not overdraw the budget together', async t => {
  const fake = createFakeUpstream(
    { [A]: DOWN },
    { connect: { rounds: 2, backoff: 100, retryBudget: BUDGET_OF_TEN } },
  );
  const timers = new FakeTimers();
  fake.engine.autoConnect = () => 'refused';
  const reasons = startMany(fake, timers, 100);
  t.equal(timers.pending, 100, 'there is something left for each of them');
  while (timers.pending > 0) timers.fireNext();
  t.equal(fake.engine.connects.length, 100 + 10);
  t.equal(reasons.length, 100, 'each of them has ended');
  t.equal(fake.live(A), 0);
});

void t.test('nor do those that wait for room at the same time', async t => {
  const fake = createFakeUpstream(
    { [A]: DOWN, [B]: { ...DOWN, maxSessions: 1 } },
    { connect: { retryBudget: BUDGET_OF_TEN }, queue: { max: 100 } },
  );
  fake.shared.failures.failed(fake.slotOf(B), 'connect');
  const timers = new FakeTimers();
  fake.engine.autoConnect = address => (address === A ? 'refused' : undefined);
  const reasons = startMany(fake, timers, 30);
  t.equal(fake.engine.connects.length, 30 + 1, 'one is at the other backend, and the others wait for it');
  fake.apply({ [A]: DOWN, [B]: { ...DOWN, maxSessions: 50 } });
  for (let i = 0; i < 29; i++) timers.fireNext();
  t.equal(fake.engine.connects.length, 30 + 10);
  t.same(reasons, Array(20).fill('retryBudget'));
  t.equal(fake.live(B), 10, 'they hold nothing');
});
