/**
 * The 32-bit counters in shared memory after years of counting: each of them stops short of its end, or is compared
 * in a way that its end does not matter for. Every test starts just before the end. Tickets of waiting sessions have
 * theirs in queue-order.test.ts, the counter of placed sessions in upstream-mirror.test.ts.
 */
import t from 'tap';
import { BackendFailures } from '../../../src/shared-memory/backend-failures.ts';
import { ElsewhereNews } from '../../../src/shared-memory/elsewhere-counts.ts';

const LAST = 2 ** 31 - 1;

void t.test('failures in a row stay above every threshold, and a success still ends them', async t => {
  const failures = new BackendFailures(BackendFailures.allocate(1));
  const other = new BackendFailures(failures.memory, 1);
  const words = new Int32Array(failures.memory.buffer);
  for (const kind of ['connect', 'earlyClose'] as const) {
    for (const before of [2 ** 30 - 2, LAST]) {
      words.fill(before);
      for (let i = 0; i < 10; i++) {
        t.ok(failures.failed(0, kind) > 1_000_000);
        t.ok(other.failed(0, kind) > 1_000_000);
      }
      t.ok(failures.inARow(0, kind) > 1_000_000);
      failures.succeeded(0, kind);
      t.equal(failures.failed(0, kind), 1);
    }
  }
});

void t.test('what is heard of other instances reaches the pickers', async t => {
  const news = new ElsewhereNews();
  new Int32Array(news.memory)[0] = LAST;
  const seen = [news.version];
  for (let i = 0; i < 3; i++) {
    news.hear(0);
    seen.push(news.version);
  }
  t.equal(new Set(seen).size, 4, 'each time is another version');
});
