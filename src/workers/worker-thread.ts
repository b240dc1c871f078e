/**
 * Control's side of one worker: start it, talk to it, watch its heartbeat, start it again when it has died.
 *
 * Place: made by `worker-fleet.ts`, which knows what a worker is to do; here is only what a thread is.
 * States: starting → running ⇄ stalled, → restarting → starting …, and ended from anywhere.
 * Invariants: every question is answered, by the worker or by its death; a dead worker is started again after
 * 100 ms, twice as long each time up to 10 s, and from the beginning once it has lived for 30 s; after `end`
 * there is no thread.
 */
import { Worker } from 'node:worker_threads';
import { ERROR_CODES, Lb4Error, systemCode } from '../errors.ts';
import type { SetTimer } from '../support/timer.ts';
import type { FromWorker, Question, ToWorker, WorkerStart } from './messages.ts';

export interface WorkerTimes {
  readonly restartFirstMs: number;
  readonly restartMaxMs: number;
  /** A worker that has lived for so long starts again with the first delay. */
  readonly longLifeMs: number;
  /** Without a heartbeat for so long it is called stalled. */
  readonly stalledAfterMs: number;
  /** Without a heartbeat for so long it is ended, once it was told to give up its sessions. */
  readonly graceMs: number;
}

export const WORKER_TIMES: WorkerTimes = {
  restartFirstMs: 100,
  restartMaxMs: 10_000,
  longLifeMs: 30_000,
  stalledAfterMs: 2_000,
  graceMs: 1_000,
};

/** What is needed of Node's `Worker`. */
export interface Thread {
  on(event: 'message', listener: (message: FromWorker) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  once(event: 'exit', listener: (code: number) => void): unknown;
  postMessage(message: ToWorker): void;
  terminate(): Promise<number>;
}

export interface WorkerThreadHandlers {
  /** What to start it with, the first time and each time after. */
  startWith(): WorkerStart;
  onMessage(message: FromWorker): void;
  /** It is gone, and `restart` says when it comes back; undefined: never. */
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
  readonly #answers = new Map<number, () => void>();
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

  constructor(deps: WorkerThreadDeps, handlers: WorkerThreadHandlers) {
    this.#deps = deps;
    this.#handlers = handlers;
    this.#delayMs = deps.times.restartFirstMs;
  }

  get state(): State {
    return this.#state;
  }

  /** Resolves when the worker accepts; rejects with what it died of, and then it is not started again. */
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

  /** Resolves when the worker has answered, or is dead. */
  ask(question: Question): Promise<void> {
    if (this.#worker === undefined) return Promise.resolve();
    const id = this.#nextId++;
    return new Promise(resolve => {
      this.#answers.set(id, resolve);
      this.post({ kind: 'ask', id, question });
    });
  }

  /** A dead worker stays dead from now on, and one that has not begun to accept is ended. */
  async stopRestarting(): Promise<void> {
    this.#mayRestart = false;
    this.#cancelRestart?.();
    if (this.#state === 'starting') await this.#terminate();
  }

  /** From now on a worker that does not beat is ended, whatever it holds. */
  endIfStalled(): void {
    if (this.#worker === undefined || this.#cancelGrace !== undefined) return;
    const beats = this.#deps.beats();
    this.#cancelGrace = this.#deps.setTimer(() => {
      this.#cancelGrace = undefined;
      if (this.#deps.beats() === beats) void this.#terminate();
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

  /** Looks at the heartbeat; to be called every `sinceMs` or so. */
  checkBeat(sinceMs: number): void {
    if (this.#state !== 'running' && this.#state !== 'stalled') return;
    const beats = this.#deps.beats();
    if (beats !== this.#lastBeats) {
      this.#lastBeats = beats;
      this.#silentMs = 0;
      if (this.#state === 'running') return;
      this.#state = 'running';
      this.#handlers.onResumed();
      return;
    }
    this.#silentMs += sinceMs;
    if (this.#silentMs < this.#deps.times.stalledAfterMs || this.#state === 'stalled') return;
    this.#state = 'stalled';
    this.#handlers.onStalled(this.#silentMs);
  }

  #spawn(first: { ready: () => void; failed: (error: Error) => void } | undefined): void {
    this.#state = 'starting';
    this.#silentMs = 0;
    const worker = this.#deps.spawn(this.#handlers.startWith());
    this.#worker = worker;
    let cause: unknown;
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'done') {
        this.#answer(message.id);
      } else if (message.kind === 'ready') {
        this.#becomeReady();
        if (first === undefined) this.#handlers.onRestarted();
        else first.ready();
      } else {
        this.#handlers.onMessage(message);
      }
    });
    worker.on('error', error => (cause = error));
    this.#exited = new Promise(resolve => {
      worker.once('exit', code => {
        if (this.#state === 'starting') first?.failed(startFailure(cause, code));
        this.#exit(cause === undefined ? `exit code ${code}` : wordsOf(cause));
        resolve();
      });
    });
  }

  #becomeReady(): void {
    if (this.#state === 'starting') this.#state = 'running';
    this.#startedMs = this.#deps.now();
  }

  #exit(reason: string): void {
    const wasReady = this.#state === 'running' || this.#state === 'stalled';
    const isEnded = this.#state === 'ended';
    this.#worker = undefined;
    this.#cancelGrace?.();
    this.#cancelGrace = undefined;
    this.#state = isEnded ? 'ended' : 'restarting';
    const { times } = this.#deps;
    if (wasReady && this.#deps.now() - this.#startedMs >= times.longLifeMs)
      this.#delayMs = times.restartFirstMs;
    const delayMs = this.#mayRestart ? this.#delayMs : undefined;
    this.#handlers.onExit(reason, delayMs);
    for (const id of [...this.#answers.keys()]) this.#answer(id);
    // Told of the death, control may have begun to stop.
    if (delayMs === undefined || this.#isFinal()) return;
    this.#delayMs = Math.min(this.#delayMs * 2, times.restartMaxMs);
    this.#cancelRestart = this.#deps.setTimer(() => this.#spawn(undefined), delayMs);
  }

  #isFinal(): boolean {
    return !this.#mayRestart;
  }

  async #terminate(): Promise<void> {
    await this.#worker?.terminate();
    await this.#exited;
  }

  #answer(id: number): void {
    const answer = this.#answers.get(id);
    this.#answers.delete(id);
    answer?.();
  }
}

/** Starts the thread that worker-main.ts is. */
export function spawnWorker(start: WorkerStart): Worker {
  return new Worker(new URL('./worker-main.js', import.meta.url), {
    workerData: start,
    name: `lb4 worker ${start.index + 1}`,
  });
}

/** An error from another thread is a copy without its class. */
function startFailure(cause: unknown, exitCode: number): Error {
  if (!(cause instanceof Error))
    return new Error(`a worker ended with exit code ${exitCode} while it started`);
  const code = systemCode(cause);
  const known = ERROR_CODES.find(each => each === code);
  return known === undefined ? cause : new Lb4Error(known, wordsOf(cause), { cause });
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
