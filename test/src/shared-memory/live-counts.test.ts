import t from 'tap';
import { LiveCounts } from '../../../src/shared-memory/live-counts.ts';

void t.test('the same backend of the same upstream always has the same slot, others have others', async t => {
  const counts = new LiveCounts({ backends: 3 });
  const slot = counts.slotOf('app', 'a:1');
  t.equal(counts.slotOf('app', 'a:1'), slot);
  t.not(counts.slotOf('app', 'b:1'), slot);
  t.not(counts.slotOf('other', 'a:1'), slot);
});

void t.test('a limit is never passed, and a refused take leaves no trace', async t => {
  const counts = new LiveCounts({ backends: 1 });
  const slot = counts.slotOf('app', 'a:1');
  t.same([counts.take(slot, 2), counts.take(slot, 2), counts.take(slot, 2)], [true, true, false]);
  t.equal(counts.live(slot), 2);
  counts.release(slot);
  t.ok(counts.take(slot, 2));
});

void t.test('without a limit every take counts', async t => {
  const counts = new LiveCounts({ backends: 1 });
  const refused = Array.from({ length: 1_000 }, () => counts.take(0, undefined)).filter(taken => !taken);
  t.same(refused, []);
  t.equal(counts.live(0), 1_000);
});

void t.test(
  'more backends than there is room for are refused by name, not counted in a neighbour',
  async t => {
    const counts = new LiveCounts({ backends: 1 });
    for (let i = 0; i < 1_024; i++) counts.slotOf('app', String(i));
    t.throws(() => counts.slotOf('app', 'one too many'), /no room for more than 1024 backends/);
  },
);

void t.test('workers count in one total, and a dead worker’s sessions leave it', async t => {
  const control = new LiveCounts({ backends: 1, workers: 3 });
  const slot = control.slotOf('app', 'a:1');
  const [one, two] = [1, 2].map(worker => LiveCounts.forWorker(control.memory, worker));
  for (let i = 0; i < 5; i++) one?.take(slot, undefined);
  t.same([two?.take(slot, 6), two?.take(slot, 6)], [true, false], 'the limit is for all of them');
  t.same([control.liveOf(1, slot), control.liveOf(2, slot), control.live(slot)], [5, 1, 6]);
  control.forget(1);
  t.same([control.liveOf(1, slot), control.live(slot)], [0, 1]);
  two?.release(slot);
  t.equal(control.live(slot), 0);
});

void t.test('listeners and the instance have slots beside those of the backends', async t => {
  const counts = new LiveCounts({ backends: 1, listeners: 2 });
  const slots = [
    counts.slotOfInstance(),
    counts.slotOfListener('a'),
    counts.slotOfListener('b'),
    counts.slotOf('a', 'b'),
  ];
  t.equal(new Set(slots).size, 4);
});

void t.test('the backends of an upstream are those it has ever had, with their slots', async t => {
  const counts = new LiveCounts({ backends: 3 });
  const a = counts.slotOf('app', 'a:1');
  counts.slotOf('other', 'a:1');
  counts.slotOfListener('app');
  const b = counts.slotOf('app', 'b:1');
  t.same(
    [...counts.backendsOf('app')],
    [
      ['a:1', a],
      ['b:1', b],
    ],
  );
  t.equal(counts.backendsOf('unheard-of').size, 0);
});
