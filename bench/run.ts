/**
 * `npm run bench`: measures lb4 beside HAProxy, nginx and a direct connection, prints a table, writes JSON.
 *
 * Place: the composition: plans the cores, starts the backends, and lets rounds.ts take the samples. This process is
 * the load generator. `npm run bench -- soak` is another program with the same parts (soak/soak.ts), `npm run bench -- ffi`
 * and `npm run bench -- access` are programs of their own (ffi/ffi.ts, access/access.ts).
 * Invariant: everything started is ended, on SIGINT too.
 */
import { join } from 'node:path';
import { USAGE as ACCESS_USAGE, measureAccess, parseAccessOptions } from './access/access.ts';
import { wordsOf } from '../src/errors.ts';
import { startBackends, type BackendPorts } from './backend/backend.ts';
import { ROOT, describeEnvironment, loadAverage } from './environment.ts';
import { abVersion } from './load/ab.ts';
import { USAGE, parseOptions, type BenchOptions } from './options.ts';
import { USAGE as FFI_USAGE, measureFfi, parseFfiOptions } from './ffi/ffi.ts';
import { createPeers } from './peers/all.ts';
import { createLauncher } from './peers/launcher.ts';
import type { Peer } from './peers/peer.ts';
import { Children } from './processes/children.ts';
import { canOwnNetwork, networkInWords, runInOwnNetwork } from './processes/own-network.ts';
import { endAfter, endOnSignals, optionsOrExit, say } from './processes/program.ts';
import { pinSelf } from './processes/pinning.ts';
import { renderDetails, renderSummary, renderText } from './report.ts';
import { resultPath, writeResult, type Result } from './result-file.ts';
import { certificateMaker } from './processes/certificate.ts';
import { fits, prepareAll, runRounds, type Bench, type RoundsDeps } from './rounds.ts';
import { createScenarios } from './scenarios/all.ts';
import { PLAIN_SETUP, type Scenario } from './scenarios/scenario.ts';
import { USAGE as SOAK_USAGE, parseSoakOptions } from './soak/options.ts';
import { soak } from './soak/soak.ts';
import { troublesOf } from './summary.ts';

/** No sample is started later than this after the budget. */
const LATE_SAMPLES_MS = 30_000;
/** If even the bounds of every single step fail, the run ends this long after its budget. */
const OVERTIME_MS = 58_000;

async function main(options: BenchOptions): Promise<void> {
  const date = new Date().toISOString();
  const loadBefore = loadAverage();
  const children = new Children();
  endOnSignals();
  endAfter(options.budgetMs + OVERTIME_MS);

  const pinning = pinSelf();
  const ab = await abVersion(children);
  const asked = createScenarios(options.scenarios, {
    children,
    quick: options.quick,
    hasAb: ab !== undefined,
    ratePerSecond: options.ratePerSecond,
    longRounds: options.longRounds,
  });
  const peers = createPeers(options.peers, createLauncher(children, pinning), options.before);
  const needed = peers.filter(peer => asked.some(scenario => fits(scenario, peer)));
  const { present, absent, versions } = await findPeers(needed);
  if (ab !== undefined) versions['ab'] = ab;
  if (present.length === 0) throw new Error('none of the peers is present');

  const deps: RoundsDeps = {
    backendsFor: createBackends(children, asked),
    certificate: certificateMaker(children),
    say,
    now: () => performance.now(),
  };
  const unavailable = await prepareAll(asked, present, deps);
  for (const [{ name }, reason] of unavailable) absent.push({ name, reason });
  for (const { name, reason } of absent) say(`not measured: ${name} (${reason})`);
  const scenarios = asked.filter(scenario => !unavailable.has(scenario));
  const benches = scenarios.flatMap(scenario =>
    present.filter(peer => fits(scenario, peer)).map((peer): Bench => ({ scenario, peer, samples: [] })),
  );
  const { budgetMs } = options;
  const limits = { rounds: options.rounds, budgetMs, lastSampleMs: budgetMs + LATE_SAMPLES_MS };
  const rounds = await runRounds(scenarios, benches, limits, deps);
  await children.stopAll();

  const result: Result = {
    format: 1,
    environment: describeEnvironment({
      date,
      loadBefore,
      pinning: pinning.description,
      network: networkInWords(),
      rounds,
      backends: PLAIN_SETUP.backends,
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
  process.stdout.write(
    options.markdown ? `${renderSummary(result)}\n\n${renderDetails(result)}\n` : renderText(result),
  );
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

/** One process per number of backends, with the services that the scenarios of that number need. */
function createBackends(
  children: Children,
  scenarios: readonly Scenario[],
): (scenario: Scenario) => Promise<BackendPorts> {
  const started = new Map<number, Promise<BackendPorts>>();
  return ({ setup }) => {
    const alike = scenarios.filter(other => other.setup.backends === setup.backends);
    const services = [...new Set(alike.map(({ service }) => service))];
    const ports = started.get(setup.backends) ?? startBackends(children, setup.backends, services);
    started.set(setup.backends, ports);
    return ports;
  };
}

/** The <what> of a result's file name. */
function nameOf({ quick, chosen }: BenchOptions): string {
  return [quick ? 'quick' : 'full', ...chosen].join('-');
}

function access(args: readonly string[]): void {
  const options = optionsOrExit(() => parseAccessOptions(args), ACCESS_USAGE);
  process.stdout.write(`${measureAccess(() => performance.now(), options)}\n`);
}

function ffi(args: readonly string[]): void {
  optionsOrExit(() => parseFfiOptions(args), FFI_USAGE);
  process.stdout.write(`${measureFfi(() => performance.now(), say)}\n`);
}

try {
  const args = process.argv.slice(2);
  const [first, ...rest] = args;
  if (first === 'ffi') ffi(rest);
  else if (first === 'access') access(rest);
  else if (first === 'soak') await soak(optionsOrExit(() => parseSoakOptions(rest), SOAK_USAGE));
  else {
    const options = optionsOrExit(() => parseOptions(args), USAGE);
    if (canOwnNetwork()) process.exitCode = await runInOwnNetwork(import.meta.url, args);
    else await main(options);
  }
} catch (error) {
  say(wordsOf(error));
  process.exit(1);
}
