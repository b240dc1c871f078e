/**
 * Takes the samples: every peer that fits a scenario, freshly started, once per round.
 *
 * Place: between run.ts, which composes, and the scenarios.
 * Invariants: rounds are interleaved and the order of the peers rotates, so drift of the machine hits all alike;
 * a peer that fails is reported and does not end the run; a round that has begun is finished, or its missing samples
 * are reported.
 */
import { wordsOf } from '../src/errors.ts';
import { portsOf, type BackendPorts } from './backend/backend.ts';
import type { Peer, RunningPeer, TlsFiles } from './peers/peer.ts';
import { freePort } from './processes/ports.ts';
import type { Sample } from './result-file.ts';
import type { Field, Scenario, StartAnother } from './scenarios/scenario.ts';

/** One peer under one scenario, and what was measured so far. */
export interface Bench {
  readonly scenario: Scenario;
  readonly peer: Peer;
  readonly samples: Sample[];
}

export interface RoundsDeps {
  /** The backends of a scenario; started when it is the first to need them. */
  readonly backendsFor: (scenario: Scenario) => Promise<BackendPorts>;
  /** For scenarios with TLS. */
  readonly certificate: () => Promise<TlsFiles>;
  readonly say: (text: string) => void;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

export interface RoundsLimits {
  readonly rounds: number;
  /** No round is started that would end later than this after the first. */
  readonly budgetMs: number;
  /** No sample is started later than this after the first. */
  readonly lastSampleMs: number;
}

/** Whether a peer takes part: it has the scenario's number of workers, or it is the control and has none. */
export function fits(scenario: Scenario, peer: Peer): boolean {
  if (scenario.subjectsOnly === true && peer.role !== 'subject') return false;
  return peer.workers === undefined ? scenario.measuresControl : peer.workers === scenario.setup.workers;
}

/** Prepares each scenario; returns those that cannot be measured here, with the reason. */
export async function prepareAll(
  scenarios: readonly Scenario[],
  peers: readonly Peer[],
  deps: RoundsDeps,
): Promise<Map<Scenario, string>> {
  const unavailable = new Map<Scenario, string>();
  for (const scenario of scenarios) {
    const reason = await scenario.unavailable?.();
    if (reason === undefined) await scenario.prepare?.(fieldOf(scenario, peers, deps));
    else unavailable.set(scenario, reason);
  }
  return unavailable;
}

/** Runs whole rounds only, as many as asked for or as the time allows; returns how many. */
export async function runRounds(
  scenarios: readonly Scenario[],
  benches: readonly Bench[],
  limits: RoundsLimits,
  deps: RoundsDeps,
): Promise<number> {
  const { rounds } = limits;
  const { now, say } = deps;
  const startedAt = now();
  const longestMs = new Map<Scenario, number>();
  for (let round = 1; round <= rounds; round++) {
    const due = scenarios.filter(({ maxRounds = rounds }) => round <= maxRounds);
    const expectedMs = due.reduce((sum, scenario) => sum + (longestMs.get(scenario) ?? 0), 0);
    if (round > 1 && now() - startedAt + expectedMs > limits.budgetMs) {
      say(`out of time after ${String(round - 1)} rounds`);
      return round - 1;
    }
    for (const scenario of due) {
      const scenarioStartedAt = now();
      const entrants = benches.filter(bench => bench.scenario === scenario);
      for (const bench of rotated(entrants, round - 1)) {
        const outOfTime = now() - startedAt > limits.lastSampleMs;
        const sample = outOfTime
          ? { round, figures: {}, errors: 0, failure: 'out of time' }
          : await takeSample(bench, round, deps);
        bench.samples.push(sample);
        say(
          `round ${String(round)}/${String(rounds)} ${scenario.name} ${bench.peer.name}: ${inBrief(scenario, sample)}`,
        );
      }
      longestMs.set(scenario, Math.max(longestMs.get(scenario) ?? 0, now() - scenarioStartedAt));
    }
  }
  return rounds;
}

function fieldOf(scenario: Scenario, peers: readonly Peer[], deps: RoundsDeps): Field {
  return {
    async forEach(role, measure) {
      for (const peer of peers.filter(candidate => candidate.role === role && fits(scenario, candidate))) {
        try {
          await withRunning(scenario, peer, deps, measure);
        } catch (error) {
          deps.say(`${scenario.name}: ${peer.name} is left out of the preparation: ${wordsOf(error)}`);
        }
      }
    },
  };
}

async function takeSample({ scenario, peer }: Bench, round: number, deps: RoundsDeps): Promise<Sample> {
  try {
    return {
      round,
      ...(await withRunning(scenario, peer, deps, (running, another) => scenario.run(running, another))),
    };
  } catch (error) {
    return { round, figures: {}, errors: 0, failure: wordsOf(error) };
  }
}

async function withRunning<T>(
  scenario: Scenario,
  peer: Peer,
  deps: RoundsDeps,
  use: (running: RunningPeer, another: StartAnother) => Promise<T>,
): Promise<T> {
  const ports = await deps.backendsFor(scenario);
  const { strategy } = scenario.setup;
  const tls = scenario.setup.tls === true ? await deps.certificate() : undefined;
  const backends = portsOf(ports, scenario.service);
  const started: RunningPeer[] = [];
  const another: StartAnother = async task => {
    const running = await peer.start({ backends, listenPort: await freePort(), strategy, tls, ...task });
    started.push(running);
    return running;
  };
  try {
    return await use(await another({}), another);
  } finally {
    await Promise.all(started.map(running => running.stop()));
  }
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const cut = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(cut), ...items.slice(0, cut)];
}

function inBrief(scenario: Scenario, sample: Sample): string {
  if (sample.failure !== undefined) return `failed: ${sample.failure}`;
  const figures = scenario.figures
    .filter(({ better, key }) => better !== 'neither' && sample.figures[key] !== undefined)
    .map(({ key, label, unit, digits }) =>
      `${label} ${(sample.figures[key] ?? NaN).toFixed(digits)} ${unit}`.trim(),
    );
  return [...figures, ...(sample.errors > 0 ? [`${String(sample.errors)} errors`] : [])].join(', ');
}
