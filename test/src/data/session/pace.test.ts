/** Bandwidths are held, shared equally and used up, over a clock that the test moves. */
import t from 'tap';
import { DeadlineWheel } from '../../../../src/data/session/deadline-wheel.ts';
import { Pace } from '../../../../src/data/session/pace.ts';
import { PACE_TICK_MS, portion } from '../../../../src/data/session/portion.ts';
import { BURST_MS, ByteTimes } from '../../../../src/shared-memory/byte-times.ts';
import { fc } from '../../../harness/properties.ts';

const MIB = 2 ** 20;
const RATE = 10 * MIB;

interface Flow {
  readonly pace: Pace;
  movedBytes: number;
  /** What its sender still has; Infinity: it never ends. */
  waitingBytes: number;
  /** More to move. */
  send(bytes: number): void;
}

/** Flows over a clock that the test moves; each thread has a wheel of its own, and all share one memory. */
function pacedFlows({ threads = 1, startMs = 5_000_000 } = {}) {
  let nowMs = startMs;
  let waitedMs = 0;
  const now = (): number => nowMs;
  const memory = ByteTimes.allocate(1);
  const planes = Array.from({ length: threads }, () => ({
    wheel: new DeadlineWheel(now, () => () => undefined, PACE_TICK_MS),
    time: new ByteTimes(memory).of(0, 'fromClient'),
  }));

  /** A flow of one of the threads, with a limit of its own, of all together, or both. */
  const flow = (
    { own, rate }: { readonly own?: number; readonly rate?: number },
    waitingBytes = Infinity,
    thread = 0,
  ): Flow => {
    const { wheel, time } = planes[thread % threads]!;
    const shared = rate === undefined ? undefined : { rate, time };
    const pace = new Pace({ own, shared, waited: ms => (waitedMs += ms) }, { wheel, now });
    const made: Flow = {
      ...{ pace, movedBytes: 0, waitingBytes },
      send(bytes) {
        made.waitingBytes += bytes;
        move();
      },
    };
    function move(): void {
      while (made.waitingBytes > 0) {
        const bytes = Math.min(pace.ask(), made.waitingBytes);
        if (bytes === 0) return;
        made.movedBytes += bytes;
        made.waitingBytes -= bytes;
        pace.took(bytes, made.waitingBytes > 0);
      }
    }
    pace.begin(move);
    move();
    return made;
  };

  /** Time passes in steps, in which the threads have their turns one after the other. */
  const pass = (ms: number, stepMs = PACE_TICK_MS): void => {
    for (const untilMs = nowMs + ms; nowMs < untilMs;) {
      nowMs = Math.min(nowMs + stepMs, untilMs);
      for (const { wheel } of planes) wheel.advance();
    }
  };

  return {
    flow,
    pass,
    now,
    time: planes[0]!.time,
    waitedMs: () => waitedMs,
    waiting: () => planes.reduce((sum, { wheel }) => sum + wheel.size, 0),
  };
}

const total = (flows: readonly Flow[]): number => flows.reduce((sum, { movedBytes }) => sum + movedBytes, 0);

/** How far the largest of these is above the smallest. */
function spread(values: readonly number[]): number {
  return Math.max(...values) / Math.min(...values);
}

for (const threads of [1, 2]) {
  for (const count of [1, 100, 5_000]) {
    void t.test(`${count} flows in ${threads} threads share 10 MiB/s, within 1 %, each its part`, async t => {
      const { flow, pass } = pacedFlows({ threads });
      // Flows are not spread evenly over the threads: every third is in the second one.
      const flows = Array.from({ length: count }, (_, i) =>
        flow({ rate: RATE }, Infinity, i % 3 === 0 ? 1 : 0),
      );
      pass(2_000);
      const before = flows.map(({ movedBytes }) => movedBytes);
      pass(10_000);
      const moved = flows.map(({ movedBytes }, i) => movedBytes - before[i]!);
      const rate = moved.reduce((sum, bytes) => sum + bytes) / 10;
      t.ok(Math.abs(rate / RATE - 1) < 0.01, `${(rate / MIB).toFixed(3)} MiB/s`);
      t.ok(spread(moved) < 1.2, `the largest part is ${spread(moved).toFixed(3)} times the smallest`);
    });
  }
}

