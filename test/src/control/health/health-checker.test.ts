import t from 'tap';
import {
  HealthChecker,
  healthSettings,
  isInitiallyHealthy,
  type HealthSettings,
} from '../../../../src/control/health/health-checker.ts';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import type { ProbeResult, ProbeTarget } from '../../../../src/control/health/probe.ts';
import type { Address } from '../../../../src/support/address.ts';
import { withUpstream } from '../../config/small-inputs.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

const ADDRESS: Address = { kind: 'tcp', host: '10.0.0.1', port: 80 };
const PASSED: ProbeResult = { verdict: 'passed' };
const NONE: ProbeResult = { verdict: 'none' };
const FAILED: ProbeResult = { verdict: 'failed', reason: 'refused (ECONNREFUSED)' };
const SETTINGS: HealthSettings = {
  intervalMs: 2_000,
  intervalDownMs: 2_000,
  intervalChangingMs: 2_000,
  jitter: 0,
  rise: 2,
  fall: 3,
  initial: 'up',
};

interface Running {
  readonly target: ProbeTarget;
  readonly done: (result: ProbeResult) => void;
  readonly begunMs: number;
  cancelled: boolean;
}

/** A checker whose probes and time the test moves. */
function create(
  options: {
    settings?: Partial<HealthSettings>;
    random?: () => number;
    addressesOf?: () => readonly Address[];
    onFlip?: (backend: string) => void;
  } = {},
) {
  const time = new FakeClock();
  const probes: Running[] = [];
  const flips: string[] = [];
  const told: string[] = [];
  const doubts: string[] = [];
  const checker = new HealthChecker(
    { ...SETTINGS, ...options.settings },
    {
      setTimer: time.setTimer,
      now: () => time.nowMs,
      probe: (target, done) => {
        const probe = { target, done, begunMs: time.nowMs, cancelled: false };
        probes.push(probe);
        return () => void (probe.cancelled = true);
      },
      random: options.random ?? (() => 0.5),
      addressesOf: options.addressesOf ?? (() => [ADDRESS]),
      onProbe: (backend, { verdict }) => told.push(`${backend} ${verdict === 'passed' ? '+' : '-'}`),
      onFailed: (backend, { inARow, fall }) => doubts.push(`${backend} ${inARow} of ${fall}`),
      onFlip: (backend, healthy, reason) => {
        flips.push(`${backend} ${healthy ? 'up' : 'down'}: ${reason}`);
        told.push(`${backend} ${healthy ? 'up' : 'down'}`);
        options.onFlip?.(backend);
      },
    },
  );
  /** Answers the running probe; returns how long it then is to the next one. */
  const answer = (result: ProbeResult): number => {
    probes.at(-1)?.done(result);
    const wait = time.delays.at(-1) ?? NaN;
    time.advance(wait);
    return Math.round(wait);
  };
  return { checker, probes, flips, told, doubts, time, answer };
}

void t.test('the first round starts at once and for all backends together', async t => {
  const { checker, probes } = create();
  for (const backend of ['a:1', 'b:1', 'c:1']) checker.add(backend);
  t.same(
    probes.map(({ target: { addresses, backend } }) => [addresses.only, backend]),
    ['a:1', 'b:1', 'c:1'].map(backend => [ADDRESS, backend]),
  );
});

void t.test('each flip is told once, with the number of results and the last reason', async t => {
  const { checker, flips, answer } = create();
  checker.add('a');
  for (let i = 0; i < 5; i++) answer(FAILED);
  t.same(flips, ['a down: 3 health checks failed in a row, the last with: refused (ECONNREFUSED)']);
  for (let i = 0; i < 4; i++) answer(PASSED);
  t.same(flips.slice(1), ['a up: 2 health checks passed']);
});

void t.test('each result is told, before the flip it leads to', async t => {
  const { checker, told, answer } = create({ settings: { fall: 1 } });
  checker.add('a');
  for (const result of [PASSED, NONE, FAILED]) answer(result);
  t.same(told, ['a +', 'a -', 'a down']);
});

void t.test('a probe that could not be made says nothing about the backend', async t => {
  const { checker, flips, answer } = create();
  checker.add('a');
  answer(FAILED);
  answer(FAILED);
  for (let i = 0; i < 4; i++) answer(NONE);
  t.same(flips, []);
  answer(FAILED);
  t.equal(flips.length, 1, 'and does not start the count anew either');
});

