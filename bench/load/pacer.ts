/**
 * Wakes the main thread at fixed moments some hundred microseconds apart, which Node's timers cannot: they count
 * whole milliseconds, and a loop that polls instead would take the CPU from the backends beside it.
 *
 * A worker thread sleeps in Atomics.wait (a futex with the kernel's high-resolution timer) and posts a message. It
 * waits for the main thread to take one before it posts the next, so a busy main thread finds no heap of them.
 * This file is both sides: the thread runs it with `workerData` that says so.
 */
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';

export interface Pacer {
  /** The tick that `wake` counts from: the moment at which the thread was ready, on the clock of `nowNs`. */
  readonly startNs: bigint;
  /** Resolves when the thread has ended; no wake-up comes after the call. */
  stop(): Promise<void>;
}

const order = z.object({
  role: z.literal('lb4-bench-pacer'),
  control: z.instanceof(SharedArrayBuffer),
  tickMs: z.number(),
});

/** What the thread posts: once when it started, then at each tick its milliseconds since then. */
const posted = z.union([z.bigint(), z.number()]);

/** Words of the shared control block. */
const STOP = 0;
const PENDING = 1;

/** Monotonic nanoseconds on a clock that all threads of a process share. */
export function nowNs(): bigint {
  return process.hrtime.bigint();
}

/**
 * Resolves when the thread runs (on a busy machine that takes a while); from then on calls `wake` at every multiple
 * of the tick, with that multiple in milliseconds. Multiples that are missed meanwhile are left out.
 */
export async function startPacer(tickMs: number, wake: (plannedMs: number) => void): Promise<Pacer> {
  const control = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { role: 'lb4-bench-pacer', control: control.buffer, tickMs },
  });
  let stopped = false;
  const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()));
  const startNs = await new Promise<bigint>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', message => {
      const told = posted.parse(message);
      if (typeof told === 'bigint') {
        resolve(told);
        return;
      }
      Atomics.store(control, PENDING, 0);
      if (!stopped) wake(told);
    });
  });
  return {
    startNs,
    async stop() {
      stopped = true;
      Atomics.store(control, STOP, 1);
      Atomics.notify(control, STOP);
      await ended;
    },
  };
}

function pace({ control, tickMs }: z.infer<typeof order>): void {
  const words = new Int32Array(control);
  const startNs = nowNs();
  parentPort?.postMessage(startNs);
  const elapsedMs = (): number => Number(nowNs() - startNs) / 1e6;
  for (;;) {
    const now = elapsedMs();
    const next = (Math.floor(now / tickMs) + 1) * tickMs;
    if (Atomics.wait(words, STOP, 0, next - now) !== 'timed-out') return;
    if (Atomics.exchange(words, PENDING, 1) === 0) parentPort?.postMessage(next);
  }
}

if (!isMainThread) {
  const parsed = order.safeParse(workerData);
  if (parsed.success) pace(parsed.data);
}
