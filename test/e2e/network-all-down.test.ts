/**
 * Every backend goes down and comes back: service resumes by itself, and meanwhile lb4 connects no more often than it
 * may.
 *
 * One lb4 in one network namespace, the backends in another one, whose kernel counts every SYN that arrives before a
 * filter refuses or drops it. Two ways to be down times two answers to it (panic, and `panicBelow: off`) make four
 * upstreams, each with a steady load of its own; all go down at the same moment.
 * A connection to a backend is a probe, the first attempt of a session, or a further one. The interval bounds the
 * probes, the clients' rate the first attempts, the retry budget the further ones once the checks have found the
 * backends down; until then a session tries each of them once. No SYN is sent twice: nobody waits
 * for the second that the kernel lets pass before it does.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress } from '../../src/support/address.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { startBackendProcess } from '../harness/faulty-backends.ts';
import {
  BACK_HOST,
  createFaultyNetwork,
  FRONT_HOST,
  skipWithoutNetworkFaults,
} from '../harness/faulty-network.ts';
import { startLb4, type LogLine } from '../harness/lb4-process.ts';
import type { Verdict } from '../harness/network-namespace.ts';
import { runPacedSessions, tally, type SessionOutcome } from '../harness/paced-sessions.ts';
import { pause, until } from '../harness/until.ts';

const RATE_PER_SECOND = 100;
const [WELL_MS, DOWN_MS, AGAIN_MS] = [1_000, 3_000, 2_500];
const [INTERVAL_MS, PROBE_TIMEOUT_MS, JITTER, RISE] = [250, 200, 5, 2];
const CONNECT_TIMEOUT_MS = 200;
const BUDGET = { percent: 20, minPerSecond: 5 };
const LONGEST_INTERVAL_MS = INTERVAL_MS * (1 + JITTER / 100);
const SHORTEST_INTERVAL_MS = INTERVAL_MS * (1 - JITTER / 100);
const BUDGET_WINDOW_MS = 10_000;
const BACKENDS = 3;
const SAMPLE_MS = 250;
/** A busy machine may be so late to check a backend, or to tell all threads of a change. */
const LATE_MS = 250;

const CASES = [
  { name: 'reject-panic', verdict: 'reject with tcp reset', panicBelow: 0 },
  { name: 'reject-off', verdict: 'reject with tcp reset', panicBelow: 'off' },
  { name: 'drop-panic', verdict: 'drop', panicBelow: 0 },
  { name: 'drop-off', verdict: 'drop', panicBelow: 'off' },
] as const satisfies readonly { name: string; verdict: Verdict; panicBelow: number | 'off' }[];

type Case = (typeof CASES)[number];

/** What had been counted at a moment between two, in milliseconds since 1970. */
interface Sample {
  readonly fromAt: number;
  readonly untilAt: number;
  readonly connects: ReadonlyMap<number, number>;
}

interface Interval {
  readonly fromAt: number;
  readonly untilAt: number;
}

/** What happened to one upstream. */
interface Story {
  readonly sessions: readonly SessionOutcome[];
  readonly lines: readonly LogLine[];
  /** All connects to its backends so far, at the moments of the samples. */
  readonly counts: readonly (Interval & { readonly connects: number })[];
  /** While the filters were put in place and taken away. */
  readonly goingDown: Interval;
  readonly comingUp: Interval;
}

