/**
 * The thread behind traffic.ts: echoing backends that know how many sessions they hold, and clients that come at
 * random, stay for a while and tell how it went.
 *
 * Place: started by traffic.ts only, which has the words for what is ordered here.
 * A session: the client connects and sends a byte; the backend answers with its number; the client stays for an
 * exponential time and ends. It counts as live at its backend from its first byte on, so that health checks do not.
 * Times are in milliseconds since 1970 on the monotonic clock, so that two threads can compare theirs.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import type { TcpAddress } from '../../src/support/address.ts';
import { seeded } from '../../src/sim/seeded.ts';
import { pause } from './until.ts';

export interface Load {
  readonly targets: readonly TcpAddress[];
  /** Over all targets: a Poisson process. */
  readonly ratePerSecond: number;
  /** Mean of exponential times. */
  readonly lifeMs: number;
  readonly seed: number;
}

/** What became of one session; `failure` in words, undefined when there was none. */
export interface Outcome {
  readonly startedAt: number;
  /**
   * From the start to the answer's first byte. Not from the planned start: nobody waits for the session before, so
   * that is later only when this whole machine has stood still, and such a second would be a twentieth of a test.
   */
  readonly tookMs: number;
  readonly failure: string | undefined;
}

export type Order =
  | { readonly kind: 'backends'; readonly count: number }
  | { readonly kind: 'load'; readonly load: Load | undefined }
  | { readonly kind: 'hold'; readonly target: TcpAddress; readonly count: number }
  | { readonly kind: 'release'; readonly backend: number | undefined }
  | { readonly kind: 'outcomes'; readonly from: number; readonly to: number }
  | { readonly kind: 'live' }
  | { readonly kind: 'stall'; readonly from: number; readonly to: number }
  | { readonly kind: 'imbalance'; readonly from: number; readonly to: number };

export type Answer = readonly TcpAddress[] | readonly number[] | readonly Outcome[] | number | undefined;

export const ROLE = 'traffic';
const ANSWER_WITHIN_MS = 5_000;
/** How often it is looked whether this thread is late, and from when on that is remembered. */
const STALL_MS = { every: 20, from: 50 };

export const now = (): number => performance.timeOrigin + performance.now();

interface Held {
  readonly backend: number;
  end(): void;
}

class TrafficThread {
  readonly #live: number[] = [];
  /** The live counts after each change. */
  readonly #history: { readonly at: number; readonly live: readonly number[] }[] = [];
  readonly #outcomes: Outcome[] = [];
  readonly #held = new Set<Held>();
  #loadNumber = 0;
  /** When this thread was late, and by how much: the machine had no time for it. */
  readonly #stalls: { readonly at: number; readonly lateMs: number }[] = [];

  constructor() {
    let last = now();
    setInterval(() => {
      const lateMs = now() - last - STALL_MS.every;
      last = now();
      if (lateMs >= STALL_MS.from) this.#stalls.push({ at: last, lateMs });
    }, STALL_MS.every).unref();
  }

  async obey(order: Order): Promise<Answer> {
    switch (order.kind) {
      case 'backends':
        return Promise.all(Array.from({ length: order.count }, (_, index) => this.#listen(index)));
      case 'load':
        this.#loadNumber += 1;
        if (order.load !== undefined) void this.#run(order.load, this.#loadNumber);
        return undefined;
      case 'hold': {
        const backends: number[] = [];
        for (let i = 0; i < order.count; i += 1) {
          const session = await this.#open(order.target, now());
          if (session === undefined) throw new Error('a session to be held has failed');
          backends.push(session.backend);
        }
        return backends;
      }
      case 'release':
        for (const session of this.#held) {
          if (order.backend === undefined || session.backend === order.backend) session.end();
        }
        return undefined;
      case 'outcomes':
        return this.#outcomes.filter(({ startedAt }) => startedAt >= order.from && startedAt < order.to);
      case 'live':
        return this.#live;
      case 'stall':
        return this.#stalls
          .filter(({ at }) => at >= order.from && at <= order.to)
          .reduce((longest, { lateMs }) => Math.max(longest, lateMs), 0);
      case 'imbalance':
        return this.#imbalance(order.from, order.to);
    }
  }

  #listen(index: number): Promise<TcpAddress> {
    this.#live[index] = 0;
    const server = createServer({ noDelay: true }, socket => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        this.#count(index, 1);
        socket.once('close', () => this.#count(index, -1));
        socket.write(`${index}\n`);
      });
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        // A TCP server's address is one.
        const { address, port } = server.address() as AddressInfo;
        resolve({ kind: 'tcp', host: address, port });
      });
    });
  }

  #count(backend: number, change: number): void {
    this.#live[backend] = (this.#live[backend] ?? 0) + change;
    this.#history.push({ at: now(), live: [...this.#live] });
  }

  async #run({ targets, ratePerSecond, lifeMs, seed }: Load, number: number): Promise<void> {
    const random = seeded(seed);
    const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
    for (let at = now(); ; at += exponential(1000 / ratePerSecond)) {
      const waitMs = at - now();
      if (waitMs > 0) await pause(waitMs);
      if (number !== this.#loadNumber) return;
      const target = targets[Math.floor(random() * targets.length)];
      const staysMs = exponential(lifeMs);
      if (target === undefined) return;
      void this.#open(target, now()).then(session => {
        if (session !== undefined) setTimeout(() => session.end(), staysMs);
      });
    }
  }

  /** Resolves once the backend has answered, or to undefined. */
  #open(target: TcpAddress, startedAt: number): Promise<Held | undefined> {
    return new Promise(resolve => {
      let session: Held | undefined;
      const socket = connect({ host: target.host, port: target.port, noDelay: true });
      const fail = (failure: string): void => {
        clearTimeout(timer);
        socket.destroy();
        if (session !== undefined && !this.#held.delete(session)) return;
        this.#outcomes.push({ startedAt, tookMs: now() - startedAt, failure });
        resolve(undefined);
      };
      const timer = setTimeout(() => fail('no answer in time'), ANSWER_WITHIN_MS);
      socket.once('connect', () => socket.write('?'));
      socket.once('data', (answer: Buffer) => {
        clearTimeout(timer);
        this.#outcomes.push({ startedAt, tookMs: now() - startedAt, failure: undefined });
        session = this.#hold(socket, Number(answer.toString()));
        resolve(session);
      });
      socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      socket.once('end', () => fail(session === undefined ? 'ended without an answer' : 'ended too early'));
    });
  }

  #hold(socket: Socket, backend: number): Held {
    const session = {
      backend,
      end: () => {
        if (this.#held.delete(session)) socket.end();
      },
    };
    this.#held.add(session);
    return session;
  }

  #imbalance(from: number, to: number): number {
    let area = 0;
    let measuredMs = 0;
    for (const [i, { at, live }] of this.#history.entries()) {
      const passedMs = Math.min(this.#history[i + 1]?.at ?? to, to) - Math.max(at, from);
      const sum = live.reduce((total, count) => total + count, 0);
      // Without sessions there is nothing to be compared.
      if (passedMs <= 0 || sum === 0) continue;
      area += (passedMs * Math.max(...live) * live.length) / sum;
      measuredMs += passedMs;
    }
    return area / measuredMs;
  }
}

// What traffic.ts has sent, or another file's data.
if ((workerData as { role?: string } | null)?.role === ROLE) {
  const thread = new TrafficThread();
  parentPort?.on('message', ({ id, order }: { id: number; order: Order }) => {
    thread.obey(order).then(
      answer => parentPort?.postMessage({ id, answer }),
      (error: unknown) => parentPort?.postMessage({ id, error }),
    );
  });
}
