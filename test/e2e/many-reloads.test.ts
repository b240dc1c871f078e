/**
 * Thousands of reloads at random while 300 sessions a second come, of a real lb4 in a network of its own: no session
 * fails, nothing is left of what was configured before, and the counts are those of the backends.
 *
 * Of the long variant 2,000 are part of npm run verify; LB4_TEST_LOAD=full with LB4_TEST_RELOADS=10000 plays 10,000.
 * LB4_TEST_SEED plays others, LB4_TEST_RELOADS_ENGINE one engine alone.
 */
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { seeded } from '../../src/sim/seeded.ts';
import {
  changedAtRandom,
  configAtRandom,
  expectedFrom,
  parsed,
  shownIn,
  type Place,
} from '../harness/configs-at-random.ts';
import { FULL } from '../harness/full-load.ts';
import type { Tally } from '../harness/lingering-sessions.ts';
import { skipWithoutNamespaces } from '../harness/network-namespace.ts';
import { ReloadedLb4, type Looked, type Ready } from '../harness/reloaded-lb4.ts';
import '../harness/run-once.ts';
import { pause, until } from '../harness/until.ts';

const RELOADS = Number(process.env['LB4_TEST_RELOADS'] ?? (FULL ? 2_000 : 12));
/** Between two moments of rest. */
const REST_EVERY = Math.ceil(RELOADS / (FULL ? 20 : 3));
/** What it holds is compared with what it held after so many, when everything has run once. */
const WARM = Math.min(500, Math.ceil(RELOADS / (FULL ? 4 : 10)));
const SEED = Number(process.env['LB4_TEST_SEED'] ?? 20_261);
const PORTS = { always: [2_001, 2_002], sometimes: [2_003, 2_004] };
const LOAD = { ratePerSecond: 300, ...PORTS };
/** Of backends: so many that most of them are new each time. */
const NETWORKS = 250;
/** Configurations that lie ready: a young file would have to be waited for. */
const AHEAD = Math.min(60, RELOADS);
const LOOK_EVERY = 20;
const MIB = 1024 * 1024;
/** What may be more in the end; a heap is warm after some thousand reloads (24.9 MB after 500, 25.8 after 6,000). */
const MORE = { timers: 3, descriptors: 2, heapBytes: 5 * MIB, residentBytes: 48 * MIB };
const PATIENCE_MS = FULL ? 1_150_000 : 240_000;

const places: readonly Place[] = [
  { engine: 'epoll', workers: 2 },
  { engine: 'node', workers: 0 },
];
const only = process.env['LB4_TEST_RELOADS_ENGINE'] ?? '';

t.setTimeout(PATIENCE_MS);
for (const place of places.filter(({ engine }) => only === '' || engine === only)) {
  const what = `${RELOADS} reloads, ${place.engine} engine, ${place.workers} workers, seed ${SEED}`;
  const options = { timeout: PATIENCE_MS - 5_000, skip: skipWithoutNamespaces() };
  void t.test(what, options, t => play(t, place));
}

async function play(t: Test, place: Place): Promise<void> {
  let backendPort = 0;
  const first = (port: number): ConfigInput => ({
    ...place,
    listeners: [{ name: 'web', bind: PORTS.always.map(each => `127.0.0.1:${each}`), upstream: 'app' }],
    upstreams: [{ name: 'app', health: 'off', backends: [`127.1.0.1:${(backendPort = port)}`] }],
  });
  const lb4 = await ReloadedLb4.start(t, { first, seed: SEED });
  const random = seeded(SEED);
  let next = first(backendPort);
  const simplest = next;
  const prepare = (): Ready => {
    const other = configAtRandom(place, random, { backendPort, networks: NETWORKS, ports: PORTS });
    return lb4.prepare((next = changedAtRandom(next, other, random)));
  };
  const ready = Array.from({ length: AHEAD }, prepare);
  const begun: { readonly at: number; readonly config: ConfigInput }[] = [];
  /** Ends the test unless no session has failed so far. */
  const expectNoFailure = ({ failures: [failure] }: Tally): void => {
    if (failure === undefined) return;
    const step = begun.findLastIndex(({ at }) => at <= failure.at);
    const pair = [begun[step - 1], begun[step]].map(each => JSON.stringify(each?.config));
    throw new Error(`seed ${SEED}, reload ${step}: ${failure.what}\nfrom ${pair[0]}\nto ${pair[1]}`);
  };

  const { slots } = await lb4.look();
  await lb4.sessions.come(LOAD);
  let before: Looked | undefined;
  const startedAt = performance.now();
  const cpuMs = lb4.cpuMs;
  for (let step = 0; step < RELOADS; step++) {
    const current = ready.shift();
    if (current === undefined) throw new Error('none lies ready');
    ready.push(prepare());
    begun.push({ at: Date.now(), config: current.config });
    await lb4.reload(current);
    if (step % LOOK_EVERY === 0) expectNoFailure(await lb4.sessions.tally());
    if (step % REST_EVERY === REST_EVERY - 1) {
      const tally = await lb4.sessions.rest();
      expectNoFailure(tally);
      await expectCountsOf(lb4, tally, `seed ${SEED}, after reload ${step}`);
      await lb4.sessions.come(LOAD);
    }
    if (step === WARM) {
      before = await atRest(lb4, simplest, slots);
      await lb4.sessions.come(LOAD);
    }
  }
  const each = (ms: number): string => (ms / RELOADS).toFixed(1);
  t.comment(`${each(performance.now() - startedAt)} ms each, ${each(lb4.cpuMs - cpuMs)} ms of the processor`);

  const tally = await lb4.sessions.end();
  expectNoFailure(tally);
  t.equal(tally.running, 0);
  t.comment(
    `${tally.served} sessions were served, ${tally.refused} came to an address that nobody listened at`,
  );
  const last = begun.at(-1)?.config ?? simplest;
  await until('its sessions have ended', async () => (await lb4.status()).sessions === 0);
  t.same(shownIn(await lb4.status()), expectedFrom(parsed(last)), 'the last file is in force');
  const after = await atRest(lb4, simplest, slots);
  if (before !== undefined) expectNoMore(t, before, after);
  t.same(
    lb4.process.lines.filter(({ level }) => level === 'error'),
    [],
  );
  t.same(lb4.process.other, []);
  t.equal(await lb4.process.stop(), 0);
}

