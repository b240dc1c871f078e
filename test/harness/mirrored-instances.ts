/**
 * Several lb4 processes with two workers each, which share their counts through a Redis, before the same backends.
 *
 * Place: what test/e2e/mirror-*.test.ts break things around. The proof that instances share is made with sessions
 * that stay: one instance holds many at all backends but one, and the next clients of another, which has none, must
 * all come to that one; left to itself it would spread them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { startLb4, type Lb4Process, type LogLine } from './lb4-process.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { now, type Traffic } from './traffic.ts';
import { pause } from './until.ts';

/** How often instances exchange here: as often as a busy machine can stand still for three of these, or less. */
export const PERIOD_MS = 200;
/** What the command line calls its upstream. */
const UPSTREAM = 'default';

/** Whom a test asks what is in Redis: a client of ioredis, of one Redis or of a Cluster. */
export interface RedisReader {
  call(command: string, ...args: string[]): Promise<unknown>;
}

export interface Instance extends Lb4Process {
  readonly name: string;
  readonly target: TcpAddress;
  /** The lines of the mirror from the line of this number on, each in words: `mirrorLocal timeout`. */
  readonly mirrorLines: (from?: number) => string[];
}

export interface InstanceOptions {
  readonly name: string;
  readonly redis: NonNullable<ConfigInput['redis']>;
  readonly backends: readonly TcpAddress[];
  /** Upstreams over the same backends besides the first. */
  readonly further?: readonly string[];
}

/** Starts one; it accepts, and may not have reached Redis yet. */
export async function startInstance(t: Test, options: InstanceOptions): Promise<Instance> {
  const upstreams = [UPSTREAM, ...(options.further ?? [])].map(name => ({
    name,
    strategy: 'leastconn',
    backends: options.backends.map(formatAddress),
    health: 'off',
    ejection: 'off',
  }));
  const config = {
    workers: 2,
    listeners: [{ name: 'in', bind: '127.0.0.1:0', upstream: UPSTREAM }],
    upstreams,
    redis: { publish: `${PERIOD_MS}ms`, instance: options.name, ...options.redis },
  };
  const folder = temporaryFolder(t);
  // YAML takes JSON.
  writeFileSync(join(folder, 'lb4.yaml'), JSON.stringify(config));
  return watched(await startLb4(t, ['-c', join(folder, 'lb4.yaml')]), options.name);
}

/** Starts one with nothing but flags, so that it exchanges as often as by default; `redis` is a URL. */
export async function startByFlags(
  t: Test,
  {
    name,
    redis,
    backends,
  }: { readonly name: string; readonly redis: string; readonly backends: readonly TcpAddress[] },
): Promise<Instance> {
  const list = backends.map(formatAddress).join(',');
  return watched(
    await startLb4(t, ['-b', list, '--health', 'off', '--workers', '2', '--redis', redis]),
    name,
  );
}

function watched(lb4: Lb4Process, name: string): Instance {
  return Object.assign(lb4, {
    name,
    target: { kind: 'tcp', host: lb4.host, port: lb4.port } as const,
    mirrorLines: (from = 0) => lb4.lines.slice(from).flatMap(line => inWords(line) ?? []),
  });
}

/** Said also by an instance that had no time to exchange or to renew its lease, or whose connection had none. */
const STALLED = ['mirrorLocal timeout', 'mirrorLocal nameTaken', 'mirrorLocal lost'];

/**
 * Wants these lines of the mirror and no others, from the line of this number on. Where the machine stood still for
 * a period, an instance may truly have been local for a while, and may say so besides.
 */
export async function wantLines(
  t: Test,
  traffic: Traffic,
  instance: Instance,
  expected: readonly string[],
  { from = 0, since = 0, periodMs = PERIOD_MS } = {},
): Promise<void> {
  const said = instance.mirrorLines(from);
  const stalledMs = await traffic.stall(since, now());
  const stood = `the machine stood still for ${stalledMs.toFixed(0)} ms`;
  if (stalledMs > periodMs && isExplained(said, expected)) {
    t.pass(`what ${instance.name} says: ${said.join(', ')}; ${stood}`);
  } else {
    t.strictSame(said, expected, `what ${instance.name} says; ${stood}`);
  }
}

