/**
 * The readiness loop: waits for the kernel's events and hands each to the target registered for its descriptor.
 *
 * Place: one per engine; everything else of this engine runs inside its turns, or between them.
 * How: edge-triggered epoll. A wait blocks until the next timer is due, and for `ceilingMs` at most because of timers
 * that the reactor does not know; then the next turn is asked of Node with setImmediate, so that promises, timers and
 * messages run in between. That detour costs as much as a request, so while events come without a pause, rounds
 * follow each other for TURN_MS at most without it. What must not happen inside its caller is deferred to the end of
 * the round. Flows that move much come last in a round, one after the other, and only a few of them: a small request
 * that becomes ready waits for their bytes, not for those of all such flows.
 * Invariants:
 * - an event is delivered only to the registration it was raised for: a descriptor's number is reused at once after
 *   close, so each registration carries a generation;
 * - work that is not finished (`again`) or deferred keeps the next wait from blocking;
 * - with nothing registered nothing runs, and the thread may end.
 */
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLIN } from '../../linux/abi.ts';
import type { Libc } from '../../linux/libc.ts';
import { EINTR, systemError } from '../../linux/system-error.ts';

/** Receives what happens on a descriptor. */
export interface Watched {
  /** Written by the reactor only. */
  generation: number;
  /** `events` is a set of EPOLL flags. */
  onEvents(events: number): void;
}

/** Work that goes on in the next round, after others had their turn. */
export interface Unfinished {
  runAgain(): void;
}

/** A flow that moves much, and goes on when its turn comes. */
export interface Bulk {
  /** Moves a bounded amount, and returns how many bytes that were. */
  runTurn(): number;
}

export interface ReactorOptions {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** The longest that one wait blocks the thread, in milliseconds. */
  readonly ceilingMs: number;
  /** When the thread's next timer is due, by the same clock; Infinity for never. */
  nextTimerMs?(): number;
  /** How long a turn that had events waits for more of them before Node's loop runs, in milliseconds. */
  lingerMs(): number;
  /** An eventfd that ends the wait. */
  readonly wakeFd?: number;
}

const EVENTS_PER_WAIT = 512;
/** However many events come, Node's own loop runs after this time. */
const TURN_MS = 4;
/** Once bulk flows have moved this much, those that became ready meanwhile are looked at. */
const BULK_BYTES_PER_ROUND = 128 * 1024;
/** So much more for each event of the round: many small requests must not starve bulk flows. It takes about as long. */
const BULK_BYTES_PER_EVENT = 16 * 1024;

export class Reactor {
  readonly #libc: Libc;
  readonly #epollFd: number;
  readonly #now: () => number;
  readonly #ceilingMs: number;
  readonly #lingerMs: () => number;
  readonly #nextTimerMs: () => number;
  readonly #words: number;
  readonly #dataWord: number;
  readonly #events: Int32Array;
  readonly #eventBytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #controlBytes: Uint8Array;
  readonly #watched: (Watched | undefined)[] = [];
  #registered = 0;
  #generation = 0;
  #deferred: (() => void)[] = [];
  #again: Unfinished[] = [];
  readonly #bulk: Bulk[] = [];
  #immediate: NodeJS.Immediate | undefined;
  #inTurn = false;
  #closed = false;
  /** The time of this round, once it was asked for. */
  #roundMs: number | undefined;
  readonly #turn = (): void => this.#runTurn();

  /** Throws when descriptors have run out. */
  constructor(libc: Libc, options: ReactorOptions) {
    this.#libc = libc;
    this.#now = () => options.now();
    this.#ceilingMs = options.ceilingMs;
    this.#lingerMs = () => options.lingerMs();
    this.#nextTimerMs = () => options.nextTimerMs?.() ?? Infinity;
    this.#words = libc.epollLayout.words;
    this.#dataWord = libc.epollLayout.dataWord;
    this.#events = new Int32Array(EVENTS_PER_WAIT * this.#words);
    this.#eventBytes = new Uint8Array(this.#events.buffer);
    this.#control = new Int32Array(this.#words);
    this.#controlBytes = new Uint8Array(this.#control.buffer);
    this.#epollFd = libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.#epollFd < 0) throw systemError('epoll_create1', libc.errno());
    if (options.wakeFd !== undefined) this.#watchWakeFd(options.wakeFd);
  }

  /** The reactor's own descriptor. */
  get fd(): number {
    return this.#epollFd;
  }

