/** What another worker, or the end of the session, does between two steps of a pick. */
import t from 'tap';
import { PickerCandidate } from '../../../../src/data/dispatch/candidate.ts';
import { Lease } from '../../../../src/data/dispatch/lease.ts';
import { Wait } from '../../../../src/data/dispatch/wait.ts';
import { createFakeUpstream } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const search = { hasTried: () => false, mayTry: () => true };

void t.test('a trial whose place another worker takes at the last moment is on offer again', async t => {
  const { upstream, shared, slotOf, counts } = createFakeUpstream({ [A]: { trial: true, maxSessions: 1 } });
  shared.failures.offerTrial(slotOf(A));
  const lease = upstream.picker.pick('');
  if (!(lease instanceof Lease)) throw new Error('the trial is not picked');
  const runtime = lease.backend;
  shared.failures.returnTrial(slotOf(A));
  const candidate = new PickerCandidate(
    { runtime, weight: 1, maxSessions: 1, trial: true, reserve: false, well: true },
    shared,
  );
  t.notOk(candidate.isTried());
  t.notOk(candidate.take(), 'it is full by now');
  t.notOk(candidate.isTried(), 'the trial is on offer');
  t.equal(counts.live(slotOf(A)), 1, 'and nothing is counted');
  lease.release();
  t.ok(candidate.take());
  t.ok(candidate.isTried());
  t.notOk(candidate.take(), 'one session tries a backend at a time');
});

void t.test(
  'a session that ends between finding its place and getting it gives the place and the trial back',
  async t => {
    const { upstream, shared, slotOf, live, timers } = createFakeUpstream(
      { [A]: { trial: true } },
      { queue: { max: 1 } },
    );
    shared.failures.offerTrial(slotOf(A));
    const told: string[] = [];
    const wait = new Wait(
      upstream,
      {
        pick: () => upstream.picker.pickAgain('', search, true),
        mayQueue: () => true,
        onPlace: () => told.push('turn'),
        onWaitTimeout: () => told.push('timeout'),
      },
      { now: () => 0, setTimer: timers.setTimer },
    );
    t.ok(wait.takePlace());
    t.equal(live(A), 1);
    t.notOk(shared.failures.isTrialOnOffer(slotOf(A)));
    wait.end();
    wait.onPlace();
    t.equal(live(A), 0);
    t.ok(shared.failures.isTrialOnOffer(slotOf(A)));
    t.same(told, []);
  },
);
