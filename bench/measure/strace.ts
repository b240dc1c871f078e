/**
 * How many system calls a running process makes, by name: `strace -f -c`, attached to its processes and threads.
 *
 * Why a difference of two counts: attaching, detaching, timers and helper threads make calls too. Of the counts for M
 * and for N + M sessions all that does not depend on sessions falls out. A count is steadier than a time: a neighbour
 * on the machine does not change it, and 2 % of it are visible.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { wordsOf } from '../../src/errors.ts';
import type { Child, Children } from '../processes/children.ts';

/** Calls by name. */
export type Syscalls = ReadonlyMap<string, number>;

export interface Trace {
  /** Detaches and tells what was called since it was attached. */
  stop(): Promise<Syscalls>;
}

const ATTACH_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 20;

/** Attaches to the processes with all their threads; rejects with the reason when strace cannot. */
export async function attachStrace(children: Children, pids: readonly number[]): Promise<Trace> {
  const file = join(children.temporaryFolder(), 'strace.txt');
  const targets = pids.flatMap(pid => ['-p', String(pid)]);
  let strace: Child;
  try {
    strace = await children.start(['strace', '-f', '-c', '-o', file, ...targets]);
  } catch {
    throw new Error('strace is not installed');
  }
  const deadline = performance.now() + ATTACH_WITHIN_MS;
  while (!pids.every(isTraced)) {
    if (strace.result !== undefined)
      throw new Error(`strace was refused: ${firstLine(strace.result.stderr)}`);
    if (performance.now() > deadline) {
      await strace.stop();
      throw new Error('strace did not attach in time');
    }
    await sleep(LOOK_EVERY_MS);
  }
  return {
    async stop() {
      // SIGTERM makes it detach and write its table.
      await strace.stop();
      return parseStrace(readFileSync(file, 'utf8'));
    },
  };
}

/** Why system calls cannot be counted here, or undefined: tries it on a process of its own. */
export async function straceObstacle(children: Children): Promise<string | undefined> {
  const victim = await children.start([process.execPath, '-e', 'setInterval(() => 0, 1000)']);
  try {
    await (await attachStrace(children, [victim.pid])).stop();
    return undefined;
  } catch (error) {
    return wordsOf(error);
  } finally {
    await victim.stop();
  }
}

/**
 * The table of `strace -c`: `% time, seconds, usecs/call, calls, [errors,] syscall` per line.
 * Throws when the text has no such line and no total, which is what a trace that was cut off leaves.
 */
export function parseStrace(text: string): Syscalls {
  const calls = new Map<string, number>();
  let complete = false;
  for (const line of text.split('\n')) {
    const row = /^\s*[\d.]+\s+[\d.]+\s+(?:\d+\s+)?(\d+)(?:\s+\d+)?\s+(\w+)\s*$/.exec(line);
    const [, count, name] = row ?? [];
    if (count === undefined || name === undefined) continue;
    if (name === 'total') complete = true;
    else calls.set(name, (calls.get(name) ?? 0) + Number(count));
  }
  if (!complete) throw new Error(`strace left no table: ${firstLine(text)}`);
  return calls;
}

/**
 * Calls per session, by name: (the count with N + M sessions − the count with M) / N. Names that come out at 0 or
 * below (timers that happened to fire in the shorter run) are kept: leaving them out would only raise the sum.
 */
export function callsPerSession(short: Syscalls, long: Syscalls, sessions: number): Syscalls {
  const names = new Set([...long.keys(), ...short.keys()]);
  return new Map(
    [...names].map(name => [name, ((long.get(name) ?? 0) - (short.get(name) ?? 0)) / sessions] as const),
  );
}

/** The sum over all names. */
export function totalOf(calls: Syscalls): number {
  return [...calls.values()].reduce((sum, count) => sum + count, 0);
}

function isTraced(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${String(pid)}/task`);
    return threads.every(
      thread => !/^TracerPid:\s+0$/m.test(readFileSync(`/proc/${String(pid)}/task/${thread}/status`, 'utf8')),
    );
  } catch {
    return true; // ended: strace will say so
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}
