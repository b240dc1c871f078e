/**
 * The soak: a million short sessions through one lb4, and the proof that nothing of them is left.
 *
 * Place: `npm run bench -- soak`; lb4, client and backends share all cores, nothing is pinned. Twenty runs of ab (or
 * of the own client, which costs more) follow each other, so that progress is known every 5 %.
 * Invariant: the exit code is 0 only if the verdict (verdict.ts) has no problem.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { wordsOf } from '../../src/errors.ts';
import { portsOf, startBackends } from '../backend/backend.ts';
import { ROOT, describeEnvironment, loadAverage } from '../environment.ts';
import { formatNumber } from '../format.ts';
import { abVersion, runAb } from '../load/ab.ts';
import { runConnections, type ConnectLoad, type ConnectResult } from '../load/connect-client.ts';
import { BODY_BYTES, response } from '../load/messages.ts';
import { openDescriptors, type Descriptors } from '../measure/descriptors.ts';
import { residentBytes } from '../measure/rss.ts';
import { createLauncher } from '../peers/launcher.ts';
import { createLb4 } from '../peers/lb4.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { Children } from '../processes/children.ts';
import { UNPINNED } from '../processes/pinning.ts';
import { freePort } from '../processes/ports.ts';
import { endOnSignals, say } from '../processes/program.ts';
import { resultPath, writeJson } from '../result-file.ts';
import type { SoakOptions } from './options.ts';
import { judge, type Reading, type SoakOutcome, type Verdict } from './verdict.ts';

const BACKENDS = 3;
const WARM_UP_SESSIONS = 1_000;
const STEPS = 20;
const READ_EVERY_MS = 250;
/** The session that found out whether lb4 accepts may still be closing when the soak begins. */
const REST_MS = 1_500;
/** The last sessions may still be closing when the client has seen its last answer. */
const SETTLE_WITHIN_MS = 10_000;
const MEBIBYTE = 1024 ** 2;

type Client = (load: ConnectLoad) => Promise<ConnectResult>;

/** Runs it, prints the verdict on stdout and sets the exit code. */
export async function soak(options: SoakOptions): Promise<void> {
  const date = new Date().toISOString();
  const loadBefore = loadAverage();
  const children = new Children();
  endOnSignals();
  const ab = await abVersion(children);
  const lb4 = createLb4(createLauncher(children, UNPINNED), { name: 'lb4', ...options.variant });
  const version = await lb4.version();
  if (!version.present) throw new Error(`cannot soak: ${version.reason}`);
  say(`${version.version}; ${ab ?? 'own client (no ab here)'}`);

  const ports = await startBackends(children, BACKENDS, ['once']);
  const running = await lb4.start({
    backends: portsOf(ports, 'once'),
    listenPort: await freePort(),
    strategy: 'leastconn',
  });
  const outcome = await run(
    running,
    options,
    ab === undefined ? runConnections : load => runAb(load, children),
  );
  await children.stopAll();

  const verdict = judge(outcome);
  process.stdout.write(`${inWords(outcome, verdict)}\n`);
  const environment = describeEnvironment({
    date,
    loadBefore,
    pinning: UNPINNED.description,
    rounds: 1,
    backends: BACKENDS,
    versions: { lb4: version.version, ...(ab !== undefined && { ab }) },
  });
  const file = options.json ?? resultPath(join(ROOT, 'bench', 'results'), date, 'soak');
  writeJson(file, { environment, options, outcome, verdict });
  say(`written to ${file}`);
  if (verdict.problems.length > 0) process.exitCode = 1;
}

