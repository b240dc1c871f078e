/** The real machine, for the checks. Reads only. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, endianness } from 'node:os';
import { TIME_ERROR, TIMEX_BYTES } from '../../linux/abi.ts';
import { loadLibc } from '../../linux/libc.ts';
import { textOf } from './kernel-files.ts';
import type { Machine } from './finding.ts';
import type { RunningProcess } from './running.ts';

const read = (path: string): string => readFileSync(path, 'utf8');

export function thisMachine(): Machine {
  return {
    read,
    processors: { online: cpus().length, available: availableParallelism() },
    isClockSynchronised: isClockSynchronised(),
    isRoot: process.getuid?.() === 0,
    isLittleEndian: endianness() === 'LE',
  };
}

/** Undefined for a process that is not an lb4 of this machine: a container has numbers of its own. */
export function processOf(pid: number): RunningProcess | undefined {
  if (!(textOf(read, `/proc/${pid}/cmdline`) ?? '').includes('lb4')) return undefined;
  try {
    return { read, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return { read, descriptors: undefined };
  }
}

function isClockSynchronised(): boolean | string {
  const loaded = loadLibc();
  if (!loaded.ok) return `the kernel cannot be asked: ${loaded.reason}`;
  const state = loaded.libc.adjtimex(new Uint8Array(TIMEX_BYTES));
  return state < 0 ? 'the system does not allow to ask for it (adjtimex)' : state !== TIME_ERROR;
}
