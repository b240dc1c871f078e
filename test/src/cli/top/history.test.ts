import t from 'tap';
import { History } from '../../../../src/cli/top/history.ts';
import type { StatusAnswer } from '../../../../src/cli/client/status.ts';
import { backendView, snapshotWith, upstreamView } from '../../../harness/fake-balancer.ts';

const looked = (uptimeMs: number, ever: number, misses: number, pid = 1): StatusAnswer => ({
  ...{ name: 'default', version: '0.1.0', pid, uptimeMs },
  ...snapshotWith({
    sessionsEver: ever,
    upstreams: [
      upstreamView('app', [backendView('a:1', { pool: { parked: 0, hits: 5, misses } }), backendView('b:1')]),
    ],
  }),
});
const backend = backendView('a:1');

void t.test('rates are differences of totals over the time of the instance', async t => {
  const history = new History();
  history.add(looked(1_000, 100, 10));
  t.same([history.instance, history.backend('app', backend)], [[], []]);
  history.add(looked(3_000, 130, 14));
  history.add(looked(3_500, 140, 14));
  t.same(history.instance, [15, 20]);
  t.same(history.backend('app', backend), [2, 0]);
  t.same(history.upstream('app'), [2, 0]);
});

void t.test(
  'another process begins anew, a total that falls is no rate, and looks at once are one',
  async t => {
    const history = new History();
    for (const status of [looked(1_000, 100, 10), looked(2_000, 50, 10), looked(2_010, 500, 10)])
      history.add(status);
    t.same(history.instance, [0]);
    history.add(looked(100, 7, 0, 2));
    t.same(history.instance, []);
    history.add(looked(1_100, 9, 0, 2));
    t.same(history.instance, [2]);
  },
);

void t.test('a minute is kept, and backends that are gone are forgotten', async t => {
  const history = new History();
  for (let second = 0; second <= 100; second++) history.add(looked(second * 1000, second, second));
  t.equal(history.instance.length, 60);
  history.add({ ...looked(101_000, 101, 101), upstreams: [] });
  t.same(history.backend('app', backend), []);
});
