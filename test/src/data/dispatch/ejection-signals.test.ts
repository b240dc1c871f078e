import t from 'tap';
import { Dispatch } from '../../../../src/data/dispatch/dispatcher.ts';
import type { ConnectFailure } from '../../../../src/engine/engine.ts';
import { dispatcherDeps, relayEnd } from '../../../harness/dispatch-deps.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';
import { createFakeUpstream, type BackendSpec } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';

function setUp(
  backends: Record<string, BackendSpec>,
  { failures = 3, earlyClose = 0 }: { failures?: number; earlyClose?: number } = {},
) {
  let nowMs = 0;
  const fake = createFakeUpstream(backends, { ejection: { failures, earlyClose }, attempts: 1 });
  const timers = new FakeTimers();
  const told: string[] = [];
  const slot = fake.slotOf(A);
  const deps = dispatcherDeps({
    now: () => nowMs,
    setTimer: timers.setTimer,
    report: event => {
      if (event.kind === 'backendFailing') told.push(`${event.backend} failing: ${event.cause}`);
      if (event.kind === 'trialEnded') told.push(`${event.backend} trial: ${event.failure ?? 'well'}`);
    },
  });
  const open = () => {
    const dispatch = new Dispatch(fake.upstream, '192.0.2.1', deps, {
      onConnected: () => undefined,
      onUnavailable: () => undefined,
      onWaiting: () => undefined,
    });
    dispatch.start();
    return { dispatch, attempt: fake.engine.connects.at(-1) };
  };
  const fail = (reason: ConnectFailure['reason'], code?: string) => open().attempt?.fail(reason, code);
  const connected = () => {
    const { dispatch, attempt } = open();
    attempt?.succeed();
    return dispatch;
  };
  const offer = () => {
    fake.shared.failures.offerTrial(slot);
    fake.apply({ ...backends, [A]: { eligible: false, trial: true } });
  };
  const pass = (ms: number) => (nowMs += ms);
  return { ...fake, timers, told, slot, open, fail, connected, offer, pass };
}

void t.test('control hears of failures in a row from the configured number on', async t => {
  const { fail, told } = setUp({ [A]: {} });
  fail('refused');
  fail('timeout');
  t.same(told, []);
  fail('unreachable', 'EHOSTUNREACH');
  fail('reset');
  t.same(told, [`${A} failing: connect`, `${A} failing: connect`]);
});

void t.test('a success in between starts the count anew', async t => {
  const { fail, connected, told } = setUp({ [A]: {} });
  fail('refused');
  fail('refused');
  connected();
  fail('refused');
  fail('refused');
  t.same(told, []);
});

void t.test('what this machine lacks never counts', async t => {
  const { fail, told, shared, slot } = setUp({ [A]: {} }, { failures: 1 });
  fail('localResources', 'EMFILE');
  fail('unreachable', 'EADDRNOTAVAIL');
  t.same(told, []);
  t.equal(shared.failures.inARow(slot, 'connect'), 0);
});

void t.test('sessions that end at once without a byte from the backend count, where they are to', async t => {
  const early = relayEnd(false, { by: 'backend', bytesFromBackend: 0 });
  const { connected, told, pass } = setUp({ [A]: {} }, { failures: 2, earlyClose: 100 });
  connected().release(early);
  const lasting = connected();
  pass(100);
  lasting.release(early);
  connected().release(early);
  connected().release(relayEnd(false, { by: 'backend', bytesFromBackend: 1 }));
  connected().release(early);
  t.same(told, [], 'what lasted, and what answered, starts the count anew');
  connected().release(relayEnd(false, { by: 'client', bytesFromBackend: 0 }));
  t.same(told, [], 'a client that leaves says nothing');
  const lingering = connected();
  pass(1_000);
  lingering.release(early, 101);
  t.same(told, [`${A} failing: earlyClose`], 'a client that keeps its side open makes no difference');
  const without = setUp({ [A]: {} }, { failures: 1 });
  without.connected().release(early);
  t.same(without.told, []);
});

void t.test('exactly one session tries a backend on trial; the others go elsewhere', async t => {
  const { offer, open, engine, told, live } = setUp({ [A]: {}, [B]: {} });
  offer();
  open();
  open();
  open();
  t.same(
    engine.connects.map(({ address }) => address),
    [A, B, B],
  );
  engine.connects[0]?.succeed();
  t.same(told, [`${A} trial: well`]);
  open();
  t.same([live(A), live(B)], [1, 3], 'and until control has decided, no other one follows');
});

void t.test('a trial that fails is told, and given to nobody else', async t => {
  const { offer, fail, told, open, engine } = setUp({ [A]: {}, [B]: {} });
  offer();
  fail('refused', 'ECONNREFUSED');
  t.same(told, [`${A} trial: refused (ECONNREFUSED)`]);
  open();
  t.equal(engine.connects.at(-1)?.address, B);
});

void t.test('a trial whose session goes before it is decided is given to another one', async t => {
  const { offer, open, fail, engine, told } = setUp({ [A]: {}, [B]: {} });
  offer();
  open().dispatch.cancel();
  fail('localResources', 'EMFILE');
  t.equal(open().attempt?.address, A);
  t.equal(engine.connects.length, 3);
  t.same(told, []);
});

void t.test('where early ends count, a trial must last or answer', async t => {
  const early = relayEnd(false, { by: 'backend', bytesFromBackend: 0 });
  const start = () => {
    const made = setUp({ [A]: {} }, { earlyClose: 100 });
    made.offer();
    return { ...made, dispatch: made.connected() };
  };
  const ended = start();
  t.same(ended.told, [], 'a connection alone is not enough');
  ended.dispatch.release(early);
  t.same(ended.told, [`${A} trial: it ended the session without a byte`]);
  t.equal(ended.timers.pending, 0);

  const answered = start();
  answered.dispatch.release(relayEnd(false, { bytesFromBackend: 1 }));
  t.same(answered.told, [`${A} trial: well`]);

  const lasting = start();
  t.same(lasting.timers.delays, [100]);
  lasting.timers.fireNext();
  t.same(lasting.told, [`${A} trial: well`]);

  const left = start();
  left.dispatch.release(relayEnd(false, { by: 'client', bytesFromBackend: 0 }));
  t.same(left.told, []);
  t.ok(left.shared.failures.isTrialOnOffer(left.slot));
});