/** Nothing moves: each count is what the backend holds, also of backends that have been taken out. */
async function expectCountsOf(lb4: ReloadedLb4, { held, running }: Tally, when: string): Promise<void> {
  const differences = async (): Promise<readonly string[]> => {
    const { sessions, listeners, upstreams } = await lb4.status();
    const shown = upstreams.flatMap(({ backends }) => backends);
    const atListeners = listeners.reduce((sum, each) => sum + each.sessions, 0);
    return [
      ...(sessions === running ? [] : [`${sessions} sessions, and ${running} run`]),
      ...(atListeners <= running ? [] : [`${atListeners} at the listeners, and ${running} run`]),
      ...shown
        .filter(each => each.sessions !== (held.get(each.backend) ?? 0))
        .map(each => `${each.backend}: ${each.sessions}, and it holds ${held.get(each.backend) ?? 0}`),
    ];
  };
  let found = await differences();
  // A session is over at its client a moment before it is at lb4.
  await until('the counts agree', async () => (found = await differences()).length === 0).catch(() => {
    throw new Error(`${when}: ${found.join('; ')}`);
  });
}

/** What it holds without sessions and with hardly anything configured, when all else has been forgotten. */
async function atRest(lb4: ReloadedLb4, simplest: ConfigInput, slots: number): Promise<Looked> {
  await lb4.sessions.end();
  await lb4.reload(lb4.prepare(simplest));
  let last: Looked | undefined;
  let { descriptors } = lb4;
  await until(
    `it has ${slots} slots, and its descriptors stay as they are`,
    async () => {
      await pause(150);
      const before = descriptors;
      descriptors = lb4.descriptors;
      // A look collects the garbage of each thread, and has a descriptor of its own.
      if (descriptors !== before) return false;
      last = { ...(await lb4.look()), descriptors };
      return last.slots === slots;
    },
    30_000,
  ).catch((error: unknown) => {
    throw new Error(`it has ${last?.slots} slots and ${descriptors} descriptors`, { cause: error });
  });
  if (last === undefined) throw new Error('a look has come before');
  return last;
}

function expectNoMore(t: Test, before: Looked, after: Looked): void {
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
  t.equal(after.slots, before.slots, 'slots');
  t.ok(
    after.descriptors <= before.descriptors + MORE.descriptors,
    `descriptors: ${after.descriptors} after ${before.descriptors}`,
  );
  t.ok(
    after.residentBytes <= before.residentBytes + MORE.residentBytes,
    `resident: ${mib(after.residentBytes)} after ${mib(before.residentBytes)}`,
  );
  for (const [i, thread] of after.threads.entries()) {
    const then = before.threads[i] ?? thread;
    t.ok(
      thread.timers <= then.timers + MORE.timers,
      `thread ${i}: ${thread.timers} timers after ${then.timers}`,
    );
    const [now, old] = [thread.heapBytes + thread.outsideBytes, then.heapBytes + then.outsideBytes];
    t.ok(now <= old + MORE.heapBytes, `thread ${i}: ${mib(now)} after ${mib(old)}`);
  }
}
