/**
 * One fault of what instances share through, from beginning to end: clients come all the while, and none may notice.
 *
 * Place: test/e2e/mirror-*.test.ts tell what the fault is and what is to be said of it.
 * Claims: no session fails; connecting takes as long as just before; each instance says once that it goes by its own
 * counts, and why, and once that it shares again; after that the totals in Redis are the truth and decide.
 */
import type { Test } from 'tap';
import { FULL } from './full-load.ts';
import {
  lineAfter,
  PERIOD_MS,
  proveSharing,
  type Instance,
  type RedisReader,
  wantLines,
} from './mirrored-instances.ts';
import type { TcpAddress } from '../../src/support/address.ts';
import { now, Traffic, type Load, type Quickness } from './traffic.ts';
import { pause } from './until.ts';

export interface Surroundings {
  readonly redis: RedisReader;
  readonly traffic: Traffic;
  readonly instances: readonly [Instance, Instance];
}

export interface Fault {
  /** Why the instances go by their own counts; undefined: nobody is to say anything. */
  readonly reason: string | undefined;
  /** Another reason that is as good: on a slow machine this is what is noticed first. */
  readonly orReason?: string;
  begin(): Promise<unknown>;
  end(): Promise<unknown>;
  /** Whom it befalls; default everybody. The others are to say nothing. */
  readonly befalls?: readonly Instance[];
  /** How long it lasts at least, in periods. */
  readonly periods?: number;
  /** How long after its end everybody shares again. */
  readonly healsWithinMs: number;
}

const PERIODS = FULL ? 15 : 6;
const WARM_UP_MS = 300;
const BEFORE_MS = 1_200;
/**
 * What a machine that does other things besides may add. An exchange on the way of a session would show: of those
 * that wait for a Redis that does not answer, each takes a period at least.
 */
const SLACK_MS = { median: 50, p95: 400 };
/** Longer than a change of mode waits to be told. */
const SETTLES_MS = 4 * PERIOD_MS;

const loadOn = (instances: readonly Instance[]): Load => ({
  targets: instances.map(({ target }) => target),
  ratePerSecond: 50,
  lifeMs: 200,
  seed: 1,
});

/** Three backends without clients, and two instances before them, which share; `start` makes each of these. */
export async function startPair(
  t: Test,
  redis: RedisReader,
  start: (name: string, backends: readonly TcpAddress[]) => Promise<Instance>,
): Promise<Surroundings> {
  const traffic = await Traffic.start(t, 3);
  const { backends } = traffic;
  const instances = await Promise.all([start('a', backends), start('b', backends)]);
  await untilShared(instances);
  return { redis, traffic, instances };
}

/** Resolves when all have said that they share. */
export async function untilShared(instances: readonly Instance[]): Promise<void> {
  await Promise.all(instances.map(instance => lineAfter(instance, 0, 'mirrorShared')));
}

/** Clients come from now on; resolves a while later, to how quickly they were answered so far. */
export async function underLoad({
  traffic,
  instances,
}: Pick<Surroundings, 'traffic' | 'instances'>): Promise<{ before: Quickness; beganAt: number }> {
  await traffic.load(loadOn(instances));
  await pause(WARM_UP_MS + BEFORE_MS);
  const beganAt = now();
  return { before: await traffic.quickness(beganAt - BEFORE_MS, beganAt), beganAt };
}

/** Wants idle traffic and instances that share; leaves them so. */
export async function survive(t: Test, around: Surroundings, fault: Fault): Promise<void> {
  const { traffic, instances } = around;
  const befallen = fault.reason === undefined ? [] : (fault.befalls ?? instances);
  const { before, beganAt } = await underLoad(around);
  const marks = new Map(instances.map(instance => [instance, instance.lines.length]));
  const allSay = (event: string): Promise<unknown> =>
    Promise.all(befallen.map(instance => lineAfter(instance, marks.get(instance) ?? 0, event)));

  await fault.begin();
  await allSay('mirrorLocal');
  await pause(Math.max((fault.periods ?? PERIODS) * PERIOD_MS - (now() - beganAt), 0));
  await fault.end();
  const endedAt = now();
  await allSay('mirrorShared');
  const tookMs = now() - endedAt;
  if (befallen.length > 0) {
    t.ok(tookMs <= fault.healsWithinMs, `shared again ${tookMs.toFixed(0)} ms after it was over`);
  }
  await pause(SETTLES_MS);
  const during = await traffic.quickness(beganAt, now());
  await traffic.idle();
  undisturbed(t, before, during);
  for (const instance of instances) {
    const first = instance.mirrorLines(marks.get(instance)).find(line => line.startsWith('mirrorLocal'));
    const reason = first === `mirrorLocal ${fault.orReason}` ? fault.orReason : fault.reason;
    const expected = befallen.includes(instance) ? [`mirrorLocal ${reason}`, 'mirrorShared'] : [];
    const from = marks.get(instance) ?? 0;
    await wantLines(t, traffic, instance, expected, { from, since: beganAt - BEFORE_MS });
  }
  const [a, b] = instances;
  await proveSharing(t, around, a, b);
  if (FULL) await proveSharing(t, around, b, a);
}

/** Clients notice nothing. */
export function undisturbed(t: Test, before: Quickness, during: Quickness): void {
  const words = ({ sessions, medianMs, p95Ms }: Quickness): string =>
    `${sessions} sessions, answer after ${medianMs.toFixed(1)} ms, p95 ${p95Ms.toFixed(1)} ms`;
  t.comment(`before: ${words(before)}; meanwhile: ${words(during)}`);
  t.strictSame([...before.failures, ...during.failures], [], 'no session fails');
  t.ok(before.sessions > 20 && during.sessions > 20, 'clients came');
  t.ok(during.p95Ms <= Math.max(3 * before.p95Ms, before.p95Ms + SLACK_MS.p95), 'p95 as before');
  t.ok(
    during.medianMs <= Math.max(3 * before.medianMs, before.medianMs + SLACK_MS.median),
    'median as before',
  );
}
