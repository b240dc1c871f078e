/**
 * A redis-server for a measurement: what it costs, by the kernel's account, and how often it was asked, by its own.
 *
 * Place: scenarios/mirror.ts. It keeps nothing on disk and ends with the run. Reading the statistics costs it a
 * millisecond per window, at the window's end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Children } from '../processes/children.ts';
import { exchangeKeys } from '../../src/control/mirror/exchange-keys.ts';
import { freePort, waitUntilAccepting } from '../processes/ports.ts';

const PROGRAM = 'redis-server';
const SHARED_WITHIN_MS = 10_000;
/** Of whatever upstream; braces stand for themselves in Redis's patterns. */
const [ANY_INSTANCE, , ANY_STATE] = exchangeKeys('*', '*');

export interface MeasuredRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** What the first instance shares, as soon as it does. */
  upstream(): Promise<{ readonly upstream: string; readonly backends: readonly string[] }>;
  /** Scripts run so far, and the time that they took. */
  scripts(): Promise<ScriptRuns>;
  /** How many instances of lb4 share an upstream at the moment. */
  sharing(): Promise<number>;
  stop(): Promise<void>;
}

export interface ScriptRuns {
  readonly runs: number;
  readonly microseconds: number;
}

/** Why there is no redis-server, or undefined. */
export async function redisObstacle(children: Children): Promise<string | undefined> {
  try {
    const { code } = await (await children.start([PROGRAM, '--version'])).ended;
    return code === 0 ? undefined : `${PROGRAM} --version ended with ${String(code)}`;
  } catch {
    return `${PROGRAM} is not installed`;
  }
}

/** Starts one on this process's core; resolves when it accepts. */
export async function startRedis(children: Children): Promise<MeasuredRedis> {
  const port = await freePort();
  const child = await children.start([
    ...[PROGRAM, '--port', String(port), '--bind', '127.0.0.1', '--dir', children.temporaryFolder()],
    ...['--save', '', '--appendonly', 'no'],
  ]);
  await waitUntilAccepting(port, child);
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, replyMapping: 'legacy' });
  client.on('error', () => undefined);
  return {
    url: `redis://127.0.0.1:${String(port)}`,
    port,
    pid: child.pid,
    upstream: () => firstUpstream(client),
    scripts: async () => scriptRuns(await client.info('commandstats')),
    sharing: async () => (await client.keys(ANY_INSTANCE)).length,
    async stop() {
      client.disconnect();
      await child.stop();
    },
  };
}

/** The name is in braces: `lb4:{NAME}:state`. */
async function firstUpstream(client: Redis): Promise<{ upstream: string; backends: string[] }> {
  const deadline = performance.now() + SHARED_WITHIN_MS;
  while (performance.now() < deadline) {
    const [key] = await client.keys(ANY_STATE);
    const names = key === undefined ? null : await client.hget(key, 'backends');
    if (key !== undefined && names) {
      return { upstream: /\{(.*)\}/.exec(key)?.[1] ?? '', backends: names.split('\0').filter(Boolean) };
    }
    await sleep(50);
  }
  throw new Error('no instance shares anything');
}

/** What `INFO commandstats` says of scripts, whichever way they were called. */
export function scriptRuns(commandStats: string): ScriptRuns {
  const lines = [...commandStats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+),usec=(\d+)/gm)];
  const sum = (group: number): number => lines.reduce((total, line) => total + Number(line[group]), 0);
  return { runs: sum(1), microseconds: sum(2) };
}
