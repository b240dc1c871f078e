/** The limit of a whole upstream: over all its backends, and over all data planes. */
import t from 'tap';
import type { Lease } from '../../../../src/data/dispatch/lease.ts';
import type { PickResult } from '../../../../src/data/dispatch/picker.ts';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { relayEnd } from '../../../harness/dispatch-deps.ts';
import { createFakeUpstream } from '../../../harness/fake-upstream.ts';
import { fc } from '../../../harness/properties.ts';
import { DOWN, id, openSessions } from './open-sessions.ts';

const [A, B, C] = [id(1), id(2), id(3)];

function leaseOf(result: PickResult): Lease {
  if (typeof result === 'string') throw new Error(`nothing picked: ${result}`);
  return result;
}

const nameOf = (result: PickResult): string => (typeof result === 'string' ? result : result.backend.id);

void t.test('sessions of all backends count, and a place that is freed is given again', async t => {
  const { upstream, live } = createFakeUpstream(
    { [A]: {}, [B]: {} },
    { strategy: 'leastconn', maxSessions: 3 },
  );
  const picks = [1, 2, 3, 4].map(() => upstream.picker.pick(''));
  t.same([live(A) + live(B), nameOf(picks[3] ?? 'noBackend')], [3, 'full']);
  leaseOf(picks[0] ?? 'full').release();
  t.not(nameOf(upstream.picker.pick('')), 'full');
  t.equal(upstream.picker.pick(''), 'full');
  t.equal(live(A) + live(B), 3, 'and nobody is counted who was not let in');
});

void t.test('a limit that comes later knows of the sessions that run, and ends none', async t => {
  const { upstream } = createFakeUpstream({ [A]: {} });
  const leases = [1, 2, 3].map(() => leaseOf(upstream.picker.pick('')));
  const limit = (maxSessions: number | undefined) =>
    upstream.apply(
      { ...upstream.plan, backends: upstream.plan.backends, limits: { maxSessions } },
      upstream.factory,
    );
  limit(2);
  t.equal(upstream.picker.pick(''), 'full');
  leases[0]?.release();
  t.equal(upstream.picker.pick(''), 'full', 'two of three are still as many as may be');
  leases[1]?.release();
  t.equal(nameOf(upstream.picker.pick('')), A);
  limit(undefined);
  t.equal(nameOf(upstream.picker.pick('')), A);
});

void t.test('at its limit an upstream without a backend still has no backend', async t => {
  const { upstream, apply } = createFakeUpstream({ [A]: {} }, { maxSessions: 1 });
  leaseOf(upstream.picker.pick(''));
  apply({ [A]: { eligible: false, well: false } });
  t.equal(upstream.picker.pick(''), 'noBackend');
});

void t.test('beyond the limit sessions wait in the queue, first come first served', async t => {
  const { open, fails } = openSessions({ [A]: {}, [B]: {} }, { maxSessions: 1, queue: { max: 2 } });
  fails();
  const [first, second, third, fourth] = [open(), open(), open(), open()];
  t.same([first.log, second.log, third.log], [[`connected ${A}`], ['waits'], ['waits']]);
  t.same(fourth.log.length, 3, 'and one more is refused');
  t.match(fourth.log[2], /full/);
  first.dispatch.release(relayEnd(false));
  t.same([second.log, third.log], [['waits', 'goes on', `connected ${A}`], ['waits']]);
});

void t.test('a session that has failed keeps no place while it looks for another backend', async t => {
  const { open, fails } = openSessions({ [A]: {}, [B]: {} }, { maxSessions: 1 });
  fails(A);
  t.same(open().log, [`connected ${B}`]);
});

void t.test('a session that has no room beside the limit moves to a better backend all the same', async t => {
  const { upstream, apply, live } = createFakeUpstream({ [A]: DOWN, [B]: DOWN }, { maxSessions: 1 });
  const lease = leaseOf(upstream.picker.pick(''));
  apply({ [A]: { ...DOWN }, [B]: {} });
  const search = { hasTried: (backend: string) => backend === A, mayTry: () => true };
  const better = upstream.picker.pickWell('', search, true);
  t.equal(better === undefined ? better : nameOf(better), B);
  lease.release();
  t.same([live(A), live(B), upstream.picker.pick('')], [0, 1, 'full']);
});

void t.test('a pick that another thread is faster than takes nothing, not even the trial', async t => {
  let others = (): void => undefined;
  const { upstream, shared, slotOf, live } = createFakeUpstream(
    { [A]: { trial: true, eligible: false, well: false } },
    {
      maxSessions: 1,
      strategy: candidates => ({
        pick: () => {
          others();
          return candidates[0];
        },
      }),
    },
  );
  shared.failures.offerTrial(slotOf(A));
  others = () => void shared.upstream('app').sessions.take(0, 1);
  t.equal(upstream.picker.pick(''), 'full');
  t.equal(live(A), 0);
  t.ok(shared.failures.isTrialOnOffer(slotOf(A)));
});

void t.test(
  'over two data planes there are never more than the limit, and a dead one’s are given back',
  async () => {
    const step = fc.record({ by: fc.nat(1), what: fc.constantFrom('pick', 'release', 'dies') });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (maxSessions, steps) => {
        const control = new ControlledState({ slots: 16, workers: 2 });
        control.configureUpstream('app', {});
        const planes = [0, 1].map(worker =>
          createFakeUpstream(
            { [A]: {}, [B]: {}, [C]: { maxSessions: 2 } },
            { maxSessions, sharing: { control, worker } },
          ),
        );
        const held: Lease[][] = [[], []];
        for (const { by, what } of steps) {
          const [mine = [], other = []] = [held[by], held[1 - by]];
          if (what === 'release') mine.shift()?.release();
          else if (what === 'dies') {
            control.forget(by);
            mine.length = 0;
          } else {
            const picked = planes[by]?.upstream.picker.pick('');
            const isFull = mine.length + other.length >= maxSessions;
            if ((picked === 'full') !== isFull) return false;
            if (typeof picked === 'object') mine.push(picked);
          }
          if (control.upstream('app').sessions.live(0) !== mine.length + other.length) return false;
        }
        return true;
      }),
    );
  },
);