  /** When this round began, or a little later: one look at the clock for all that ask within it. */
  get nowMs(): number {
    return (this.#roundMs ??= this.#now());
  }

  /** Starts to report these events on `fd` to `target`. False when the kernel refuses; `errno()` has the reason. */
  add(fd: number, target: Watched, events: number): boolean {
    this.#generation = (this.#generation + 1) | 0;
    target.generation = this.#generation;
    this.#control[0] = events;
    this.#control[this.#dataWord] = fd;
    this.#control[this.#dataWord + 1] = this.#generation;
    if (this.#libc.epoll_ctl(this.#epollFd, EPOLL_CTL_ADD, fd, this.#controlBytes) < 0) return false;
    this.#watched[fd] = target;
    this.#registered += 1;
    this.#ensureTurn();
    return true;
  }

  /** Stops reporting on a descriptor that stays open. */
  remove(fd: number): void {
    if (this.#watched[fd] === undefined) return;
    this.forget(fd);
    this.#libc.epoll_ctl(this.#epollFd, EPOLL_CTL_DEL, fd, this.#controlBytes);
  }

  /** Stops reporting on a descriptor that is about to be closed, which takes it out of the kernel's set. */
  forget(fd: number): void {
    if (this.#watched[fd] === undefined) return;
    this.#watched[fd] = undefined;
    this.#registered -= 1;
  }

  /** Runs `work` at the end of this round, or soon: never before the current call has returned. */
  defer(work: () => void): void {
    this.#deferred.push(work);
    this.#ensureTurn();
  }

  /** Lets `work` go on in the next round. The caller makes sure that it does not ask twice. */
  again(work: Unfinished): void {
    this.#again.push(work);
    this.#ensureTurn();
  }

  /** Lets a bulk flow go on after those that have asked before. The caller makes sure that it does not ask twice. */
  inTurn(flow: Bulk): void {
    this.#bulk.push(flow);
    this.#ensureTurn();
  }

  /** Runs no more; its descriptor is the caller's to close, and nothing may be registered any more. */
  close(): void {
    this.#closed = true;
    clearImmediate(this.#immediate);
  }

  #ensureTurn(): void {
    if (this.#inTurn || this.#immediate !== undefined || this.#closed) return;
    this.#immediate = setImmediate(this.#turn);
  }

  #runTurn(): void {
    this.#immediate = undefined;
    this.#inTurn = true;
    let timeoutMs = this.#hasWork() || this.#registered === 0 ? 0 : this.#longestWaitMs();
    let untilMs: number | undefined;
    while (this.#round(timeoutMs) && !this.#closed) {
      const nowMs = this.#now();
      untilMs ??= nowMs + TURN_MS;
      if (nowMs >= untilMs || nowMs >= this.#nextTimerMs()) break;
      timeoutMs = this.#hasWork() ? 0 : this.#lingerMs();
    }
    this.#inTurn = false;
    if (this.#registered > 0 || this.#hasWork()) this.#ensureTurn();
  }

  #longestWaitMs(): number {
    const dueMs = this.#nextTimerMs();
    if (dueMs === Infinity) return this.#ceilingMs;
    // Rounded up, because Node runs no timer before its whole millisecond.
    return Math.min(Math.max(Math.ceil(dueMs - this.#now()), 0), this.#ceilingMs);
  }

  /** Waits, delivers, and finishes what was put off; false when there was nothing to do. */
  #round(timeoutMs: number): boolean {
    const count = this.#libc.epoll_wait(this.#epollFd, this.#eventBytes, EVENTS_PER_WAIT, timeoutMs);
    this.#roundMs = undefined;
    if (count > 0) {
      this.#deliver(count);
    } else if (count < 0) {
      const errno = this.#libc.errno();
      if (errno !== EINTR) throw systemError('epoll_wait', errno);
    }
    return this.#finishRound(Math.max(count, 0)) || count > 0;
  }

  #hasWork(): boolean {
    return this.#again.length > 0 || this.#deferred.length > 0 || this.#bulk.length > 0;
  }

  #deliver(count: number): void {
    const events = this.#events;
    const words = this.#words;
    const dataWord = this.#dataWord;
    for (let i = 0, at = 0; i < count; i++, at += words) {
      // Typed-array reads inside the array's bounds are never undefined.
      const target = this.#watched[events[at + dataWord] ?? 0];
      if (target === undefined || target.generation !== events[at + dataWord + 1]) continue;
      target.onEvents(events[at] ?? 0);
    }
  }

  /** Runs the work put off until now; true if there was any. What that work puts off waits for the next round. */
  #finishRound(events: number): boolean {
    if (!this.#hasWork()) return false;
    const again = this.#again;
    if (again.length > 0) {
      this.#again = [];
      for (const work of again) work.runAgain();
    }
    const deferred = this.#deferred;
    if (deferred.length > 0) {
      this.#deferred = [];
      for (const work of deferred) work();
    }
    if (this.#bulk.length > 0) this.#runBulk(BULK_BYTES_PER_ROUND + events * BULK_BYTES_PER_EVENT);
    return true;
  }

  /** Each flow once at most: what is left after its turn waits for the next round. */
  #runBulk(bytes: number): void {
    let leftBytes = bytes;
    for (let left = this.#bulk.length; left > 0 && leftBytes > 0; left--) {
      leftBytes -= this.#bulk.shift()?.runTurn() ?? 0;
    }
  }

  #watchWakeFd(fd: number): void {
    const count = Buffer.alloc(8);
    const target: Watched = {
      generation: 0,
      onEvents: () => void this.#libc.read(fd, count, count.length),
    };
    if (!this.add(fd, target, EPOLLIN)) throw systemError('epoll_ctl', this.#libc.errno());
    // The wakeup ends a wait but is no reason to wait: with nothing else registered the thread may end.
    this.#registered -= 1;
  }
}