void t.test('the next probe is scheduled when the one before has ended: probes never pile up', async t => {
  const { checker, probes, time } = create();
  checker.add('a');
  time.advance(60_000);
  t.equal(probes.length, 1);
  probes[0]?.done(PASSED);
  time.advance(1_999);
  t.equal(probes.length, 1);
  time.advance(1);
  t.equal(probes.length, 2);
});

void t.test('intervals vary by so many percent either way', async t => {
  const draws = [0, 0.5, 1 - Number.EPSILON];
  const { checker, answer } = create({ settings: { jitter: 5 }, random: () => draws.shift() ?? 0.5 });
  checker.add('a');
  t.same([answer(PASSED), answer(PASSED), answer(PASSED)], [1_900, 2_000, 2_100]);
});

void t.test('there is an interval for up, for down and for between', async t => {
  const { checker, answer } = create({
    settings: { intervalMs: 3_000, intervalDownMs: 5_000, intervalChangingMs: 500 },
  });
  checker.add('a');
  t.equal(answer(PASSED), 3_000);
  t.same([answer(FAILED), answer(FAILED), answer(FAILED)], [500, 500, 5_000]);
  t.same([answer(NONE), answer(FAILED)], [5_000, 5_000]);
  t.same([answer(PASSED), answer(NONE), answer(FAILED)], [500, 500, 5_000]);
  t.same([answer(PASSED), answer(PASSED)], [500, 3_000]);
});

void t.test('after a first failure the others are made without waiting for each other’s end', async t => {
  const { checker, probes, time, flips, answer } = create({
    settings: { intervalMs: 2_000, intervalChangingMs: 500, fall: 3 },
  });
  checker.add('a');
  answer(PASSED);
  const begun = (): number[] => probes.slice(1).map(({ begunMs }) => begunMs - 2_000);
  // Each takes two seconds to fail.
  time.advance(2_000);
  probes[1]?.done(FAILED);
  time.advance(500);
  t.same(begun(), [0, 2_000, 2_500], 'the first one has taken longer than the gap');
  time.advance(1_500);
  probes[2]?.done(FAILED);
  time.advance(500);
  t.same(flips, []);
  probes[3]?.done(FAILED);
  t.equal(time.nowMs, 2_000 + 4_500);
  t.equal(flips.length, 1);
  time.advance(1_999);
  t.equal(probes.length, 4, 'then the usual interval begins');
});

void t.test('one that passes meanwhile ends the hurry, and those under way', async t => {
  const { checker, probes, time, flips, answer } = create({ settings: { intervalChangingMs: 500, fall: 4 } });
  checker.add('a');
  answer(FAILED);
  time.advance(500);
  t.equal(probes.length, 3);
  probes[1]?.done(PASSED);
  t.ok(probes[2]?.cancelled);
  time.advance(1_999);
  t.same([probes.length, flips], [3, []]);
  time.advance(1);
  t.equal(probes.length, 4);
});

void t.test(
  'a failure that changes nothing yet is told with its number, and only while a backend is up',
  async t => {
    const { checker, doubts, answer } = create({ settings: { rise: 3, fall: 3 } });
    checker.add('a');
    for (const result of [FAILED, FAILED, PASSED, FAILED, FAILED, FAILED, FAILED, PASSED, FAILED])
      answer(result);
    t.same(doubts, ['a 1 of 3', 'a 2 of 3', 'a 1 of 3', 'a 2 of 3']);
  },
);

void t.test('initial: up needs `fall` failures, down needs `rise` passes', async t => {
  const down = create({ settings: { initial: 'down' } });
  down.checker.add('a');
  down.answer(PASSED);
  t.same(down.flips, []);
  down.answer(PASSED);
  t.same(down.flips, ['a up: 2 health checks passed']);
  t.same(
    (['up', 'down', 'checked'] as const).map(initial => isInitiallyHealthy({ initial })),
    [true, false, false],
  );
});