void t.test(
  'all backends go down and come back',
  { skip: await skipWithoutNetworkFaults(), timeout: 60_000 },
  async t => {
    const { front, back } = await createFaultyNetwork(t);
    const names = CASES.flatMap(({ name }) => Array.from({ length: BACKENDS }, (_, i) => `${name} ${i + 1}`));
    const { backends } = await back.run(() =>
      startBackendProcess(t, Object.fromEntries(names.map(name => [name, 'serve'])), { host: BACK_HOST }),
    );
    const backendsOf = ({ name }: Case) => backends.filter(backend => backend.name.startsWith(`${name} `));
    const portsOf = (each: Case): number[] => backendsOf(each).map(({ address }) => address.port);

    const config: ConfigInput = {
      ...DATA_PLANE,
      listeners: CASES.map(({ name }) => ({ name, bind: `${FRONT_HOST}:0`, upstream: name })),
      upstreams: CASES.map(each => ({
        name: each.name,
        strategy: 'roundrobin',
        backends: backendsOf(each).map(({ address }) => formatAddress(address)),
        health: {
          type: 'tcp',
          interval: `${INTERVAL_MS}ms`,
          timeout: `${PROBE_TIMEOUT_MS}ms`,
          rise: RISE,
          fall: 2,
          jitter: JITTER,
        },
        connect: { timeout: `${CONNECT_TIMEOUT_MS}ms`, retryBudget: BUDGET },
        panicBelow: each.panicBelow,
      })),
      log: { access: true },
    };
    const file = join(t.testdir({}), 'lb4.json');
    writeFileSync(file, JSON.stringify(config));
    const read = await back.countConnects(CASES.flatMap(portsOf));
    const lb4 = await front.run(() => startLb4(t, ['-c', file]));

    const samples: Sample[] = [];
    const sample = async (): Promise<void> => {
      const fromAt = Date.now();
      const connects = await read();
      samples.push({ fromAt, untilAt: Date.now(), connects });
    };
    const sampleFor = async (ms: number): Promise<void> => {
      for (const end = Date.now() + ms; Date.now() < end;) {
        await sample();
        await pause(SAMPLE_MS);
      }
    };
    const during = async (what: () => Promise<unknown>): Promise<Interval> => {
      const fromAt = Date.now();
      await what();
      return { fromAt, untilAt: Date.now() };
    };

    await sample();
    // Threads are where the one that starts them is.
    const loads = await front.run(async () =>
      CASES.map(({ name }) =>
        runPacedSessions(t, {
          address: { kind: 'tcp', host: lb4.host, port: portOfListener(lb4.lines, name) },
          ratePerSecond: RATE_PER_SECOND,
          durationMs: WELL_MS + DOWN_MS + AGAIN_MS,
          answerWithinMs: 2_000,
        }),
      ),
    );
    const begun = (): number => new Set(lb4.lines.filter(isSession).map(({ upstream }) => upstream)).size;
    await until('every load has begun', () => begun() === CASES.length);
    await sampleFor(WELL_MS);
    const undo: (() => Promise<void>)[] = [];
    const goingDown = await during(() =>
      Promise.all(CASES.map(async each => undo.push(await back.filter(portsOf(each), each.verdict)))),
    );
    await sampleFor(DOWN_MS);
    const comingUp = await during(() => Promise.all(undo.map(each => each())));
    await sampleFor(AGAIN_MS);
    const outcomes = await Promise.all(loads);
    await sample();
    const total = outcomes.flat().length;
    await until('every session is logged', () => lb4.lines.filter(isSession).length >= total);

    for (const [i, each] of CASES.entries()) {
      const ports = portsOf(each);
      tellAndJudge(t, each, {
        sessions: outcomes[i]!,
        lines: lb4.lines.filter(({ upstream }) => upstream === each.name),
        counts: samples.map(({ fromAt, untilAt, connects }) => ({
          fromAt,
          untilAt,
          connects: ports.reduce((sum, port) => sum + (connects.get(port) ?? NaN), 0),
        })),
        goingDown,
        comingUp,
      });
    }
    t.same([lb4.child.exitCode, lb4.child.signalCode], [null, null], 'the process is still the same');
    t.equal(lb4.lines.filter(({ event }) => event === 'started').length, 1, 'it started once');
    t.same(
      lb4.lines.filter(({ event }) => /^worker/.test(event)),
      [],
      'no worker has died or stood still',
    );
  },
);

