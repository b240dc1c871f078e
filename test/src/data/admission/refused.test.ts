/** Refused clients are all counted, and reported at most once a second. */
import t from 'tap';
import { Refused } from '../../../../src/data/admission/refused.ts';
import type { DataEvent } from '../../../../src/model/data-event.ts';
import { Counts } from '../../../../src/model/counter-view.ts';
import { LISTENER } from '../../../../src/shared-memory/counters/layout.ts';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';

void t.test('the first is reported at once, the others in sums, by reason', t => {
  const shared = new ControlledState({ slots: 4 });
  const slot = shared.slotOfListener('web');
  const timers = new FakeTimers();
  const events: DataEvent[] = [];
  const refused = new Refused('web', shared.counters.cells(slot), {
    report: event => void events.push(event),
    setTimer: timers.setTimer,
  });
  const taken = (): DataEvent[] => events.splice(0);
  for (let i = 1; i <= 3; i++) refused.count('badProxyHeader', `192.0.2.${i}`, false);
  refused.count('badProxyHeader', '192.0.2.9', true);
  const about = { kind: 'refused', listener: 'web', reason: 'badProxyHeader' };
  t.same(taken(), [
    { ...about, isDryRun: false, clientAddress: '192.0.2.1', times: 1 },
    { ...about, isDryRun: true, clientAddress: '192.0.2.9', times: 1 },
  ]);
  t.same(timers.delays, [1_000, 1_000]);
  timers.fireAll();
  t.same(taken(), [{ ...about, isDryRun: false, clientAddress: '192.0.2.3', times: 2 }]);
  refused.count('badProxyHeader', '192.0.2.4', false);
  t.same(taken(), [], 'a second has begun anew');
  timers.fireAll();
  t.match(taken(), [{ clientAddress: '192.0.2.4', times: 1 }]);
  timers.fireAll();
  t.equal(timers.pending, 0, 'and nothing runs when nothing is refused');
  t.same(taken(), []);
  const { cells, at, rows } = shared.counters.live(slot);
  const counts = new Counts(cells, at, rows);
  const series = (state: string): number =>
    LISTENER.refused.series.findIndex(([reason, each]) => reason === 'badProxyHeader' && each === state);
  t.same(
    ['refused', 'dryRun'].map(state => counts.of(LISTENER.refused, series(state))),
    [4, 1],
  );
  t.end();
});
