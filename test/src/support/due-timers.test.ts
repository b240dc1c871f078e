/** When the next timer is due, against a plain list. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';

import { DueTimers } from '../../../src/support/due-timers.ts';
import { fc } from '../../harness/properties.ts';

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
  readonly cancel: () => void;
}

/** What is done to a timer: the one at this place of those that are pending is fired or cancelled, or a new one is set. */
const action = fc.oneof(
  fc.record({ set: fc.nat(1000) }),
  fc.record({ fire: fc.nat() }),
  fc.record({ cancel: fc.nat() }),
  fc.record({ pass: fc.nat(100) }),
);

void t.test('the next one is always the earliest that is neither fired nor cancelled', async t => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400 }), actions => {
      const world = { nowMs: 0, fired: 0, expected: 0 };
      let fire = (): void => undefined;
      const timers = new DueTimers(
        () => world.nowMs,
        callback => {
          fire = callback;
          return () => undefined;
        },
      );
      const pending: Timer[] = [];
      for (const each of actions) {
        if ('set' in each) {
          const cancel = timers.set(() => (world.fired += 1), each.set);
          pending.push({ atMs: world.nowMs + each.set, fire, cancel });
        } else if ('pass' in each) {
          world.nowMs += each.pass;
        } else {
          const index = ('fire' in each ? each.fire : each.cancel) % Math.max(pending.length, 1);
          const [timer] = pending.splice(index, 1);
          if ('fire' in each) timer?.fire();
          else timer?.cancel();
          // Twice does no harm.
          timer?.cancel();
          if ('fire' in each && timer !== undefined) world.expected += 1;
        }
        if (timers.nextDueMs !== Math.min(Infinity, ...pending.map(({ atMs }) => atMs))) return false;
      }
      return world.fired === world.expected;
    }),
  );
  t.pass();
});

void t.test('many that are cancelled before anybody asks are not kept', async t => {
  const timers = new DueTimers(
    () => 0,
    () => () => undefined,
  );
  timers.set(() => undefined, 1);
  const before = keptBytes();
  for (let i = 0; i < 200_000; i++) timers.set(() => undefined, 1_000_000)();
  t.equal(timers.nextDueMs, 1);
  const grownMb = (keptBytes() - before) / 1e6;
  t.ok(grownMb < 5, `${grownMb.toFixed(1)} MB`);
});

/** What is left when the garbage has been collected. */
function keptBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}
