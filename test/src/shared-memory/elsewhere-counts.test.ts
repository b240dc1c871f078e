import t from 'tap';
import { ElsewhereCounts, ElsewhereNews } from '../../../src/shared-memory/elsewhere-counts.ts';

void t.test('what control hears, every thread reads', async t => {
  const control = new ElsewhereCounts(ElsewhereCounts.allocate(8));
  const worker = new ElsewhereCounts(control.memory);
  t.equal(worker.count(3), 0);
  control.set(3, 7);
  t.same([worker.count(3), worker.count(4)], [7, 0]);
});

void t.test('news of an upstream have another version each time', async t => {
  const control = new ElsewhereNews();
  const worker = new ElsewhereNews(control.memory);
  t.same([worker.version, worker.unseen], [0, 0]);
  control.hear(2.25);
  t.same([worker.version, worker.unseen], [1, 2.25]);
  control.hear(0);
  t.same([worker.version, worker.unseen], [2, 0]);
});

void t.test('what every thread places is one number', async t => {
  const control = new ElsewhereNews();
  for (const worker of [new ElsewhereNews(control.memory), new ElsewhereNews(control.memory)]) {
    worker.notePlaced();
  }
  t.equal(control.placed, 2);
});

void t.test('a number beyond all reason does not wrap around', async t => {
  const news = new ElsewhereNews();
  news.hear(1e12);
  t.equal(news.unseen, 2_000_000);
});