function tellAndJudge(t: Test, { verdict, panicBelow }: Case, story: Story): void {
  const { sessions, lines, counts, goingDown, comingUp } = story;
  const hasPanic = panicBelow !== 'off';
  void t.test(`${verdict}, panicBelow: ${panicBelow}`, async t => {
    t.comment(`${sessions.length} sessions: ${tally(sessions.map(({ outcome }) => outcome))}`);
    t.comment(
      `state changes: ${tally(lines.flatMap(({ event }) => (/^(backend|upstream)/.test(event) ? [event] : [])))}`,
    );

    const endOf = ({ plannedAt, durationMs }: SessionOutcome): number => plannedAt + durationMs;
    const before = sessions.filter(session => endOf(session) < goingDown.fromAt);
    t.ok(before.length > RATE_PER_SECOND / 10, `${before.length} sessions before`);
    t.equal(failuresOf(before), '', 'all are served while all is well');
    const meanwhile = sessions.filter(
      session => session.plannedAt > goingDown.untilAt && endOf(session) < comingUp.fromAt,
    );
    t.ok(
      meanwhile.every(({ outcome }) => outcome !== 'ok'),
      `${meanwhile.length} sessions meanwhile, none is served`,
    );

    // What was counted is what lb4 says it did, and probes.
    const attempts = lines.filter(isSession).reduce((sum, session) => sum + Number(session['attempts']), 0);
    const all = between(counts, 0, counts.length - 1);
    const probes = all.connects - attempts;
    t.comment(`${all.connects} connects: ${attempts} attempts of sessions and ${probes} probes`);
    const fewest = BACKENDS * Math.floor(lengthOf(all) / (LONGEST_INTERVAL_MS + PROBE_TIMEOUT_MS + LATE_MS));
    t.ok(
      probes >= fewest && probes <= mostProbes(all),
      `from ${fewest} to ${mostProbes(all)} probes are due`,
    );

    // Every interval, from one second to everything: a rate, and a budget that is overdrawn little by little.
    const intervals = counts.flatMap((_, i) =>
      counts.slice(i + 1).map((_, j) => between(counts, i, i + 1 + j)),
    );
    const long = intervals.filter(interval => lengthOf(interval) >= 1_000);
    const first = lines.find(({ event }) => event === (hasPanic ? 'upstreamPanic' : 'upstreamDown'));
    const unknown = { fromAt: goingDown.fromAt, untilAt: timeOf(first) + LATE_MS };
    const judged = long.map(interval => ({
      ...interval,
      allowed: mostConnects(sessions, interval, unknown),
    }));
    const over = judged.filter(({ connects, allowed }) => connects > allowed);
    t.same(over, [], `in none of ${judged.length} intervals there are more connects than allowed`);
    for (const { fromAt, untilAt, connects, allowed } of inTurn(judged))
      t.comment(
        `from ${fromAt - goingDown.untilAt} to ${untilAt - goingDown.untilAt} ms: ${connects} connects, ${allowed} allowed`,
      );
    const worst = judged.reduce((one, other) => (share(other) > share(one) ? other : one));
    t.comment(`nearest to what is allowed: ${worst.connects} of ${worst.allowed} in ${lengthOf(worst)} ms`);

    t.ok(first, `the log tells of it: ${String(first?.['message'])}`);
    if (!hasPanic) {
      // When the last thread has heard of it, and the last session that had begun before has given up.
      const gaveUp = lines.filter(
        line => isSession(line) && line['phase'] === 'connect' && line['attempts'] !== 0,
      );
      const knownAt = Math.max(
        ...gaveUp.map(timeOf).filter(time => time < comingUp.fromAt),
        goingDown.untilAt,
      );
      t.comment(`its last session gave up ${knownAt - timeOf(first)} ms after`);
      const quiet = counts.filter(({ fromAt, untilAt }) => fromAt > knownAt && untilAt < comingUp.fromAt);
      const known = between(quiet, 0, quiet.length - 1);
      t.ok(lengthOf(known) > DOWN_MS / 4, `${lengthOf(known)} ms down and known to be`);
      t.ok(
        known.connects <= mostProbes(known),
        `${known.connects} connects then, and ${mostProbes(known)} probes are due`,
      );
      const attempted = lines.filter(line => isSession(line) && line['reason'] === 'noBackend');
      t.ok(
        attempted.every(session => session['attempts'] === 0),
        `${attempted.length} sessions made no attempt`,
      );
    }

    const again = sessions.find(
      ({ plannedAt, outcome }) => plannedAt > goingDown.untilAt && outcome === 'ok',
    );
    const afterMs = Math.max(0, (again?.plannedAt ?? Infinity) - comingUp.untilAt);
    // The check that was under way is lost; then come those that count.
    const checksMs = RISE * LONGEST_INTERVAL_MS + (verdict === 'drop' ? PROBE_TIMEOUT_MS : 0);
    const withinMs = hasPanic ? 1_000 / RATE_PER_SECOND : checksMs + LATE_MS;
    t.ok(afterMs <= withinMs, `the first client is served ${afterMs} ms after, within ${withinMs} ms`);
    const late = sessions.filter(
      ({ plannedAt }) => plannedAt > comingUp.untilAt + afterMs + (hasPanic ? 0 : LATE_MS),
    );
    t.ok(late.length > RATE_PER_SECOND / 10, `${late.length} sessions after`);
    t.equal(failuresOf(late), '', 'and from then on all');
  });
}

