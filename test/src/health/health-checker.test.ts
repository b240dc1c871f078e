import t from 'tap';
import { HealthChecker } from '../../../src/health/health-checker.ts';
import type { ProbeResult } from '../../../src/health/probe.ts';
import type { Address } from '../../../src/support/address.ts';
import { FakeTimers } from '../../harness/fake-timers.ts';

const ADDRESS: Address = { kind: 'tcp', host: '10.0.0.1', port: 80 };
const FAILED: ProbeResult = { verdict: 'failed', reason: 'refused (ECONNREFUSED)' };

interface Running {
  readonly address: Address;
  readonly done: (result: ProbeResult) => void;
  cancelled: boolean;
}

/** A checker whose probes and timers the test moves. */
function create(options: { random?: () => number; addressOf?: (id: string) => Address | undefined } = {}) {
  const timers = new FakeTimers();
  const probes: Running[] = [];
  const flips: string[] = [];
  const checker = new HealthChecker(
    { intervalMs: 2_000, rise: 2, fall: 3 },
    {
      setTimer: timers.set,
      probe: (address, done) => {
        const probe = { address, done, cancelled: false };
        probes.push(probe);
        return () => void (probe.cancelled = true);
      },
      random: options.random ?? (() => 0.5),
      addressOf: options.addressOf ?? (() => ADDRESS),
      onFlip: (backend, healthy, reason) => flips.push(`${backend} ${healthy ? 'up' : 'down'}: ${reason}`),
    },
  );
  /** Answers the running probe and lets the interval pass. */
  const answer = (result: ProbeResult): void => {
    probes.at(-1)?.done(result);
    timers.fireNext();
  };
  return { checker, probes, flips, timers, answer };
}

void t.test('the first round starts at once and for all backends together', async t => {
  const { checker, probes } = create();
  checker.start(['a', 'b', 'c']);
  t.equal(probes.length, 3);
});

void t.test('each flip is told once, with the number of results and the last reason', async t => {
  const { checker, flips, answer } = create();
  checker.start(['a']);
  for (let i = 0; i < 5; i++) answer(FAILED);
  t.same(flips, ['a down: 3 health checks failed in a row, the last with: refused (ECONNREFUSED)']);
  for (let i = 0; i < 4; i++) answer({ verdict: 'passed' });
  t.same(flips.slice(1), ['a up: 2 health checks passed']);
});

void t.test('a probe that could not be made says nothing about the backend', async t => {
  const { checker, flips, answer } = create();
  checker.start(['a']);
  answer(FAILED);
  answer(FAILED);
  for (let i = 0; i < 4; i++) answer({ verdict: 'none' });
  t.same(flips, []);
  answer(FAILED);
  t.equal(flips.length, 1, 'and does not start the count anew either');
});

void t.test('the next probe is scheduled when the one before has ended: probes never pile up', async t => {
  const { checker, probes, timers } = create();
  checker.start(['a']);
  t.equal(timers.pending, 0);
  probes[0]?.done({ verdict: 'passed' });
  t.equal(timers.pending, 1);
  timers.fireNext();
  t.equal(probes.length, 2);
  t.equal(timers.pending, 0);
});

void t.test('intervals vary by 5 % either way', async t => {
  const draws = [0, 0.5, 1 - Number.EPSILON];
  const { checker, answer, timers } = create({ random: () => draws.shift() ?? 0.5 });
  checker.start(['a']);
  for (let i = 0; i < 3; i++) answer({ verdict: 'passed' });
  t.same(
    timers.delays.map(ms => Math.round(ms)),
    [1_900, 2_000, 2_100],
  );
});

void t.test('stopping cancels what runs and what is scheduled, and nothing follows', async t => {
  const { checker, probes, flips, timers } = create();
  checker.start(['a', 'b']);
  probes[1]?.done(FAILED);
  checker.stop();
  t.ok(probes[0]?.cancelled);
  t.equal(timers.pending, 0);
  probes[0]?.done(FAILED);
  t.equal(timers.pending, 0);
  t.same(flips, []);
});

void t.test('a backend without an address is looked at again later', async t => {
  let address = undefined as Address | undefined;
  const { checker, probes, timers } = create({ addressOf: () => address });
  checker.start(['a']);
  t.equal(probes.length, 0);
  address = ADDRESS;
  timers.fireNext();
  t.same(probes[0]?.address, ADDRESS);
});
