/** Which samples are taken, in what order, and when there is no time for more. */
import t from 'tap';
import type { Peer } from '../../bench/peers/peer.ts';
import { runRounds, type Bench, type RoundsLimits } from '../../bench/rounds.ts';
import { PLAIN_SETUP, type Scenario } from '../../bench/scenarios/scenario.ts';

const NO_LIMITS: RoundsLimits = { rounds: 3, budgetMs: Infinity, lastSampleMs: Infinity };

/** Runs scenarios that take 10 ms per sample on a clock of their own; the samples, as `round scenario peer`. */
async function samplesOf(
  scenarios: readonly { readonly name: string; readonly maxRounds?: number }[],
  limits: RoundsLimits,
): Promise<{ rounds: number; samples: string[] }> {
  let nowMs = 0;
  const taken: string[] = [];
  const all = scenarios.map((settings): Scenario => ({
    ...settings,
    title: settings.name,
    service: 'small',
    setup: PLAIN_SETUP,
    measuresControl: false,
    figures: [],
    headline: 'none',
    run: () => {
      nowMs += 10;
      return Promise.resolve({ figures: {}, errors: 0 });
    },
  }));
  const peers = ['a', 'b'].map((name): Peer => ({
    name,
    role: 'rival',
    workers: 1,
    version: () => Promise.resolve({ present: true, version: name }),
    start: () =>
      Promise.resolve({ port: 1, acceptingAfterMs: 0, pids: () => [], stop: () => Promise.resolve() }),
  }));
  const benches = all.flatMap(scenario => peers.map((peer): Bench => ({ scenario, peer, samples: [] })));
  const rounds = await runRounds(all, benches, limits, {
    backendsFor: () => Promise.resolve({ small: [1] }),
    certificate: () => Promise.reject(new Error('no scenario here has TLS')),
    say(text) {
      const [, round, scenario, peer] = /^round (\d)\/\d (\S+) (\S+):/.exec(text) ?? [];
      if (round !== undefined) taken.push([round, scenario, peer].join(' '));
    },
    now: () => nowMs,
  });
  t.equal(benches.flatMap(({ samples }) => samples).length, taken.length);
  return { rounds, samples: taken };
}

void t.test('each round measures every peer once, another one first', async t => {
  t.same(await samplesOf([{ name: 'x' }], NO_LIMITS), {
    rounds: 3,
    samples: ['1 x a', '1 x b', '2 x b', '2 x a', '3 x a', '3 x b'],
  });
});

void t.test('a scenario of fewer rounds leaves the later ones to the others', async t => {
  const { samples } = await samplesOf([{ name: 'x' }, { name: 'y', maxRounds: 1 }], NO_LIMITS);
  t.same(
    samples.filter(sample => sample.includes('y')),
    ['1 y a', '1 y b'],
  );
  t.equal(samples.length, 8);
});

void t.test('a round is begun if what it measures will be done in time', async t => {
  const limits = { ...NO_LIMITS, budgetMs: 79 };
  t.match(await samplesOf([{ name: 'x' }, { name: 'y' }], limits), { rounds: 1 }, 'two rounds take 80 ms');
  // The first round takes 40 ms, each later one only 20.
  const shorter = await samplesOf([{ name: 'x' }, { name: 'y', maxRounds: 1 }], limits);
  t.equal(shorter.rounds, 2);
  t.equal(shorter.samples.length, 6);
});
