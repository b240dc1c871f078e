/**
 * Control's side of one worker: starts it, talks to it, watches its heartbeat, restarts it when it has died.
 *
 * Place: made by `worker-fleet.ts`, which knows what a worker does; this file knows only threads.
 * States: starting → running ⇄ stalled, → restarting → starting …, and ended from anywhere.
 * Invariants:
 * - Every question is answered, by the worker or by its death.
 * - A dead worker is started again after 100 ms, then twice as long each time up to 10 s, and after 100 ms again once
 *   it has lived for 30 s.
 * - A worker that has not moved for `endedAfterMs` is ended and started again. A thread that blocks in a system call
 *   cannot be ended: it counts as dead, and runs no more code once the call returns.
 * - After `end` no thread is started.
 */
import { Worker } from 'node:worker_threads';
import type { SetTimer } from '../support/timer.ts';
import type { AnswerTo, FromWorker, Question, ToWorker, WorkerStart } from './messages.ts';
import { workerFailure } from './starting.ts';

export interface WorkerTimes {
  readonly restartFirstMs: number;
  readonly restartMaxMs: number;
  /** A worker that has lived for this long is restarted with the first delay again. */
  readonly longLifeMs: number;
  /** A worker without a heartbeat for this long counts as stalled. */
  readonly stalledAfterMs: number;
  /** A worker without a heartbeat for this long is ended and started again; Infinity: never. */
  readonly endedAfterMs: number;
  /** A worker asked to give up its sessions is ended after this long without a heartbeat. Also its time to end. */
  readonly graceMs: number;
}

export const WORKER_TIMES: WorkerTimes = {
  restartFirstMs: 100,
  restartMaxMs: 10_000,
  longLifeMs: 30_000,
  stalledAfterMs: 2_000,
  endedAfterMs: 30_000,
  graceMs: 1_000,
};

/** The part of Node's `Worker` that is used. */
export interface Thread {
  on(event: 'message', listener: (message: FromWorker) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  once(event: 'exit', listener: (code: number) => void): unknown;
  postMessage(message: ToWorker): void;
  terminate(): Promise<number>;
}

export interface WorkerThreadHandlers {
  /** What to start the worker with, at the first start and at each restart. */
  startWith(): WorkerStart;
  onMessage(message: FromWorker): void;
  /** The thread does not move and is about to be ended; it will run no more code. */
  onEnding(): void;
  /** The thread could not be ended, and counts as gone from now on. */
  onLeftBehind(): void;
  /** The worker is gone, and `restart` says when it comes back; undefined: never. */
  onExit(reason: string, restartInMs: number | undefined): void;
  onRestarted(): void;
  onStalled(forMs: number): void;
  onResumed(): void;
}

export interface WorkerThreadDeps {
  readonly times: WorkerTimes;
  now(): number;
  readonly setTimer: SetTimer;
  /** The worker's heartbeat, as it stands in shared memory. */
  beats(): number;
  /** Ends a worker's wait for its sockets, so that it sees a message. */
  wake(): void;
  spawn(start: WorkerStart): Thread;
}

type State = 'starting' | 'running' | 'stalled' | 'restarting' | 'ended';

export class WorkerThread {
  readonly #deps: WorkerThreadDeps;
  readonly #handlers: WorkerThreadHandlers;
  readonly #answers = new Map<number, (answer: AnswerTo<Question>) => void>();
  #state: State = 'restarting';
  #worker: Thread | undefined;
  #mayRestart = true;
  #nextId = 0;
  #startedMs = 0;
  #delayMs: number;
  #cancelRestart: (() => void) | undefined;
  #exited: Promise<void> = Promise.resolve();
  #lastBeats = 0;
  #silentMs = 0;
  #cancelGrace: (() => void) | undefined;
  /** Why the worker is being ended, if it is. */
  #endReason: string | undefined;
  /** Counts the thread as dead, although it may not be. */
  #giveUp: () => void = () => undefined;

  constructor(deps: WorkerThreadDeps, handlers: WorkerThreadHandlers) {
    this.#deps = deps;
    this.#handlers = handlers;
    this.#delayMs = deps.times.restartFirstMs;
  }

  get state(): State {
    return this.#state;
  }

  /** For how long it has not moved, to half a second. */
  get silentMs(): number {
    return this.#deps.beats() === this.#lastBeats ? this.#silentMs : 0;
  }

