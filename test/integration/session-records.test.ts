/**
 * Every session that ends is recorded or counted, exactly once: also while its record is wanted by turns, and when there are
 * more of them than the control thread can take in.
 */
import t from 'tap';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { FULL } from '../harness/full-load.ts';
import { addressOf } from '../harness/listening-address.ts';
import { ManySessions } from '../harness/many-sessions.ts';
import { until } from '../harness/until.ts';

const SESSIONS = FULL ? 20_000 : 1_500;
/** More than may be on their way from workers and wait there. */
const TOO_MANY = 60_000;
const MOST_TAKEN = 2 * 16_384;

async function start(t: { teardown(callback: () => unknown): void }, workers: number) {
  const sessions = await ManySessions.start(t);
  const balancer = createLoadBalancer({
    workers,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [{ name: 'app', strategy: 'roundrobin', health: 'off', backends: [sessions.backend] }],
  });
  t.teardown(() => balancer.stop());
  await balancer.start();
  const address = addressOf(balancer);
  return { balancer, run: (count: number) => sessions.run(address.port, count) };
}

function count(balancer: LoadBalancer) {
  const counts = { recorded: 0, unrecorded: 0 };
  balancer.on('session:closed', () => (counts.recorded += 1));
  balancer.on('session:unrecorded', ({ sessions }) => (counts.unrecorded += sessions));
  return counts;
}

for (const workers of [0, 1, 2]) {
  void t.test(`${workers} workers: whether records are wanted may change at any time`, async t => {
    const { balancer, run } = await start(t, workers);
    const counts = count(balancer);
    let isCounting = false;
    const toggling = setInterval(() => balancer.countSessions((isCounting = !isCounting)), 20);
    t.teardown(() => clearInterval(toggling));
    t.same(await run(SESSIONS), []);
    await until('all are told of', () => counts.recorded + counts.unrecorded >= SESSIONS);
    t.same(counts.recorded + counts.unrecorded, SESSIONS);
    t.ok(counts.recorded > 0 && counts.unrecorded > 0);
  });
}

void t.test(
  'a control thread that stands still costs records, which are counted, and no session',
  { skip: !FULL && 'takes half a minute: LB4_TEST_LOAD=full runs it', timeout: 300_000 },
  async t => {
    const { balancer, run } = await start(t, 1);
    const counts = count(balancer);
    const running = run(TOO_MANY);
    const stop = balancer.on('session:closed', () => {
      stop();
      // The thread does nothing at all until all of them have come and gone.
      const memory = new Int32Array(new SharedArrayBuffer(4));
      while (balancer.snapshot().sessionsEver < TOO_MANY || balancer.snapshot().sessions > 0) {
        Atomics.wait(memory, 0, 0, 50);
      }
    });
    t.same(await running, []);
    await until('all are told of', () => counts.recorded + counts.unrecorded >= TOO_MANY);
    t.equal(counts.recorded + counts.unrecorded, TOO_MANY);
    t.ok(counts.recorded <= MOST_TAKEN + 1_000, `${counts.recorded} records were kept`);
  },
);