/** Whether these are the expected lines, in their order, and between them nothing but what a stall explains. */
function isExplained(said: readonly string[], expected: readonly string[]): boolean {
  let found = 0;
  for (const [i, line] of said.entries()) {
    const next = expected[found];
    // Whoever was local already when he would have become so for this reason has said another one.
    const isInstead =
      next?.startsWith('mirrorLocal') === true && STALLED.includes(line) && !said.slice(i).includes(next);
    if (line === next || isInstead) found += 1;
    else if (line !== 'mirrorShared' && !STALLED.includes(line)) return false;
  }
  return found === expected.length;
}

function inWords({ event, reason }: LogLine): string | undefined {
  if (!event.startsWith('mirror')) return undefined;
  return typeof reason === 'string' ? `${event} ${reason}` : event;
}

/** Resolves with the first line of an event from the line of this number on. */
export function lineAfter(instance: Instance, from: number, event: string): Promise<LogLine> {
  return instance.line(line => line.event === event && instance.lines.indexOf(line) >= from);
}

/** Everybody's sessions by backend as Redis has them, in the order of the backends; -1 for one that it does not have. */
export async function totals(
  redis: RedisReader,
  backends: readonly TcpAddress[],
  upstream = UPSTREAM,
): Promise<number[]> {
  const reply = await redis.call('ZRANGE', `lb4:{${upstream}}:load`, '0', '-1', 'WITHSCORES');
  // Pairs in the newer protocol, in turn in the older one; scores are numbers or texts.
  const flat: readonly unknown[] = Array.isArray(reply) ? reply.flat() : [];
  return backends.map(address => {
    const at = flat.indexOf(formatAddress(address));
    return at < 0 ? -1 : Number(flat[at + 1]);
  });
}

/** Resolves once Redis has what the backends hold; rejects after `withinMs`. To how long it took. */
export async function untilTotalsAreTrue(
  redis: RedisReader,
  traffic: Traffic,
  withinMs = 2_000,
): Promise<number> {
  const begin = now();
  for (;;) {
    const [said, live] = [await totals(redis, traffic.backends), await traffic.live()];
    if (said.join() === live.join()) return now() - begin;
    if (now() - begin > withinMs) {
      throw new Error(`after ${withinMs} ms Redis has ${said.join(' ')}, the backends ${live.join(' ')}`);
    }
    await pause(5);
  }
}

const HELD_EACH = 6;
/**
 * On a machine that does other things besides, news may be too old for a moment: three periods are short here. Left to
 * itself an instance never chooses the same backend twice in a row, however often it is asked.
 */
const ATTEMPTS = 3;
let turn = 0;

/** An even load at first, then nothing at one backend: another one each time. To the number of that one. */
export async function unbalance(traffic: Traffic, by: Instance): Promise<number> {
  const { length } = traffic.backends;
  const empty = turn++ % length;
  await traffic.hold(by.target, length * HELD_EACH);
  await traffic.release(empty);
  await traffic.untilLive('one backend is empty', live => live[empty] === 0);
  return empty;
}

/**
 * Proves that `to` goes by the sessions of `from`, and that Redis has the truth. Wants idle traffic, and leaves it so.
 */
export async function proveSharing(
  t: Test,
  { redis, traffic }: { readonly redis: RedisReader; readonly traffic: Traffic },
  from: Instance,
  to: Instance,
): Promise<void> {
  let wanted: readonly number[] = [];
  let chosen: readonly number[] = [];
  for (
    let attempt = 1;
    attempt <= ATTEMPTS && (attempt === 1 || chosen.join() !== wanted.join());
    attempt += 1
  ) {
    const empty = await unbalance(traffic, from);
    await untilTotalsAreTrue(redis, traffic);
    await untilCalm(redis);
    wanted = [empty, empty, empty];
    chosen = await traffic.hold(to.target, wanted.length);
    await untilTotalsAreTrue(redis, traffic);
    await traffic.idle();
    await untilTotalsAreTrue(redis, traffic);
  }
  t.strictSame(chosen, wanted, `${to.name} goes by the sessions of ${from.name}`);
}

/** Resolves once they do: after a burst, instances expect more of it and go by their own counts (ADR 0009). */
export async function untilCalm(redis: RedisReader): Promise<void> {
  const deadline = now() + 5_000;
  while (Number(await redis.call('HGET', `lb4:{${UPSTREAM}}:state`, 'unseen')) > 2_000) {
    if (now() > deadline) throw new Error('waited in vain until nobody expects unseen sessions');
    await pause(10);
  }
}