async function run(peer: RunningPeer, options: SoakOptions, client: Client): Promise<SoakOutcome> {
  const { sessions, concurrency } = options;
  // It accepts connections before its workers have their own listening sockets: these are no leak.
  const warmUpFailures = await failuresOf(client, peer.port, WARM_UP_SESSIONS, concurrency);
  const before = await atRest(peer);
  const readings: Reading[] = [];
  let done = 0;
  let failures = warmUpFailures;
  // Between two steps the number of sessions is only known by the clock.
  let rate = 0;
  let stepStartedAt = performance.now();
  const read = (): void => {
    const bytes = residentBytes(peer.pids());
    const guess = Math.min(done + rate * (performance.now() - stepStartedAt), done + sessions / STEPS);
    if (bytes !== undefined) readings.push({ sessions: Math.floor(guess), residentBytes: bytes });
  };
  const timer = setInterval(read, READ_EVERY_MS);
  try {
    for (let step = 1; step <= STEPS; step++) {
      const requests = Math.floor((sessions * step) / STEPS) - done;
      if (requests === 0) continue;
      stepStartedAt = performance.now();
      failures += await failuresOf(client, peer.port, requests, Math.min(concurrency, requests));
      rate = requests / (performance.now() - stepStartedAt);
      done += requests;
      stepStartedAt = performance.now();
      read();
      const { all, sockets } = descriptorsOf(peer);
      say(
        `${String((step * 100) / STEPS).padStart(3)} %: ${formatNumber(done, 0)} sessions, ${String(failures)} failed, ` +
          `${formatNumber(rate * 1000, 0)}/s, RSS ${formatNumber((readings.at(-1)?.residentBytes ?? NaN) / MEBIBYTE, 1)} MiB, ` +
          `${String(all)} descriptors (${String(sockets)} sockets)`,
      );
    }
  } finally {
    clearInterval(timer);
  }
  const after = await settled(peer, before.sockets);
  return {
    sessions: done,
    failures,
    socketsBefore: before.sockets,
    socketsAfter: after.sockets,
    readings: inOrder(readings),
  };
}

async function failuresOf(
  client: Client,
  port: number,
  requests: number,
  concurrency: number,
): Promise<number> {
  const responseBytes = response(BODY_BYTES.small, 'close').length;
  try {
    return (await client({ port, requests, concurrency, responseBytes })).errors;
  } catch (error) {
    say(`the client gave up: ${wordsOf(error)}`);
    return requests;
  }
}

/** The fewest sockets within a while without sessions. */
async function atRest(peer: RunningPeer): Promise<Descriptors> {
  const deadline = performance.now() + REST_MS;
  let fewest = descriptorsOf(peer);
  while (performance.now() < deadline) {
    await sleep(READ_EVERY_MS);
    const now = descriptorsOf(peer);
    if (now.sockets < fewest.sockets) fewest = now;
  }
  return fewest;
}

/** The descriptors once the sockets are back to `wanted`, or as they are when time is up. */
async function settled(peer: RunningPeer, wanted: number): Promise<Descriptors> {
  const deadline = performance.now() + SETTLE_WITHIN_MS;
  for (;;) {
    const now = descriptorsOf(peer);
    if (now.sockets <= wanted || performance.now() > deadline) return now;
    await sleep(READ_EVERY_MS);
  }
}

function descriptorsOf(peer: RunningPeer): Descriptors {
  const found = openDescriptors(peer.pids());
  if (found === undefined) throw new Error('lb4 has ended, or this system has no /proc/PID/fd');
  return found;
}

/** A guess may run ahead of the count that follows it. */
function inOrder(readings: readonly Reading[]): Reading[] {
  let highest = 0;
  return readings.map(({ sessions, residentBytes: bytes }) => {
    highest = Math.max(highest, sessions);
    return { sessions: highest, residentBytes: bytes };
  });
}

function inWords(outcome: SoakOutcome, verdict: Verdict): string {
  const { growthBytes, bytesPerSession, allowedGrowthBytes, problems } = verdict;
  const mebibytes = (bytes: number): string => formatNumber(bytes / MEBIBYTE, 1);
  return [
    `soak: ${formatNumber(outcome.sessions, 0)} sessions, ${String(outcome.failures)} failed; sockets ${String(outcome.socketsBefore)} before, ${String(outcome.socketsAfter)} after`,
    `memory over the second half: ${mebibytes(growthBytes)} MiB (${formatNumber(bytesPerSession, 2)} bytes per session; allowed ${mebibytes(allowedGrowthBytes)} MiB)`,
    ...(problems.length === 0 ? ['passed'] : problems.map(problem => `FAILED: ${problem}`)),
  ].join('\n');
}
