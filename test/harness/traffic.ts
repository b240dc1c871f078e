/**
 * Traffic for tests of whole balancers: real backends and real clients, in a thread of their own, because in tap's
 * main thread every socket is watched, which would slow them down.
 *
 * Place: tests of several instances use it; traffic-thread.ts is the thread. Ends with the test.
 */
import { Worker } from 'node:worker_threads';
import type { TcpAddress } from '../../src/support/address.ts';
import type { Teardown } from './teardown.ts';
import { now, ROLE, type Answer, type Load, type Order, type Outcome } from './traffic-thread.ts';
import { pause } from './until.ts';

export { now, type Load, type Outcome } from './traffic-thread.ts';

/** How quickly sessions of some time were answered. */
export interface Quickness {
  readonly sessions: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly failures: readonly string[];
}

export class Traffic {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: unknown) => void }
  >();
  #asked = 0;
  #backends: readonly TcpAddress[] = [];

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', ({ id, answer, error }: { id: number; answer: Answer; error?: unknown }) => {
      const asked = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) asked?.resolve(answer);
      else asked?.reject(error);
    });
    worker.once('error', error => {
      for (const { reject } of this.#waiting.values()) reject(error);
    });
  }

  /** Starts so many backends, and no clients yet. */
  static async start(t: Teardown, backends: number): Promise<Traffic> {
    const worker = new Worker(new URL('traffic-thread.js', import.meta.url), {
      workerData: { role: ROLE },
      execArgv: [],
    });
    t.teardown(() => worker.terminate());
    const traffic = new Traffic(worker);
    traffic.#backends = await traffic.#ask<readonly TcpAddress[]>({ kind: 'backends', count: backends });
    return traffic;
  }

  /** In the order of their numbers. */
  get backends(): readonly TcpAddress[] {
    return this.#backends;
  }

  /** From now on clients come, until `idle`. Replaces the load before; its sessions stay as long as they would have. */
  async load(load: Load): Promise<void> {
    await this.#ask({ kind: 'load', load });
  }

  /** No more clients; resolves when the backends hold no session. */
  async idle(): Promise<void> {
    await this.#ask({ kind: 'load', load: undefined });
    await this.release();
    await this.untilLive('no session is left', live => live.every(count => count === 0));
  }

  /** Opens sessions that stay, one after the other; to the numbers of their backends. */
  hold(target: TcpAddress, count: number): Promise<readonly number[]> {
    return this.#ask({ kind: 'hold', target, count });
  }

  /** Ends the sessions at a backend, or all. */
  async release(backend?: number): Promise<void> {
    await this.#ask({ kind: 'release', backend });
  }

  /** Live sessions by backend, as the backends have them. */
  live(): Promise<readonly number[]> {
    return this.#ask({ kind: 'live' });
  }

  /** Resolves once the backends' live sessions are as wanted; rejects after five seconds. */
  async untilLive(what: string, wanted: (live: readonly number[]) => boolean): Promise<void> {
    const deadline = now() + 5_000;
    for (;;) {
      const live = await this.live();
      if (wanted(live)) return;
      if (now() > deadline) throw new Error(`waited in vain until ${what}: ${live.join(' ')}`);
      await pause(5);
    }
  }

  /** Of the sessions that began from then to then; those that still wait for their answer are waited for. */
  async quickness(from: number, to: number): Promise<Quickness> {
    const outcomes = await this.#ask<readonly Outcome[]>({ kind: 'outcomes', from, to });
    const times = outcomes.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
    const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? NaN;
    const failures = outcomes.flatMap(({ failure }) => failure ?? []);
    return { sessions: times.length, medianMs: at(0.5), p95Ms: at(0.95), failures };
  }

  /** For how long at most the machine had no time for the traffic, between then and then; 0 if always. */
  stall(from: number, to: number): Promise<number> {
    return this.#ask({ kind: 'stall', from, to });
  }

  /** How far the most loaded backend stood above the mean, as an average over time; 1 is perfect. */
  imbalance(from: number, to: number): Promise<number> {
    return this.#ask({ kind: 'imbalance', from, to });
  }

  #ask<T extends Answer>(order: Order): Promise<T> {
    const id = this.#asked++;
    return new Promise<T>((resolve, reject) => {
      // The answer to each order is what the thread's `obey` has for it.
      this.#waiting.set(id, { resolve: answer => resolve(answer as T), reject });
      this.#worker.postMessage({ id, order });
    });
  }
}
