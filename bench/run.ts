/**
 * `npm run bench`: measures lb4 beside HAProxy, nginx and a direct connection, prints a table, writes JSON.
 *
 * Place: the composition: plans the cores, starts the backends, and takes one sample per round, scenario and peer,
 * each with a freshly started peer. This process is the load generator.
 * Invariants: rounds are interleaved and the order of the peers rotates, so drift of the machine hits all alike;
 * a peer that fails is reported and does not end the run; everything started is ended, on SIGINT too.
 */
import { join } from 'node:path';
import { startBackends, type BackendPorts } from './backend/backend.ts';
import { ROOT, describeEnvironment, loadAverage } from './environment.ts';
import { abVersion } from './load/ab.ts';
import { USAGE, parseOptions, type BenchOptions } from './options.ts';
import { createPeers } from './peers/all.ts';
import { createLauncher } from './peers/launcher.ts';
import type { Peer } from './peers/peer.ts';
import { Children } from './processes/children.ts';
import { pinSelf } from './processes/pinning.ts';
import { freePort } from './processes/ports.ts';
import { renderText } from './report.ts';
import { resultPath, writeResult, type Result, type Sample } from './result-file.ts';
import { createScenarios } from './scenarios/all.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { troublesOf } from './summary.ts';

const BACKENDS = 3;
/** If even the bounds of every single step fail, the run ends this long after its budget. */
const OVERTIME_MS = 60_000;

/** One peer under one scenario, and what was measured so far. */
interface Bench {
  readonly scenario: Scenario;
  readonly peer: Peer;
  readonly samples: Sample[];
}

async function main(options: BenchOptions): Promise<void> {
  const date = new Date().toISOString();
  const loadBefore = loadAverage();
  const children = new Children();
  endOnSignals();
  endAfter(options.budgetMs + OVERTIME_MS);

  const pinning = pinSelf();
  const ab = await abVersion(children);
  const { present, absent, versions } = await findPeers(
    createPeers(options.peers, createLauncher(children, pinning)),
  );
  for (const { name, reason } of absent) say(`not measured: ${name} (${reason})`);
  if (ab !== undefined) versions['ab'] = ab;
  if (present.length === 0) throw new Error('none of the peers is present');

  const scenarios = createScenarios(options.scenarios, {
    children,
    quick: options.quick,
    hasAb: ab !== undefined,
  });
  const benches = scenarios.flatMap(scenario =>
    present
      .filter(peer => scenario.measuresControl || peer.role !== 'control')
      .map((peer): Bench => ({ scenario, peer, samples: [] })),
  );
  const backends = await startBackends(children, BACKENDS);
  const rounds = await runRounds(options, scenarios, benches, backends);
  await children.stopAll();

  const result: Result = {
    format: 1,
    environment: describeEnvironment({
      date,
      loadBefore,
      pinning: pinning.description,
      rounds,
      backends: BACKENDS,
      versions,
    }),
    absent,
    scenarios: scenarios.map(scenario => ({
      name: scenario.name,
      title: scenario.title,
      headline: scenario.headline,
      figures: [...scenario.figures],
      peers: benches
        .filter(bench => bench.scenario === scenario)
        .map(({ peer, samples }) => ({ name: peer.name, role: peer.role, samples })),
    })),
  };
  const file = options.json ?? resultPath(join(ROOT, 'bench', 'results'), date, nameOf(options));
  writeResult(file, result);
  process.stdout.write(renderText(result));
  say(`written to ${file}`);
  const troubles = result.scenarios.flatMap(scenario => scenario.peers.flatMap(troublesOf));
  if (troubles.length > 0) process.exitCode = 1;
}

async function findPeers(peers: readonly Peer[]): Promise<{
  present: Peer[];
  absent: Result['absent'];
  versions: Record<string, string>;
}> {
  const present: Peer[] = [];
  const absent: Result['absent'] = [];
  const versions: Record<string, string> = {};
  for (const peer of peers) {
    const found = await peer.version();
    if (found.present) {
      present.push(peer);
      if (peer.role !== 'control') versions[peer.name] = found.version;
    } else absent.push({ name: peer.name, reason: found.reason });
  }
  return { present, absent, versions };
}

/** Runs whole rounds only, as many as asked for or as the time allows; returns how many. */
async function runRounds(
  options: BenchOptions,
  scenarios: readonly Scenario[],
  benches: readonly Bench[],
  backends: BackendPorts,
): Promise<number> {
  const startedAt = performance.now();
  let longestMs = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const roundStartedAt = performance.now();
    if (roundStartedAt - startedAt + longestMs > options.budgetMs) {
      say(`out of time after ${String(round - 1)} rounds`);
      return round - 1;
    }
    for (const scenario of scenarios) {
      const entrants = benches.filter(bench => bench.scenario === scenario);
      for (const bench of rotated(entrants, round - 1)) {
        const sample = await takeSample(bench, round, backends);
        bench.samples.push(sample);
        say(
          `round ${String(round)}/${String(options.rounds)} ${scenario.name} ${bench.peer.name}: ${inBrief(scenario, sample)}`,
        );
      }
    }
    longestMs = Math.max(longestMs, performance.now() - roundStartedAt);
  }
  return options.rounds;
}

async function takeSample({ scenario, peer }: Bench, round: number, backends: BackendPorts): Promise<Sample> {
  try {
    const running = await peer.start(backends[scenario.service], await freePort());
    try {
      return { round, ...(await scenario.run(running)) };
    } finally {
      await running.stop();
    }
  } catch (error) {
    return { round, figures: {}, errors: 0, failure: reasonOf(error) };
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
    .map(
      ({ key, label, unit, digits }) => `${label} ${(sample.figures[key] ?? NaN).toFixed(digits)} ${unit}`,
    );
  return [...figures, ...(sample.errors > 0 ? [`${String(sample.errors)} errors`] : [])].join(', ');
}

/** The <what> of a result's file name. */
function nameOf({ quick, scenarios, only }: BenchOptions): string {
  return [quick ? 'quick' : 'full', ...(only ? scenarios : [])].join('-');
}

/** process.exit runs the exit handler of Children, which ends what was started. */
function endOnSignals(): void {
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}

function endAfter(limitMs: number): void {
  setTimeout(() => {
    say('the run hangs: ended');
    process.exit(1);
  }, limitMs).unref();
}

/** Progress and notes; stdout holds the table alone. */
function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

function optionsOrExit(): BenchOptions {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options !== undefined) return options;
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    say(reasonOf(error));
    process.stderr.write(USAGE);
    process.exit(2);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  await main(optionsOrExit());
} catch (error) {
  say(reasonOf(error));
  process.exit(1);
}
