/** An attempt that hangs at a backend which is found down goes on elsewhere, instead of waiting for its timeout. */
import t from 'tap';
import { relayEnd } from '../../../harness/dispatch-deps.ts';
import type { BackendSpec } from '../../../harness/fake-upstream.ts';
import { BACKUP, DOWN, id, openSessions as setUp } from './open-sessions.ts';

const [A, B, C] = [id(1), id(2), id(3)];

void t.test('an attempt that hangs is given up as soon as its backend is known to be down', async t => {
  for (const how of [{ eligible: false, well: false }, DOWN]) {
    const { open, engine, apply, live } = setUp({ [A]: {}, [B]: {} });
    const { dispatch, log } = open();
    t.ok(apply({ [A]: how, [B]: {} }), 'there is reason to');
    dispatch.moveOn();
    t.ok(engine.connects[0]?.cancelled);
    t.same([live(A), live(B)], [0, 1]);
    engine.connects[1]?.succeed();
    t.same(log, [`connected ${B}`]);
  }
});

void t.test('it is not given up for one that is full, was tried, or is not well either', async t => {
  const cases: Record<string, BackendSpec>[] = [
    { [A]: DOWN, [B]: DOWN },
    { [A]: DOWN, [B]: { maxSessions: 0 } },
    { [A]: DOWN },
    { [A]: {}, [B]: {} },
  ];
  for (const after of cases) {
    const { open, engine, apply, live } = setUp({ [A]: {}, [B]: {} });
    const { dispatch, log } = open();
    apply(after);
    dispatch.moveOn();
    t.notOk(engine.connects[0]?.cancelled);
    engine.connects[0]?.succeed();
    t.same([log, live(A)], [[`connected ${A}`], 1]);
  }
  const { open, engine, apply } = setUp({ [A]: {}, [B]: {} });
  const { dispatch } = open();
  engine.connects[0]?.fail('refused');
  apply({ [A]: {}, [B]: DOWN });
  dispatch.moveOn();
  t.equal(engine.connects.length, 2, 'A has failed it already');
});

void t.test(
  'where those that are well are full it waits for them in the queue, like any other session',
  async t => {
    const one = { maxSessions: 1 };
    const gone = { eligible: false, well: false };
    const { open, engine, apply, live, inQueue } = setUp({ [A]: {}, [B]: one }, { queue: { max: 2 } });
    apply({ [B]: one });
    const onB = open();
    engine.connects[0]?.succeed();
    apply({ [A]: {}, [B]: one });
    const hanging = [open(), open(), open()];
    apply({ [A]: gone, [B]: one });
    for (const { dispatch } of hanging) dispatch.moveOn();
    t.same(
      hanging.map(({ log }) => log),
      [['waits'], ['waits'], []],
      'the third one has nowhere to wait',
    );
    t.same([live(A), engine.connects.map(({ cancelled }) => cancelled)], [1, [false, true, true, false]]);
    const late = open();
    t.same(late.log, ['waits', 'goes on', 'full']);
    onB.dispatch.release(relayEnd(false));
    t.same(
      hanging.map(({ log }) => log),
      [['waits', 'goes on'], ['waits'], []],
      'first come, first served',
    );
    t.equal(inQueue(), 1);
  },
);

void t.test(
  'it stays where it is as long as that gets sessions, in panic, and others are only full',
  async t => {
    const one = { maxSessions: 1 };
    const { open, engine, apply } = setUp({ [B]: one }, { queue: { max: 2 } });
    open();
    engine.connects[0]?.succeed();
    apply({ [A]: {}, [B]: one });
    const { dispatch, log } = open();
    apply({ [A]: DOWN, [B]: one });
    dispatch.moveOn();
    t.same([log, engine.connects[1]?.cancelled], [[], false]);
  },
);

void t.test('one that waits beside the line joins it once what has failed it is gone', async t => {
  const one = { maxSessions: 1 };
  const { open, engine, apply, timers, upstream, inQueue } = setUp({ [B]: one }, { queue: { max: 10 } });
  const onB = open();
  engine.connects[0]?.succeed();
  apply({ [A]: {}, [B]: one });
  const unlucky = open();
  engine.connects[1]?.fail('refused');
  t.same([unlucky.log, upstream.queue.waiting], [['waits'], 0]);
  apply({ [A]: DOWN, [B]: one });
  unlucky.dispatch.moveOn();
  t.equal(upstream.queue.waiting, 0, 'others may have it still');
  apply({ [A]: { eligible: false, well: false }, [B]: one });
  unlucky.dispatch.moveOn();
  t.same([upstream.queue.waiting, inQueue()], [1, 1]);
  const next = open();
  onB.dispatch.release(relayEnd(false));
  t.same([unlucky.log, next.log], [['waits', 'goes on'], ['waits']]);
  t.equal(engine.connects.at(-1)?.address, B);
  t.equal(timers.pending, 0, 'it does not look for itself any more');
});

void t.test('one that hangs behind a pool of spare connections is given up as well', async t => {
  const settled = () => new Promise(resolve => setImmediate(resolve));
  const { open, engine, apply, live } = setUp({ [A]: {}, [B]: {} }, { reuse: true });
  const { dispatch, log } = open();
  await settled();
  apply({ [A]: DOWN, [B]: {} });
  dispatch.moveOn();
  await settled();
  t.ok(engine.connects[0]?.cancelled);
  engine.connects[1]?.succeed();
  await settled();
  t.same([log, live(A), live(B)], [[`connected ${B}`], 0, 1]);
});

void t.test('a pause before the same backend is tried again ends as well', async t => {
  const { open, engine, apply, timers } = setUp({ [A]: {}, [B]: {} }, { connect: { retriesPerBackend: 1 } });
  const { dispatch } = open();
  engine.connects[0]?.fail('refused');
  apply({ [A]: DOWN, [B]: {} });
  dispatch.moveOn();
  t.same([engine.connects.at(-1)?.address, timers.pending], [B, 0]);
});

void t.test(
  'the session that decides about a backend on trial stays, as long as there is a trial',
  async t => {
    const trial = { eligible: false, trial: true, well: false };
    const { open, engine, apply, shared } = setUp({ [A]: trial });
    shared.failures.offerTrial(shared.slotOfBackend('app', A).index);
    const { dispatch } = open();
    apply({ [A]: trial, [B]: {} });
    dispatch.moveOn();
    t.notOk(engine.connects[0]?.cancelled);
    apply({ [A]: { eligible: false, well: false }, [B]: {} });
    dispatch.moveOn();
    t.ok(engine.connects[0]?.cancelled);
    t.ok(shared.failures.isTrialOnOffer(shared.slotOfBackend('app', A).index), 'and gives the trial back');
  },
);

void t.test(
  'a snapshot gives reason to move exactly when one that is well comes or goes, and one is left',
  async t => {
    const { apply } = setUp({ [A]: {}, [B]: {} });
    t.notOk(apply({ [A]: {}, [B]: { weight: 3 } }));
    t.ok(apply({ [A]: {}, [B]: DOWN }));
    t.notOk(apply({ [A]: DOWN, [B]: DOWN }), 'none is left');
    t.ok(apply({ [A]: DOWN, [B]: {} }), 'one is back');
    t.ok(apply({ [B]: {}, [C]: BACKUP }), 'a backup as well');
    t.ok(apply({ [C]: BACKUP }), 'one has gone');
  },
);
