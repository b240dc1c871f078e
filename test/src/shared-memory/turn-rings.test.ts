import t from 'tap';
import { TurnRing } from '../../../src/shared-memory/turn-rings.ts';
import { UpstreamState } from '../../../src/shared-memory/upstream-state.ts';

/** Two threads' views of one ring, and the lock. */
function views() {
  const memory = TurnRing.allocate();
  const lock = new Int32Array(memory.lock);
  return { lock, one: new TurnRing(memory, 0), two: new TurnRing(structuredClone(memory), 1) };
}

void t.test('what one thread writes the others read', async t => {
  const { one, two } = views();
  two.head[1] = 7.5;
  t.same([...one.head], [0, 7.5]);
});

void t.test('one thread at a time is inside, and a dead one holds up nobody', async t => {
  const { lock, one, two } = views();
  two.enter();
  t.equal(lock[0], 2);
  one.forget(0);
  t.equal(lock[0], 2, 'another one has died');
  one.forget(1);
  t.equal(lock[0], 0);
  one.enter();
  t.equal(lock[0], 1);
  one.leave();
  t.equal(lock[0], 0);
});

void t.test('who waits too long goes on, and does not release what is not its own', async t => {
  const { lock, one, two } = views();
  two.enter();
  one.enter();
  one.leave();
  t.equal(lock[0], 2);
  two.leave();
  t.equal(lock[0], 0);
  one.enter();
  t.equal(lock[0], 1, 'and gets in again once it is free');
});

void t.test('an upstream has rings where its backends take turns, and a dead worker leaves them', async t => {
  t.equal(new UpstreamState(UpstreamState.allocate({ workers: 2 })).rings, undefined);
  const control = new UpstreamState(UpstreamState.allocate({ workers: 2, takesTurns: true }));
  const worker = new UpstreamState(structuredClone(control.memory), 1);
  for (const ring of [worker.rings!.main, worker.rings!.reserve]) ring.enter();
  control.forget(1);
  for (const { memory } of [control.rings!.main, control.rings!.reserve]) {
    t.equal(new Int32Array(memory.lock)[0], 0);
  }
});
