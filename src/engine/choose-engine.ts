/**
 * Which engine moves the bytes, and in how many threads: what was configured against what this machine can do.
 *
 * Place: asked once at start. Why workers need the C library with either engine: control binds their listening
 * sockets with SO_REUSEPORT, which Node 20 cannot.
 */
import { Lb4Error } from '../errors.ts';
import type { FfiName } from '../linux/libc.ts';
import { MAX_WORKERS, type Cores } from '../support/cores.ts';
import type { EngineName } from './engine.ts';

export interface EngineWishes {
  readonly engine: 'auto' | EngineName;
  readonly workers: 'auto' | number;
}

/** Whether something is available here, and if not, why. */
export type Availability = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export interface Machine {
  /** The C library, for `node` workers. */
  readonly libc: Availability;
  /** Everything that the epoll engine needs; asked only where it matters, because it tries every call. */
  epoll(): Availability;
  /** Whether the system shows the node engine, without the C library, what a receiver has got. */
  tellsDelivery(): boolean;
  /** Processors that may be kept busy. */
  readonly cores: Cores;
}

export interface EngineChoice {
  readonly engine: EngineName;
  /** Threads; 0: the caller's own. */
  readonly workers: number;
  /** Why it is less than what was asked for, or less than the best; undefined when it is neither. */
  readonly reason?: string;
  /** Why `workers: auto` is fewer than one per core of the machine; undefined when it is not. */
  readonly coreLimit?: string;
  /** What makes the system calls; undefined where only Node makes any. */
  readonly ffi?: FfiName;
}

/** A reset must not take bytes with it: where nothing shows that they have arrived, a FIN takes its place. */
const BLIND =
  'a reset behind data is passed on as a FIN: without koffi and without /proc/self/net/tcp the system does not report what a receiver has got';

/**
 * Throws LB4_ENGINE_UNAVAILABLE when `epoll` was asked for and is not available. Workers that are not available are no
 * error: everything works without them.
 */
export function chooseEngine({ engine, workers }: EngineWishes, machine: Machine): EngineChoice {
  const { libc, cores } = machine;
  if (workers === 0 && engine !== 'epoll') return callersThread(machine);
  const epoll = engine === 'node' || !libc.ok ? libc : machine.epoll();
  if (engine === 'epoll' && !epoll.ok) {
    throw new Lb4Error('LB4_ENGINE_UNAVAILABLE', `the epoll engine cannot run here: ${epoll.reason}`);
  }
  if (!libc.ok) return callersThread(machine, `no workers, no epoll engine: ${libc.reason}`);
  const count = Math.min(workers === 'auto' ? cores.count : workers, MAX_WORKERS);
  const limited = workers === 'auto' && cores.limit !== undefined ? { coreLimit: cores.limit } : {};
  if (engine !== 'auto') return { engine, workers: count, ...limited };
  if (epoll.ok) return { engine: 'epoll', workers: count, ...limited };
  return { engine: 'node', workers: count, reason: `not the epoll engine: ${epoll.reason}`, ...limited };
}

/**
 * The workers that listeners with TLS get: as many as the others, of the `node` engine, because only that one has TLS.
 * 0: the chosen engine has it, too.
 */
export function workersForTls({ engine, workers }: Pick<EngineChoice, 'engine' | 'workers'>): number {
  return engine === 'epoll' ? workers : 0;
}

function callersThread(machine: Machine, why?: string): EngineChoice {
  const isBlind = !machine.libc.ok && !machine.tellsDelivery();
  const reasons = [why, isBlind ? BLIND : undefined].filter(reason => reason !== undefined);
  const choice = { engine: 'node', workers: 0 } as const;
  return reasons.length === 0 ? choice : { ...choice, reason: reasons.join('; ') };
}
