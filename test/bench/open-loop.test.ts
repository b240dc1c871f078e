/** The plan of a rate-limited load, and that a stall is charged to every request that it held up. */
import t from 'tap';
import { OpenLoop } from '../../bench/load/open-loop.ts';
import { createSchedule } from '../../bench/load/schedule.ts';
import { percentile } from '../../bench/measure/stats.ts';
import { fc } from '../harness/properties.ts';

void t.test(
  'a plan keeps its rate, never runs ahead of it, and is never more than a tick behind',
  async () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50_000 }),
        fc.integer({ min: 1, max: 3_000 }),
        fc.constantFrom(0.1, 0.25, 1, 7),
        (ratePerSecond, durationMs, tickMs) => {
          const plan = createSchedule({ ratePerSecond, durationMs, tickMs });
          const sample = [0, 1, Math.floor(plan.total / 2), plan.total - 1];
          const inTime = sample.every(index => {
            const exact = (index * 1000) / ratePerSecond;
            const planned = plan.plannedMs(index);
            return planned >= exact - 1e-6 && planned <= exact + tickMs + 1e-6;
          });
          return inTime && plan.total === Math.max(Math.floor((ratePerSecond * durationMs) / 1000), 1);
        },
      ),
      { numRuns: 200 },
    );
  },
);

void t.test('a rate, duration or tick that is not positive is refused', async t => {
  const good = { ratePerSecond: 1, durationMs: 1, tickMs: 1 };
  for (const bad of [
    { ratePerSecond: 0 },
    { durationMs: NaN },
    { tickMs: -1 },
    { ratePerSecond: Infinity },
  ]) {
    t.throws(() => createSchedule({ ...good, ...bad }), RangeError);
  }
});

/** One request per millisecond, over so many lanes; what is sent and answered is kept. */
function started(total: number, lanes: number) {
  const sent: string[] = [];
  const latencies: number[] = [];
  const loop = new OpenLoop<string>(createSchedule({ ratePerSecond: 1000, durationMs: total, tickMs: 1 }), {
    send: lane => sent.push(lane),
    answered(index, latencyMs) {
      latencies[index] = latencyMs;
    },
  });
  for (let lane = 0; lane < lanes; lane++) loop.join(String(lane));
  return { loop, sent, latencies };
}

void t.test('requests go out when they are due, on the connections in turn', async t => {
  const { loop, sent, latencies } = started(4, 2);
  loop.advance(0.5);
  t.same(sent, ['0']);
  t.ok(loop.completed('0', 0.7));
  loop.advance(2);
  t.same(sent, ['0', '1', '0'], 'those of 1 ms and 2 ms');
  t.ok(loop.completed('1', 2.5));
  t.same(latencies, [0.7, 1.5], 'from the planned moment, not from the late sending');
});

void t.test('a stall counts for every request that was due meanwhile (coordinated omission)', async t => {
  const { loop, sent, latencies } = started(1000, 1);
  const sentToAnswered: number[] = [];
  // Every answer takes 0.1 ms, but the one to request 500 takes 100 ms.
  let now = 0;
  for (let index = 0; index < 1000; index++) {
    // A request goes out when it is due, or as soon as the answer before it has come.
    if (sent.length === index) loop.advance((now = index));
    const sentMs = now;
    now = sentMs + (index === 500 ? 100 : 0.1);
    if (!loop.completed('0', now)) t.fail(`nothing was in flight at ${now}`);
    sentToAnswered.push(now - sentMs);
  }
  t.equal(loop.open, 0);
  const sorted = [...latencies].sort((a, b) => a - b);
  const closedLoop = sentToAnswered.sort((a, b) => a - b);
  t.ok(percentile(sorted, 99) > 80, `p99 ${percentile(sorted, 99)} shows the stall`);
  t.ok(percentile(closedLoop, 99) < 1, 'which a client that only times its own requests leaves out');
  t.ok((latencies[501] ?? 0) > 98 && (latencies[550] ?? 0) > 50);
  t.ok((latencies[700] ?? Infinity) < 1, 'and which is over when the line is served');
});

void t.test('a lost connection loses its own request only', async t => {
  const { loop, sent } = started(3, 2);
  loop.advance(1);
  t.same(sent, ['0', '1']);
  loop.lost('0');
  loop.lost('0');
  t.equal(loop.open, 2);
  loop.advance(2);
  t.equal(sent.length, 2, 'the third waits for the one connection that is left');
  loop.completed('1', 3);
  t.same(sent, ['0', '1', '1']);
  t.ok(loop.completed('1', 4));
  t.equal(loop.open, 0);
});

void t.test('an answer that nobody asked for is told', async t => {
  const { loop } = started(3, 1);
  t.notOk(loop.completed('0', 0));
  loop.advance(0);
  t.ok(loop.completed('0', 0.5));
  t.notOk(loop.completed('0', 0.6));
});
