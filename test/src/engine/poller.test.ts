/** Looking again and again: soon at first, and never too often. */
import t from 'tap';

import { Poller } from '../../../src/engine/poller.ts';
import { FakeTimers } from '../../harness/fake-timers.ts';

void t.test('looks come close together at first, and nothing ticks when nothing is left', t => {
  const timers = new FakeTimers();
  const poller = new Poller(timers.setTimer);
  let looksLeft = 7;
  poller.add({ poll: () => --looksLeft > 0 });
  while (timers.pending > 0) timers.fireNext();
  t.strictSame(timers.delays, [1, 2, 4, 8, 10, 10, 10]);
  t.equal(looksLeft, 0);
  t.end();
});

void t.test('a newcomer is looked at soon, however rarely the others are', t => {
  const timers = new FakeTimers();
  const poller = new Poller(timers.setTimer);
  const others = { poll: () => true };
  poller.add(others);
  for (let tick = 0; tick < 6; tick++) timers.fireNext();
  let isLooked = false;
  poller.add({
    poll: () => {
      isLooked = true;
      return false;
    },
  });
  t.equal(timers.pending, 1, 'the tick that was far off is replaced');
  t.equal(timers.delays.at(-1), 1);
  timers.fireNext();
  t.ok(isLooked);
  poller.remove(others);
  timers.fireNext();
  t.equal(timers.pending, 0);
  t.end();
});

void t.test('however many wait, 50 are looked at per millisecond, and all have their turn', t => {
  const timers = new FakeTimers();
  const poller = new Poller(timers.setTimer);
  const looks = new Array<number>(300).fill(0);
  looks.forEach((_, i) => poller.add({ poll: () => (looks[i] = (looks[i] ?? 0) + 1) > 0 }));
  timers.fireNext();
  t.equal(looks.filter(count => count === 1).length, 50);
  timers.fireNext();
  timers.fireNext();
  t.strictSame(new Set(looks), new Set([1, 2]), '50, 100, 200: the first fifty for the second time');
  t.end();
});