void t.test('initial checked: the first result decides alone, whichever it is', async t => {
  const well = create({ settings: { initial: 'checked' } });
  well.checker.add('a');
  well.answer(NONE);
  t.same(well.flips, [], 'one that was not made decides nothing');
  well.answer(PASSED);
  t.same(well.flips, ['a up: 1 health check passed']);
  well.answer(FAILED);
  well.answer(FAILED);
  t.equal(well.flips.length, 1, 'then `fall` applies');
  const ill = create({ settings: { initial: 'checked' } });
  ill.checker.add('a');
  ill.answer(FAILED);
  ill.answer(PASSED);
  t.same(ill.flips, [], 'no flip from unknown to down, and then `rise` applies');
  ill.answer(PASSED);
  t.same(ill.flips, ['a up: 2 health checks passed']);
});

void t.test('adding a backend again that is checked already changes nothing', async t => {
  const { checker, probes, flips, answer } = create({ settings: { fall: 1 } });
  checker.add('a');
  answer(FAILED);
  t.equal(flips.length, 1);
  checker.add('a');
  t.equal(probes.length, 2, 'there is one check of it, and its verdict stands');
  answer(FAILED);
  t.equal(flips.length, 1);
});

void t.test('a removed backend is probed no more, and its verdict is forgotten', async t => {
  const { checker, probes, flips, time, answer } = create({ settings: { fall: 1 } });
  checker.add('a');
  answer(FAILED);
  checker.remove('a');
  t.ok(probes[1]?.cancelled);
  probes[1]?.done(PASSED);
  time.advance(10_000);
  t.equal(probes.length, 2);
  checker.add('a');
  answer(FAILED);
  t.equal(flips.length, 2, 'it came back as new');
});

void t.test('a backend may be removed by whoever hears of its flip', async t => {
  const created = create({ settings: { fall: 1 }, onFlip: backend => created.checker.remove(backend) });
  const { checker, probes, time } = created;
  checker.add('a');
  probes[0]?.done(FAILED);
  time.advance(10_000);
  t.equal(probes.length, 1);
  t.equal(time.pending, 0);
});

void t.test('stopping cancels what runs and what is scheduled, and nothing follows', async t => {
  const { checker, probes, flips, time } = create();
  checker.add('a');
  checker.add('b');
  probes[1]?.done(FAILED);
  checker.stop();
  t.ok(probes[0]?.cancelled);
  t.equal(time.pending, 0);
  probes[0]?.done(FAILED);
  t.equal(time.pending, 0);
  t.same(flips, []);
});

void t.test('a backend without an address is looked at again later', async t => {
  let addresses: readonly Address[] = [];
  const { checker, probes, time } = create({ addressesOf: () => addresses });
  checker.add('a');
  t.equal(probes.length, 0);
  addresses = [ADDRESS];
  time.advance(2_000);
  t.same(probes[0]?.target.addresses.only, ADDRESS);
});

void t.test('a check may have a port or an address of its own', async t => {
  const port = create({ settings: { port: 81 } });
  port.checker.add('a:80');
  t.same(port.probes[0]?.target.addresses.only, { ...ADDRESS, port: 81 });
  t.equal(port.probes[0]?.target.backend, 'a:80');
  const unix: Address = { kind: 'unix', path: '/run/health' };
  const fixed = create({ settings: { address: unix }, addressesOf: () => [] });
  fixed.checker.add('a:80');
  t.same(fixed.probes[0]?.target.addresses.only, unix, 'also while a name is not resolved');
});

void t.test('the settings come from the configuration; while changing checks hurry', async t => {
  const settingsOf = (health: object) => {
    const parsed = parseConfig(withUpstream({ health }));
    return parsed.ok ? healthSettings(parsed.config.upstreams[0]!.health) : undefined;
  };
  t.match(settingsOf({ interval: '3s' }), {
    intervalMs: 3_000,
    intervalDownMs: 3_000,
    intervalChangingMs: 500,
    jitter: 5,
    rise: 2,
    fall: 3,
    initial: 'up',
  });
  t.match(
    settingsOf({
      intervalDown: '5s',
      intervalChanging: '2s',
      jitter: 0,
      initial: 'checked',
      address: '10.0.0.9:1',
    }),
    {
      intervalDownMs: 5_000,
      intervalChangingMs: 2_000,
      jitter: 0,
      initial: 'checked',
      address: { host: '10.0.0.9', port: 1 },
    },
  );
});
