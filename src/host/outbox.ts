/**
 * What a worker reports, on its way to control: one message per turn, and bounded, however slow control is.
 *
 * Place: worker-main.ts puts events in; control counts in shared memory how many of them it has handled.
 * While control keeps up, every event goes out unchanged and in order. When it does not, events wait here, up to a
 * number. Beyond that number the records of sessions are only counted, and of all other events the latest for each
 * subject is kept, with how often it has happened where that matters.
 * Invariants:
 * - No event that control decides by is lost.
 * - Every session that was to be recorded is recorded or counted.
 */
import type { DataEvent } from '../model/data-event.ts';

export interface OutboxDeps {
  send(events: readonly DataEvent[]): void;
  /** How many events control has handled. */
  taken(): number;
  /** Calls back when this turn of the loop is over. */
  afterTurn(callback: () => void): void;
}

/**
 * The most events that all workers together may have on their way, and again waiting: half a second under heavy load.
 */
const MOST_EVENTS = 16_384;
const LEAST_EVENTS = 256;

export class Outbox {
  readonly #limit: number;
  readonly #deps: OutboxDeps;
  #waiting: DataEvent[] = [];
  /** The events beyond the limit, by their subject. */
  readonly #beyond = new Map<string, DataEvent>();
  #unrecorded = 0;
  #sent: number;
  #isScheduled = false;

  constructor(workers: number, deps: OutboxDeps) {
    this.#limit = Math.max(Math.floor(MOST_EVENTS / workers), LEAST_EVENTS);
    this.#deps = deps;
    // An earlier worker may have used the same memory.
    this.#sent = deps.taken();
  }

  report(event: DataEvent): void {
    if (event.kind === 'unrecorded') {
      // It goes out with the next message.
      this.#unrecorded += event.sessions;
      return;
    }
    if (this.#waiting.length < this.#limit) this.#waiting.push(event);
    else if (event.kind === 'sessionClosed') this.#unrecorded += 1;
    else this.#merge(event);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#deps.afterTurn(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /** Sends what waits, if control keeps up; to be called at an interval. */
  flush(): void {
    if (this.#sent - this.#deps.taken() < this.#limit) this.flushAll();
  }

  /** Sends what waits, whether control keeps up or not. */
  flushAll(): void {
    const events = this.#waiting;
    events.push(...this.#beyond.values());
    if (this.#unrecorded > 0) events.push({ kind: 'unrecorded', sessions: this.#unrecorded });
    if (events.length === 0) return;
    this.#waiting = [];
    this.#beyond.clear();
    this.#unrecorded = 0;
    this.#sent += events.length;
    this.#deps.send(events);
  }

  #merge(event: DataEvent): void {
    const about = aboutOf(event);
    const before = this.#beyond.get(about);
    const isCounted = 'times' in event && before !== undefined && 'times' in before;
    this.#beyond.set(about, isCounted ? { ...event, times: before.times + event.times } : event);
  }
}

/** Of two events about one subject, the later one says all that control must know. */
function aboutOf(event: DataEvent): string {
  switch (event.kind) {
    case 'listenerPaused':
    case 'listenerResumed':
      return `listener ${event.listener}`;
    case 'listenerBroken':
    case 'listenerMended':
      return `address ${event.listener} ${event.address}`;
    case 'turnedAway':
      return `turned away ${event.listener}`;
    case 'refused':
      return `refused ${event.listener} ${event.reason} ${event.isDryRun}`;
    case 'connectFailed':
      return `connect ${event.upstream} ${event.backend} ${event.failure.reason} ${event.failure.code}`;
    case 'backendFailing':
      return `failing ${event.upstream} ${event.backend} ${event.cause}`;
    case 'trialEnded':
      return `trial ${event.upstream} ${event.backend}`;
    case 'queueing':
      return `queueing ${event.upstream}`;
    case 'strategyFailed':
      return `strategy ${event.upstream}`;
    case 'sessionClosed':
    case 'unrecorded':
      return event.kind;
  }
}
