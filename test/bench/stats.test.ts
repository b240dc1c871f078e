/** The arithmetic between samples and tables, on values whose answer is known by hand. */
import t from 'tap';
import { median, percentile, slope } from '../../bench/measure/stats.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

void t.test('a percentile is the nearest rank: a value that was measured', async t => {
  t.equal(percentile(upTo(1000), 50), 500);
  t.equal(percentile(upTo(1000), 99), 990);
  t.equal(percentile(upTo(1000), 99.9), 999);
  t.equal(percentile(upTo(1000), 100), 1000);
  t.equal(percentile(upTo(10), 99), 10);
  t.equal(percentile([7], 0.1), 7);
  t.ok(Number.isNaN(percentile([], 50)));
});

void t.test('rounding of the rank never moves a percentile by one, for any number of samples', async t => {
  for (let count = 1; count <= 3000; count++) {
    // In whole numbers: rank = ceil(count × 999 / 1000).
    const rank = Math.floor((count * 999 + 999) / 1000);
    if (percentile(upTo(count), 99.9) !== rank) t.equal(percentile(upTo(count), 99.9), rank, String(count));
  }
});

void t.test('the median of an even number of values is between the middle two', async t => {
  t.equal(median([4, 1, 3, 2]), 2.5);
  t.equal(median([10, 9, 1]), 9);
  t.ok(Number.isNaN(median([])));
});

void t.test('the slope is that of the least-squares line', async t => {
  t.equal(
    slope([
      [0, 5],
      [1, 7],
      [2, 9],
    ]),
    2,
  );
  // By hand: mean 1 and 1; products −1·−1 + 0·1 + 1·0 = 1; squares 2.
  t.equal(
    slope([
      [0, 0],
      [1, 2],
      [2, 1],
    ]),
    0.5,
  );
  t.ok(Number.isNaN(slope([[3, 1]])));
  t.ok(Number.isNaN(slope([])));
});
