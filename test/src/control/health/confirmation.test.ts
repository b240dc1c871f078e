import t from 'tap';
import { confirm } from '../../../../src/control/health/confirmation.ts';
import type { ProbeResult } from '../../../../src/control/health/probe.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

const FAILED: ProbeResult = { verdict: 'failed', reason: 'no' };

/** Three checks, 500 ms apart, whose results the test gives; `settledAfter` results are enough. */
function start({ count = 3, settledAfter = 3, answer = (): ProbeResult | undefined => undefined } = {}) {
  const time = new FakeClock();
  const probes: { begunMs: number; cancelled: boolean; done(result: ProbeResult): void }[] = [];
  const results: ProbeResult[] = [];
  let overs = 0;
  const cancel = confirm(count, 500, {
    setTimer: time.setTimer,
    probe: done => {
      const probe = { begunMs: time.nowMs, cancelled: false, done };
      probes.push(probe);
      const result = answer();
      if (result !== undefined) done(result);
      return () => void (probe.cancelled = true);
    },
    onResult: result => results.push(result) >= settledAfter,
    onOver: () => (overs += 1),
  });
  return { time, probes, results, cancel, overs: () => overs };
}

void t.test('checks begin a gap apart, whether or not those before have an answer', async t => {
  const { time, probes, overs } = start();
  time.advance(500);
  probes[0]?.done(FAILED);
  time.advance(10_000);
  t.same(
    probes.map(({ begunMs }) => begunMs),
    [0, 500, 1_000],
  );
  probes[2]?.done(FAILED);
  t.equal(overs(), 0);
  probes[1]?.done(FAILED);
  t.equal(overs(), 1);
  t.equal(time.pending, 0);
});

void t.test('once the question is settled the others are cancelled, and no further one begins', async t => {
  const { time, probes, overs } = start({ settledAfter: 1 });
  time.advance(500);
  probes[1]?.done(FAILED);
  t.same([probes.map(({ cancelled }) => cancelled), overs()], [[true, false], 1]);
  time.advance(10_000);
  t.equal(probes.length, 2);
});

void t.test('without a clear answer it is over when the last check is', async t => {
  const { time, probes, overs } = start({ count: 2, settledAfter: 9 });
  probes[0]?.done(FAILED);
  t.equal(overs(), 0, 'the second one is still to come');
  time.advance(500);
  probes[1]?.done(FAILED);
  t.equal(overs(), 1);
});

void t.test('one that has its result within the call counts as well', async t => {
  const one = start({ count: 1, settledAfter: 1, answer: () => FAILED });
  t.same([one.overs(), one.time.pending, one.probes[0]?.cancelled], [1, 0, false]);
  const three = start({ answer: () => FAILED });
  three.time.advance(1_000);
  t.same([three.overs(), three.results.length], [1, 3]);
});

void t.test('cancelled, it ends every check and reports nothing any more', async t => {
  const { time, probes, cancel, overs } = start();
  time.advance(500);
  cancel();
  time.advance(10_000);
  t.same(
    probes.map(({ cancelled }) => cancelled),
    [true, true],
  );
  t.equal(overs(), 0);
});
