/** Clients that send nothing have less time while others wait for a place. */
import t from 'tap';
import { PATIENCE_MS, Undecided } from '../../../../src/data/admission/undecided.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';

function start() {
  const timers = new FakeTimers();
  const state = { nowMs: 0, isShort: false };
  const undecided = new Undecided({
    setTimer: timers.setTimer,
    now: () => state.nowMs,
    isShort: () => state.isShort,
  });
  const hurried: string[] = [];
  const enter = (name: string) => {
    const client = {
      sinceMs: state.nowMs,
      hurry: () => {
        hurried.push(name);
        undecided.leave(client);
      },
    };
    undecided.enter(client);
    return client;
  };
  return { timers, state, undecided, hurried, enter };
}

void t.test('while there is room they have the time that their gates give them', t => {
  const { timers, state, enter } = start();
  enter('a');
  state.nowMs = 10 * PATIENCE_MS;
  enter('b');
  t.equal(timers.pending, 0);
  t.end();
});

void t.test('without room those go that have waited for a second, and the others when they have', t => {
  const { timers, state, undecided, hurried, enter } = start();
  enter('a');
  state.nowMs = 600;
  enter('b');
  state.isShort = true;
  undecided.makeRoom();
  undecided.makeRoom();
  t.same(timers.delays, [400], 'one look, when it is due');
  state.nowMs = PATIENCE_MS;
  timers.fireAll();
  t.same(hurried, ['a']);
  t.same(timers.delays, [400, 600]);
  state.nowMs += 600;
  timers.fireAll();
  t.same(hurried, ['a', 'b']);
  t.equal(timers.pending, 0);
  enter('c');
  t.same(timers.delays.at(-1), PATIENCE_MS, 'also one that comes while it is so');
  t.end();
});

void t.test('one that has decided in time, and all once there is room, are left alone', t => {
  const { timers, state, undecided, hurried, enter } = start();
  state.isShort = true;
  const a = enter('a');
  enter('b');
  undecided.leave(a);
  state.isShort = false;
  state.nowMs = PATIENCE_MS;
  timers.fireAll();
  t.same(hurried, []);
  t.equal(timers.pending, 0);
  t.end();
});

void t.test('of many a part goes in each step', t => {
  const { timers, state, undecided, hurried, enter } = start();
  for (let i = 0; i < 600; i++) enter(String(i));
  [state.isShort, state.nowMs] = [true, PATIENCE_MS];
  undecided.makeRoom();
  const sizes: number[] = [];
  while (timers.pending > 0) {
    const before = hurried.length;
    timers.fireAll();
    sizes.push(hurried.length - before);
  }
  t.same(sizes, [256, 256, 88]);
  t.same(hurried.slice(0, 3), ['0', '1', '2'], 'those that have waited longest first');
  t.end();
});
