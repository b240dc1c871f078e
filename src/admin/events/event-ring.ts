/**
 * The latest events, each with a number: for clients that follow them, and for those that come back after a while.
 *
 * Place: subscribes when the admin API is to be opened (cli/serve-admin.ts); event-streams.ts passes on what is in here.
 * Why events of sessions are not among them: there can be thousands a second, and the access log has them.
 * Invariants:
 * - Numbers begin at 1 and have no gaps; `MOST_EVENTS` are kept.
 * - What can happen a thousand times a second is recorded once in ten seconds per cause, with `times`.
 */
import { EVENT_NAMES, type EventMap, type EventName } from '../../model/events.ts';
import type { EventSource } from '../../observe/event-source.ts';
import { Seldom } from '../../observe/seldom.ts';
import type { SetTimer } from '../../support/timer.ts';

export const MOST_EVENTS = 1_000;

type OfSessions = 'session:closed' | 'session:unrecorded';
export type StreamedName = Exclude<EventName, OfSessions>;

export const STREAMED_NAMES: readonly StreamedName[] = EVENT_NAMES.filter(
  (name): name is StreamedName => name !== 'session:closed' && name !== 'session:unrecorded',
);

/** An event as it is kept. */
export interface Recorded {
  readonly number: number;
  readonly name: StreamedName;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly fields: EventMap[StreamedName];
}

export interface EventRingDeps {
  readonly source: EventSource;
  readonly setTimer: SetTimer;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Milliseconds since the process began. */
  readonly uptimeMs: () => number;
}

export class EventRing {
  readonly #deps: EventRingDeps;
  readonly #kept: Recorded[] = [];
  /** Stands in every id, so that an id of another process is known as such. */
  readonly #run: string;
  readonly #leave: (() => void)[];
  readonly #seldom: Seldom;
  #last = 0;
  #onEvent: () => void = () => undefined;

  constructor(deps: EventRingDeps) {
    this.#deps = deps;
    const { source, setTimer, wallClock, uptimeMs } = deps;
    this.#run = wallClock().toString(36);
    this.#seldom = new Seldom({ setTimer, now: uptimeMs, isOff: () => false });
    this.#leave = STREAMED_NAMES.map(name => source.on(name, event => this.#take(name, event)));
  }

  /** The number of the latest event; 0 before the first one. */
  get last(): number {
    return this.#last;
  }

  /** Calls back after each event; replaces the callback before. */
  watch(onEvent: () => void): void {
    this.#onEvent = onEvent;
  }

  /** The events after this one that are still kept, and the number of those that are not. */
  after(number: number): { readonly missed: number; readonly events: readonly Recorded[] } {
    const first = Math.max(number + 1, this.#last - MOST_EVENTS + 1);
    const events: Recorded[] = [];
    for (let next = first; next <= this.#last; next++) {
      const event = this.#kept[next % MOST_EVENTS];
      if (event !== undefined) events.push(event);
    }
    return { missed: first - number - 1, events };
  }

  idOf(number: number): string {
    return `${this.#run}-${number}`;
  }

  /** Undefined for an id that this process has not given. */
  numberOf(id: string): number | undefined {
    const [, run, digits] = /^([0-9a-z]{1,16})-(\d{1,15})$/.exec(id) ?? [];
    const number = Number(digits);
    return run === this.#run && number <= this.#last ? number : undefined;
  }

  /** Takes no further events. */
  end(): void {
    for (const leave of this.#leave.splice(0)) leave();
    this.#seldom.end();
  }

  #take(name: StreamedName, event: EventMap[StreamedName]): void {
    const cause = causeOf(name, event);
    if (cause === undefined) {
      this.#record(name, event);
      return;
    }
    const times = 'times' in event ? event.times : 1;
    this.#seldom.tell(cause, times, ({ fields: { heldBack = 0 } }) =>
      this.#record(name, { ...event, times: heldBack + 1 }),
    );
  }

  #record(name: StreamedName, fields: EventMap[StreamedName]): void {
    const number = ++this.#last;
    this.#kept[number % MOST_EVENTS] = { number, name, atMs: this.#deps.wallClock(), fields };
    this.#onEvent();
  }
}

/** Events that can come a thousand times a second. */
const FREQUENT: readonly StreamedName[] = [
  'backend:connectFailed',
  'strategy:failed',
  'listener:turnedAway',
  'listener:refused',
];
/** In which two events of the same cause may differ. */
const BESIDES: readonly string[] = ['times', 'clientAddress'];

/** Of frequent events: what makes two of them the same. */
function causeOf(name: StreamedName, event: EventMap[StreamedName]): string | undefined {
  if (!FREQUENT.includes(name)) return undefined;
  const parts = Object.entries(event).filter(([key]) => !BESIDES.includes(key));
  return JSON.stringify([name, ...parts]);
}
