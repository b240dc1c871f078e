/**
 * What a worker reports, on its way to control: one message per turn, and bounded, however slow control is.
 *
 * Place: worker-main.ts puts events in; control says in shared memory how many of them it has dealt with.
 * While control keeps up, every event goes out as it is, in its order. When it does not, events wait here: records of
 * sessions up to a number, beyond which the sessions are only counted; everything else beyond that number as one event
 * for each thing that it is about, the latest, with how often it has happened where that is asked for.
 * Invariants: nothing that control decides by is lost; every session that was to be recorded is recorded or counted.
 */
import type { DataEvent } from '../model/data-event.ts';

export interface OutboxDeps {
  send(events: readonly DataEvent[]): void;
  /** How many events control has dealt with. */
  taken(): number;
  /** Calls back when this turn of the loop is over. */
  afterTurn(callback: () => void): void;
}

/** All workers together may have so many events on their way, and as many waiting: half a second of very many sessions. */
const MOST_EVENTS = 16_384;
const LEAST_EVENTS = 256;

export class Outbox {
  readonly #limit: number;
  readonly #deps: OutboxDeps;
  #waiting: DataEvent[] = [];
  /** What has happened beyond the limit, by what it is about. */
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
      // It goes with what else there is.
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

  /** Sends what waits, if control keeps up; to be called now and then. */
  flush(): void {
    if (this.#sent - this.#deps.taken() < this.#limit) this.flushAll();
  }

  /** Sends what waits, whatever control does. */
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

/** Of two events about the same, the later one says all that control must know. */
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
