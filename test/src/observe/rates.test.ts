/** What two statuses say about the time between them. */
import t from 'tap';
import {
  attemptsOf,
  bucketsSince,
  countOf,
  endingsOf,
  quantileOf,
  since,
} from '../../../src/observe/rates.ts';
import { COUNTERS, Counts } from '../../../src/model/counter-view.ts';
import { ENDINGS } from '../../../src/shared-memory/counters/endings.ts';
import { Cells } from '../../../src/shared-memory/counters/counters.ts';
import { BLOCK_CELLS } from '../../../src/shared-memory/counters/layout.ts';

void t.test('of a total that has gone down all is new: it belongs to another owner', async t => {
  t.same([since(3, 10), since(undefined, 10), since(10, 3), since(3, 3)], [7, 10, 3, 0]);
  const before = [
    [-16, 2],
    [0, 5],
  ] as const;
  t.same(
    bucketsSince(before, [
      [-16, 2],
      [-8, 1],
      [0, 7],
    ]),
    [
      [-8, 1],
      [0, 2],
    ],
  );
  t.same(bucketsSince(before, [[0, 6]]), [[0, 6]], 'a bucket is gone');
  t.same(
    bucketsSince(before, [
      [-16, 2],
      [0, 4],
    ]),
    [
      [-16, 2],
      [0, 4],
    ],
    'a bucket has less',
  );
  t.same(bucketsSince(undefined, before), before);
});

void t.test('quantiles are those of the times that were noted, at most 9 % too much', async t => {
  const { connect } = COUNTERS.backend;
  const cells = new Float64Array(BLOCK_CELLS);
  const noted = new Cells(cells, 0);
  const times = Array.from({ length: 1_000 }, (_, i) => 0.3 * 1.009 ** i);
  for (const ms of times) noted.note(connect, ms);
  const counts = new Counts(cells).times(connect);
  const buckets = counts.filled();
  t.equal(countOf(buckets), 1_000);
  for (const part of [0.01, 0.5, 0.9, 0.99]) {
    const exact = (times[Math.ceil(1_000 * part) - 1] ?? 0) / 1_000;
    const found = quantileOf(buckets, part) ?? 0;
    t.ok(found >= exact * 0.999 && found <= exact * 1.0906, `${part}: ${found} for ${exact}`);
    t.equal(found.toFixed(12), counts.quantile(part)?.toFixed(12));
  }
  t.equal(quantileOf([], 0.5), undefined);
  noted.note(connect, 1e9);
  t.equal(quantileOf(new Counts(cells).times(connect).filled(), 1), Infinity, 'longer than what is measured');
});

void t.test('failures are those that clients notice and did not cause; nobody wanted them', async t => {
  const failed = ENDINGS.filter(
    ([by, phase, reason]) => endingsOf([{ by, phase, reason, sessions: 2 }]).failed === 2,
  );
  t.same(
    failed.map(each => each.join(' ')),
    [
      'backend relay reset',
      'backend connect reset',
      'balancer connect noBackend',
      'balancer connect full',
      'balancer queue queueTimeout',
      'balancer connect retryBudget',
      'balancer connect deadline',
      'backend connect refused',
      'backend connect timeout',
      'backend connect unreachable',
      'backend connect tls',
      'balancer connect localResources',
      'balancer relay backendDown',
      'balancer relay workerDied',
      'balancer relay other',
    ],
  );
});

void t.test('of a backend: what it failed at, of all attempts', async t => {
  const bytes = { client: 0, backend: 0 };
  const counted = { connections: 90, connectFailures: 10, resets: 4, bytes, connect: [] };
  t.same(attemptsOf(counted), { all: 100, failed: 14 }, 'a session that it has reset had a connection');
});