  /** Resolves when the worker accepts; rejects with the error it died of, and then it is not restarted. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#spawn({
        ready: resolve,
        failed: error => {
          this.#mayRestart = false;
          reject(error);
        },
      });
    });
  }

  post(message: ToWorker): void {
    if (this.#worker === undefined) return;
    this.#worker.postMessage(message);
    this.#deps.wake();
  }

  /** Resolves with the worker's answer, or with undefined when it is dead. */
  ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>> {
    if (this.#worker === undefined) return Promise.resolve(undefined);
    const id = this.#nextId++;
    return new Promise(resolve => {
      // The worker's answer has the type that the question asks for.
      this.#answers.set(id, answer => resolve(answer as AnswerTo<Q>));
      this.post({ kind: 'ask', id, question });
    });
  }

  /** A dead worker stays dead from now on, and one that has not begun to accept is ended. */
  async stopRestarting(): Promise<void> {
    this.#mayRestart = false;
    this.#cancelRestart?.();
    if (this.#state === 'starting') await this.#terminate();
  }

  /** From now on a worker without a heartbeat is ended, whatever sessions it holds. */
  endIfStalled(): void {
    if (this.#worker === undefined || this.#cancelGrace !== undefined) return;
    const beats = this.#deps.beats();
    this.#cancelGrace = this.#deps.setTimer(() => {
      this.#cancelGrace = undefined;
      if (this.#deps.beats() === beats) void this.#terminateStalled();
      else this.endIfStalled();
    }, this.#deps.times.graceMs);
  }

  /** Lets the thread end by itself, and ends it when that takes too long. */
  async end(): Promise<void> {
    await this.stopRestarting();
    this.post({ kind: 'end' });
    const cancel = this.#deps.setTimer(() => void this.#terminate(), this.#deps.times.graceMs);
    this.#state = 'ended';
    await this.#exited;
    cancel();
    this.#cancelGrace?.();
  }

  /** Checks the heartbeat; to be called about every `sinceMs`. */
  checkBeat(sinceMs: number): void {
    if (this.#worker === undefined || this.#state === 'ended' || this.#endReason !== undefined) return;
    const beats = this.#deps.beats();
    if (beats !== this.#lastBeats) {
      this.#lastBeats = beats;
      this.#silentMs = 0;
      if (this.#state !== 'stalled') return;
      this.#state = 'running';
      this.#handlers.onResumed();
      return;
    }
    this.#silentMs += sinceMs;
    const { stalledAfterMs, endedAfterMs } = this.#deps.times;
    if (this.#state === 'running' && this.#silentMs >= stalledAfterMs) {
      this.#state = 'stalled';
      this.#handlers.onStalled(this.#silentMs);
    }
    if (this.#silentMs < endedAfterMs) return;
    const what = this.#state === 'starting' ? 'it had not started after' : 'it had not moved for';
    void this.#terminateStalled(`${what} ${endedAfterMs / 1000} s and was ended`);
  }

  #spawn(first: { ready: () => void; failed: (error: Error) => void } | undefined): void {
    this.#state = 'starting';
    this.#silentMs = 0;
    let cause: unknown;
    let isGone = false;
    this.#exited = new Promise(resolve => {
      const gone = (code: number | undefined): void => {
        if (isGone) return;
        isGone = true;
        const failure = workerFailure(cause, code);
        if (this.#state === 'starting') first?.failed(failure);
        this.#exit(this.#endReason ?? failure.message);
        resolve();
      };
      this.#giveUp = () => {
        if (isGone) return;
        this.#handlers.onLeftBehind();
        this.#endReason = `${this.#endReason ?? 'it was ended'}; its thread blocks in a system call and is left behind`;
        gone(undefined);
      };
      try {
        const worker = this.#deps.spawn(this.#handlers.startWith());
        this.#worker = worker;
        worker.on('message', (message: FromWorker) => {
          if (!isGone) this.#hear(message, first?.ready);
        });
        worker.on('error', error => (cause = error));
        worker.once('exit', gone);
      } catch (error) {
        // The system refuses it a thread or a descriptor.
        cause = error;
        gone(undefined);
      }
    });
  }

  #hear(message: FromWorker, ready: (() => void) | undefined): void {
    if (message.kind === 'answer') {
      this.#answer(message.id, message.answer);
    } else if (message.kind === 'ready') {
      this.#becomeReady();
      if (ready === undefined) this.#handlers.onRestarted();
      else ready();
    } else {
      this.#handlers.onMessage(message);
    }
  }

  #becomeReady(): void {
    if (this.#state === 'starting') this.#state = 'running';
    this.#startedMs = this.#deps.now();
  }

  #exit(reason: string): void {
    const wasReady = this.#state === 'running' || this.#state === 'stalled';
    const isEnded = this.#state === 'ended';
    this.#worker = undefined;
    this.#endReason = undefined;
    this.#cancelGrace?.();
    this.#cancelGrace = undefined;
    this.#state = isEnded ? 'ended' : 'restarting';
    const { times } = this.#deps;
    if (wasReady && this.#deps.now() - this.#startedMs >= times.longLifeMs)
      this.#delayMs = times.restartFirstMs;
    const delayMs = this.#mayRestart ? this.#delayMs : undefined;
    this.#handlers.onExit(reason, delayMs);
    for (const id of [...this.#answers.keys()]) this.#answer(id, undefined);
    // On the report of the death, control may have begun to stop.
    if (delayMs === undefined || this.#isFinal()) return;
    this.#delayMs = Math.min(this.#delayMs * 2, times.restartMaxMs);
    this.#cancelRestart = this.#deps.setTimer(() => this.#spawn(undefined), delayMs);
  }

  #isFinal(): boolean {
    return !this.#mayRestart;
  }

  /** It has sessions that have not ended. */
  async #terminateStalled(reason?: string): Promise<void> {
    this.#handlers.onEnding();
    await this.#terminate(reason);
  }

  /** Ends the thread; one that cannot be ended is given up after the grace. */
  async #terminate(reason?: string): Promise<void> {
    if (this.#worker !== undefined) {
      this.#endReason ??= reason;
      const giveUp = this.#giveUp;
      const cancel = this.#deps.setTimer(giveUp, this.#deps.times.graceMs);
      void this.#worker.terminate();
      await this.#exited;
      cancel();
    }
    await this.#exited;
  }

  #answer(id: number, answer: AnswerTo<Question>): void {
    const resolve = this.#answers.get(id);
    this.#answers.delete(id);
    resolve?.(answer);
  }
}

/** Starts the thread that worker-main.ts is. */
export function spawnWorker(start: WorkerStart): Worker {
  return new Worker(new URL('./worker-main.js', import.meta.url), {
    workerData: start,
    name: `lb4 worker ${start.index + 1}`,
  });
}
