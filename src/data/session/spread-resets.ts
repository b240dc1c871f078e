/**
 * Resets the sessions that outlast a drain one after the other over a given time, those first that have been silent for
 * longest, so that their clients do not all come back in one moment.
 *
 * Place: the data plane begins it when the last part of a drain's time begins; at the end of that time it resets what is
 * left.
 * Invariants:
 * - Each gap is random, around an even share of the time that is left: instances that drain together do not keep time.
 * - A session in which bytes have moved since its turn was set goes to the end of the line, as long as others are left.
 * - One timer at a time, and none before it begins.
 */
import type { SetTimer } from '../../support/timer.ts';
import type { Termination } from '../../model/termination.ts';

/** What it needs of a session. */
export interface Silent {
  /** When a byte last moved; Infinity while nothing is relayed, undefined once it is over. */
  readonly lastActivityMs: number | undefined;
  abort(termination: Termination): void;
}

export interface SpreadResetsDeps {
  readonly setTimer: SetTimer;
  now(): number;
  random(): number;
  /** Sessions that run now. */
  running(): number;
  /** Called before each reset. */
  onReset(): void;
}

interface Turn {
  readonly session: Silent;
  readonly activeMs: number;
}

/** With many sessions several are reset at a time, rather than that timers pile up. */
const SHORTEST_GAP_MS = 10;
/** Sessions that may be looked at in one step only to be put off: a step must not hold up the bytes of the others. */
const PUT_OFF_PER_STEP = 1_000;

export class SpreadResets {
  readonly #deps: SpreadResetsDeps;
  #line: Turn[] = [];
  /** Its first element that is still to come. */
  #next = 0;
  #cancel: (() => void) | undefined;

  constructor(deps: SpreadResetsDeps) {
    this.#deps = deps;
  }

  begin(sessions: Iterable<Silent>, withinMs: number, termination: Termination): void {
    this.end();
    this.#line = Array.from(sessions, session => ({ session, activeMs: session.lastActivityMs ?? Infinity }));
    this.#line.sort((a, b) => (a.activeMs === b.activeMs ? 0 : a.activeMs - b.activeMs));
    this.#wait(this.#deps.now() + withinMs, this.#deps.random(), termination);
  }

  /** Resets no more sessions. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#line = [];
    this.#next = 0;
  }

  /** @param share of an even gap */
  #wait(untilMs: number, share: number, termination: Termination): void {
    const deps = this.#deps;
    const leftMs = untilMs - deps.now();
    const count = deps.running();
    if (leftMs <= 0 || count === 0) {
      this.end();
      return;
    }
    const gapMs = Math.max(SHORTEST_GAP_MS, (leftMs / count) * share);
    this.#cancel = deps.setTimer(() => {
      this.#resetSome(Math.max(1, Math.round((deps.running() * gapMs) / leftMs)), termination);
      this.#wait(untilMs, 0.5 + deps.random(), termination);
    }, gapMs);
  }

  #resetSome(count: number, termination: Termination): void {
    let putOff = 0;
    for (let done = 0; done < count;) {
      const turn = this.#line[this.#next];
      if (turn === undefined) return;
      this.#next += 1;
      const { session, activeMs } = turn;
      const { lastActivityMs } = session;
      if (lastActivityMs === undefined) continue;
      if (lastActivityMs > activeMs && putOff < Math.min(PUT_OFF_PER_STEP, this.#line.length - this.#next)) {
        putOff += 1;
        this.#line.push({ session, activeMs: lastActivityMs });
        continue;
      }
      this.#deps.onReset();
      session.abort(termination);
      done += 1;
    }
    this.#forgetPast();
  }

  #forgetPast(): void {
    if (this.#next < PUT_OFF_PER_STEP) return;
    this.#line.splice(0, this.#next);
    this.#next = 0;
  }
}