void t.test('how long flows wait is counted', async t => {
  const { flow, pass, waitedMs } = pacedFlows({ threads: 2 });
  const flows = Array.from({ length: 50 }, (_, i) => flow({ rate: RATE }, Infinity, i % 2));
  pass(4_000);
  for (const { pace } of flows) pace.end();
  t.ok(Math.abs(waitedMs() / 200_000 - 1) < 0.01, `fifty flows have waited ${waitedMs()} ms in four seconds`);
});

void t.test('no 100 ms have more than their bytes, and a burst in all', async t => {
  const { flow, pass } = pacedFlows();
  const flows = Array.from({ length: 20 }, () => flow({ rate: RATE }));
  let before = 0;
  for (let slice = 0; slice < 50; slice++) {
    pass(100);
    const moved = total(flows) - before;
    before += moved;
    const most = (RATE * (slice === 0 ? 100 + BURST_MS : 100)) / 1000 + 2 * portion(RATE, 0);
    t.ok(moved <= most, `slice ${slice}: ${moved} bytes`);
    t.ok(moved >= (RATE * 90) / 1000, `slice ${slice}: ${moved} bytes`);
  }
});

void t.test('a session keeps its own bandwidth beside sessions without', async t => {
  const { flow, pass } = pacedFlows();
  const slow = flow({ own: MIB, rate: RATE });
  const other = flow({ rate: RATE });
  pass(10_000);
  t.ok(Math.abs(slow.movedBytes / (10 * MIB) - 1) < 0.02, `${slow.movedBytes} bytes`);
  t.ok(
    Math.abs(other.movedBytes / (90 * MIB) - 1) < 0.02,
    `what it leaves is used: ${other.movedBytes} bytes`,
  );
});

void t.test('a bandwidth of its own is held from the slowest to the fastest', async t => {
  for (const own of [1024, 100_000, MIB, 100 * MIB, 2 ** 33]) {
    const { flow, pass } = pacedFlows();
    const one = flow({ own });
    pass(20_000);
    const rate = one.movedBytes / 20;
    t.ok(Math.abs(rate / own - 1) < 0.01, `${own}: ${rate}`);
  }
});

void t.test('a slow flow moves many small portions, none of a second', async t => {
  const { flow, pass } = pacedFlows();
  const one = flow({ own: 1024 });
  const seen = new Set<number>();
  for (let i = 0; i < 40; i++) {
    pass(100);
    seen.add(one.movedBytes);
  }
  t.equal(seen.size, 40, 'it moves in every 100 ms');
});

void t.test('a flow that sends little, and seldom, never waits', async t => {
  const { flow, pass, waiting } = pacedFlows();
  const one = flow({ own: MIB, rate: RATE }, 0);
  for (let i = 1; i <= 100; i++) {
    pass(20);
    one.send(1_000);
    t.equal(one.movedBytes, i * 1_000);
  }
  t.equal(waiting(), 0);
});

void t.test('one that comes late waits for one turn of the others', async t => {
  const { flow, pass } = pacedFlows();
  for (let i = 0; i < 100; i++) flow({ rate: RATE });
  pass(2_000);
  const late = flow({ rate: RATE }, 1_000);
  pass(120);
  t.equal(late.movedBytes, 1_000);
});

void t.test('after a thread has stood still, no more is made up for than a burst', async t => {
  const { flow, pass } = pacedFlows();
  const one = flow({ rate: RATE });
  pass(1_000);
  const before = one.movedBytes;
  pass(3_000, 3_000);
  t.ok(
    one.movedBytes - before <= (RATE * (BURST_MS + 2 * PACE_TICK_MS)) / 1000,
    `${one.movedBytes - before} bytes`,
  );
});

