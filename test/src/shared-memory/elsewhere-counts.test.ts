import t from 'tap';
import { ElsewhereCounts } from '../../../src/shared-memory/elsewhere-counts.ts';

void t.test('what control hears, every thread reads; upstreams have their own', async t => {
  const control = new ElsewhereCounts(8, 2);
  const worker = ElsewhereCounts.over(control.memory);
  t.same([worker.version(0), worker.version(1), worker.count(3)], [0, 0, 0]);
  const slots = new Map([
    ['a:1', 3],
    ['b:1', 4],
  ]);
  const heard = new Map([
    ['a:1', 7],
    ['b:1', 1],
    ['unknown:1', 9],
  ]);
  control.hear(1, slots, heard, 2.25);
  t.same([worker.count(3), worker.count(4), worker.count(5)], [7, 1, 0]);
  t.same([worker.unseen(0), worker.unseen(1)], [0, 2.25]);
  t.same([worker.version(0), worker.version(1)], [0, 1]);
  control.hear(1, slots, new Map([['b:1', 2]]), 0);
  t.same([worker.count(3), worker.count(4), worker.version(1)], [0, 2, 2], 'who is not named has none');
});

void t.test('what every thread places is one number per upstream', async t => {
  const control = new ElsewhereCounts(8, 2);
  const workers = [ElsewhereCounts.over(control.memory), ElsewhereCounts.over(control.memory)];
  for (const worker of workers) worker.notePlaced(1);
  t.same([control.placed(0), control.placed(1)], [0, 2]);
});

void t.test('a number beyond all reason does not wrap around', async t => {
  const counts = new ElsewhereCounts(1, 1);
  counts.hear(0, new Map(), new Map(), 1e12);
  t.equal(counts.unseen(0), 2_000_000);
});
