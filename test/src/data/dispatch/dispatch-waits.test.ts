import t from 'tap';
import { Dispatch } from '../../../../src/data/dispatch/dispatcher.ts';
import type { Termination } from '../../../../src/model/termination.ts';
import { dispatcherDeps, relayEnd } from '../../../harness/dispatch-deps.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';
import { createFakeUpstream, type BackendSpec } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';
const ONE = { maxSessions: 1 };

function setUp(backends: Record<string, BackendSpec>, queue: { max?: number; timeout?: number } = {}) {
  let nowMs = 0;
  const now = () => nowMs;
  const fake = createFakeUpstream(backends, { queue: { max: 10, ...queue }, now });
  const timers = new FakeTimers();
  const open = () => {
    const log: (string | Termination)[] = [];
    const dispatch = new Dispatch(
      fake.upstream,
      '192.0.2.1',
      dispatcherDeps({ now, setTimer: timers.setTimer }),
      {
        onConnected: () => log.push('connected'),
        onUnavailable: termination => log.push(termination),
        onWaiting: isWaiting => log.push(isWaiting ? 'waits' : 'goes on'),
      },
    );
    dispatch.start();
    return { dispatch, log };
  };
  const served = () => {
    const made = open();
    fake.engine.connects.at(-1)?.succeed();
    return made;
  };
  const waiting = () => fake.inQueue();
  return { ...fake, timers, open, served, waiting, pass: (ms: number) => (nowMs += ms) };
}

void t.test('sessions wait for room and get it in the order in which they came', async t => {
  const { open, served, engine, waiting, live } = setUp({ [A]: ONE });
  const first = served();
  const second = open();
  const third = open();
  t.same([second.log, third.log], [['waits'], ['waits']]);
  t.equal(waiting(), 2);
  t.equal(engine.connects.length, 1, 'nobody connects meanwhile');
  first.dispatch.release(relayEnd(false));
  t.same([second.log, third.log], [['waits', 'goes on'], ['waits']]);
  t.equal(live(A), 1);
  engine.connects[1]?.succeed();
  second.dispatch.release(relayEnd(false));
  engine.connects[2]?.succeed();
  t.same(third.log, ['waits', 'goes on', 'connected']);
  t.equal(waiting(), 0);
});

void t.test('whichever backend frees a place first gives it', async t => {
  const { open, served, engine } = setUp({ [A]: ONE, [B]: ONE });
  served();
  const second = served();
  open();
  second.dispatch.release(relayEnd(false));
  t.equal(engine.connects[2]?.address, B);
});

void t.test('a new session does not overtake those that wait', async t => {
  const { open, served, apply, engine } = setUp({ [A]: ONE });
  served();
  const second = open();
  apply({ [A]: { maxSessions: 2 } });
  const third = open();
  t.same(second.log, ['waits', 'goes on'], 'a raised limit lets the first of them go on');
  t.same(third.log, ['waits']);
  t.equal(engine.connects.length, 2);
});

void t.test(
  'beyond `queue.max` a session is refused as full; after `queue.timeout` as having waited',
  async t => {
    const { open, served, upstream, pass, timers, waiting } = setUp({ [A]: ONE }, { max: 1, timeout: 500 });
    served();
    const second = open();
    t.same(open().log, ['waits', 'goes on', { by: 'balancer', phase: 'connect', reason: 'full' }]);
    pass(500);
    t.equal(timers.pending, 0, 'its time is kept by the line, not by the session');
    t.equal(upstream.queue.waiting, 1);
    second.dispatch.onWaitTimeout();
    t.same(second.log, ['waits', 'goes on', { by: 'balancer', phase: 'queue', reason: 'queueTimeout' }]);
    t.equal(waiting(), 0);
  },
);

void t.test('a session that ends while it waits leaves the line to the next', async t => {
  const { open, served, waiting } = setUp({ [A]: ONE });
  const first = served();
  const second = open();
  const third = open();
  second.dispatch.cancel();
  t.equal(waiting(), 1);
  first.dispatch.release(relayEnd(false));
  t.same(third.log, ['waits', 'goes on']);
  t.same(second.log, ['waits', 'goes on'], 'and its owner, who cancelled, hears of nothing else');
});

void t.test('when no backend is left to wait for, all who wait hear so at once', async t => {
  const { open, served, apply, waiting } = setUp({ [A]: ONE });
  served();
  const waiters = [open(), open()];
  apply({ [A]: { eligible: false } });
  for (const { log } of waiters) {
    t.same(log, ['waits', 'goes on', { by: 'balancer', phase: 'connect', reason: 'noBackend' }]);
  }
  t.equal(waiting(), 0);
});

void t.test(
  'one that a backend has refused waits for the others beside the line, and holds nobody up',
  async t => {
    // It is one of those that may wait, and still others need no place to wait in.
    const { served, open, engine, timers, waiting, apply } = setUp({ [A]: ONE, [B]: ONE }, { max: 1 });
    // B is taken, A has room and refuses.
    apply({ [B]: ONE });
    const onB = served();
    apply({ [A]: ONE, [B]: ONE });
    const unlucky = open();
    engine.connects.at(-1)?.fail('refused');
    t.same(unlucky.log, ['waits']);
    t.equal(waiting(), 1);
    const other = open();
    t.same([other.log, engine.connects.at(-1)?.address], [[], A], 'another one may well have A');
    timers.fireNext();
    t.same(unlucky.log, ['waits'], 'B is still full');
    onB.dispatch.release(relayEnd(false));
    timers.fireNext();
    t.same(unlucky.log, ['waits', 'goes on']);
    t.equal(engine.connects.at(-1)?.address, B);
    t.equal(waiting(), 0);
  },
);

void t.test('the wait beside the line is as long as the one in it', async t => {
  const { served, open, engine, timers, pass, apply, waiting } = setUp(
    { [A]: ONE, [B]: ONE },
    { timeout: 60 },
  );
  apply({ [B]: ONE });
  served();
  apply({ [A]: ONE, [B]: ONE });
  const unlucky = open();
  engine.connects.at(-1)?.fail('refused');
  timers.fireNext();
  t.same(unlucky.log, ['waits']);
  pass(60);
  timers.fireNext();
  t.same(unlucky.log.at(-1), { by: 'balancer', phase: 'queue', reason: 'queueTimeout' });
  t.equal(waiting(), 0);
  t.equal(timers.pending, 0);
});