void t.test('flows whose thread has died take nothing from the others', async t => {
  const { flow, pass } = pacedFlows({ threads: 2 });
  const [dead, alive] = [1, 0].map(thread =>
    Array.from({ length: 100 }, () => flow({ rate: RATE }, Infinity, thread)),
  );
  pass(1_000);
  // What they wait for is never used, and never given back.
  for (const each of dead!) each.waitingBytes = 0;
  const before = total(alive!);
  pass(10_000);
  const rate = (total(alive!) - before) / 10;
  t.ok(Math.abs(rate / RATE - 1) < 0.02, `${(rate / MIB).toFixed(3)} MiB/s`);
});

void t.test('what was moved before anything was asked is paid for', async t => {
  const { flow, pass } = pacedFlows();
  const one = flow({ own: MIB }, 0);
  one.pace.took(MIB / 2, false);
  one.send(MIB);
  pass(350);
  t.equal(one.movedBytes, 0);
  pass(100);
  t.ok(one.movedBytes > 0);
});

void t.test('a pace that ends gives back its time, and waits no more', async t => {
  const { flow, pass, waiting, now, time } = pacedFlows();
  const flows = Array.from({ length: 100 }, () => flow({ rate: RATE }));
  pass(2_000);
  t.ok(time.takenUntilMs - now() > 50, 'a hundred portions are waited for');
  for (const { pace } of flows) pace.end();
  t.equal(waiting(), 0);
  t.ok(time.takenUntilMs - now() < 2 * PACE_TICK_MS, 'and none of them any more');
  for (const { pace } of flows) pace.end();
  t.ok(now() - time.takenUntilMs < 50, 'also when it ends twice');
});

void t.test('whatever flows come and go, the rate is held, and all of it is used', t => {
  const arrival = fc.record({
    atMs: fc.integer({ min: 0, max: 3_000 }),
    bytes: fc.integer({ min: 1, max: 2_000_000 }),
    own: fc.option(fc.integer({ min: 1024, max: 50 * MIB }), { nil: undefined }),
    thread: fc.integer({ min: 0, max: 1 }),
  });
  const held = (
    arrivals: readonly { atMs: number; bytes: number; own: number | undefined; thread: number }[],
    rate: number,
    stepMs: number,
  ): boolean => {
    const { flow, pass, waiting } = pacedFlows({ threads: 2 });
    const flows: Flow[] = [];
    // Each flow may move one portion before it has paid for it.
    const slack = (rate * BURST_MS) / 1000 + (arrivals.length + 1) * portion(rate, 0);
    let passedMs = 0;
    const isHeld = (): boolean => total(flows) <= (rate * passedMs) / 1000 + slack;
    for (const { atMs, bytes, own, thread } of [...arrivals].sort((a, b) => a.atMs - b.atMs)) {
      pass(atMs - passedMs, stepMs);
      passedMs = atMs;
      flows.push(flow({ rate, ...(own !== undefined && { own }) }, bytes, thread));
      if (!isHeld()) return false;
    }
    const [sinceMs, before] = [passedMs, total(flows)];
    const areAllGreedy = arrivals.every(({ own }) => own === undefined);
    while (waiting() > 0) {
      const due = areAllGreedy ? (rate * (passedMs - sinceMs)) / 1000 - slack : 0;
      if (!isHeld() || total(flows) - before < due) return false;
      pass(50, stepMs);
      passedMs += 50;
    }
    return flows.every(({ waitingBytes }) => waitingBytes === 0);
  };
  const rates = fc.integer({ min: 64 * 1024, max: 100 * MIB });
  const steps = fc.integer({ min: 1, max: 25 });
  fc.assert(fc.property(fc.array(arrival, { minLength: 1, maxLength: 40 }), rates, steps, held));
  t.end();
});