/** The connects between two samples; the interval is as long as it may have been. */
function between(
  counts: Story['counts'],
  from: number,
  until: number,
): Interval & { readonly connects: number } {
  const [start, end] = [counts[from]!, counts[until]!];
  return { fromAt: start.fromAt, untilAt: end.untilAt, connects: end.connects - start.connects };
}

/** What the configuration allows in an interval; `unknown`: while the backends are down and not known to be. */
function mostConnects(sessions: readonly SessionOutcome[], interval: Interval, unknown: Interval): number {
  const { percent, minPerSecond } = BUDGET;
  const window = { fromAt: interval.untilAt - BUDGET_WINDOW_MS, untilAt: interval.untilAt };
  const further =
    (percent / 100) * firstAttempts(sessions, window) + (BUDGET_WINDOW_MS / 1_000) * minPerSecond;
  const both = {
    fromAt: Math.max(interval.fromAt, unknown.fromAt),
    untilAt: Math.min(interval.untilAt, unknown.untilAt),
  };
  const free = both.fromAt > both.untilAt ? 0 : (BACKENDS - 1) * firstAttempts(sessions, both);
  return mostProbes(interval) + firstAttempts(sessions, interval) + free + Math.floor(further);
}

function mostProbes(interval: Interval): number {
  return BACKENDS * (Math.floor(lengthOf(interval) / SHORTEST_INTERVAL_MS) + 1);
}

/** Sessions that may have made their first attempt in an interval. */
function firstAttempts(sessions: readonly SessionOutcome[], { fromAt, untilAt }: Interval): number {
  return sessions.filter(
    ({ plannedAt, durationMs }) => plannedAt <= untilAt && plannedAt + durationMs >= fromAt,
  ).length;
}

/** Some that follow one another, for people. */
function inTurn<I extends Interval>(intervals: readonly I[]): readonly I[] {
  const chosen: I[] = [];
  for (const interval of intervals)
    if (interval.fromAt >= (chosen.at(-1)?.untilAt ?? 0) - 100) chosen.push(interval);
  return chosen;
}

function share({ connects, allowed }: { readonly connects: number; readonly allowed: number }): number {
  return connects / allowed;
}

function lengthOf({ fromAt, untilAt }: Interval): number {
  return untilAt - fromAt;
}

function failuresOf(sessions: readonly SessionOutcome[]): string {
  return tally(sessions.flatMap(({ outcome }) => (outcome === 'ok' ? [] : [outcome])));
}

function portOfListener(lines: readonly LogLine[], name: string): number {
  const line = lines.find(({ event, listener }) => event === 'listening' && listener === name);
  return Number(String(line?.['address']).split(':').at(-1));
}

function timeOf(line: LogLine | undefined): number {
  return Date.parse(String(line?.['time']));
}

function isSession({ event }: LogLine): boolean {
  return event === 'session';
}
