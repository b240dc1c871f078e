/**
 * Takes a client further through gates that want to see its bytes: bounded in time and in bytes.
 *
 * Place: begun by a session whose client is not through its gates yet; ends before there is a dispatch.
 * Invariants:
 * - Its owner is called once, and never after `cancel`.
 * - The first bytes that gates have not taken stay with the connection and are relayed first.
 * - Nothing is read that no gate has asked for.
 */
import { HELLO_MAX_BYTES_IN_RECORDS } from '../../codec/tls-client-hello/index.ts';
import type { Connection } from '../../engine/engine.ts';
import type { Deadlines, Expiring } from '../../support/deadlines.ts';
import type { Termination } from '../../model/termination.ts';
import { NOTHING, type BeginTls, type Facts, type Secured } from './gate.ts';
import type { Passage } from './passage.ts';
import type { UndecidedClient } from './undecided.ts';

/** The time for everything that a gate waits for, unless it says otherwise. */
const LIMIT_MS = 5_000;
/** The most that a gate is shown: nothing that one reads is longer than a TLS ClientHello. */
export const LIMIT_BYTES = HELLO_MAX_BYTES_IN_RECORDS;

const LATE: Termination = { by: 'balancer', phase: 'admission', reason: 'timeout' };

export interface AdmissionOwner<U> {
  /** All gates are passed. `client` is another connection than before where TLS ends here. */
  onAdmitted(facts: Facts<U>, client: Connection): void;
  /** A gate has refused the client, or the client has gone; its connection is gone, too. */
  onRefused(termination: Termination): void;
}

export class Admission<U> implements UndecidedClient, Expiring {
  /** When it began. */
  readonly sinceMs: number;
  /** This and the links are for the deadlines. */
  timeoutMs = 0;
  dueMs = 0;
  earlier: Expiring | undefined;
  later: Expiring | undefined;
  #client: Connection;
  readonly #passage: Passage<U>;
  readonly #owner: AdmissionOwner<U>;
  readonly #deadlines: Deadlines;
  #first = NOTHING;
  /** The limit of the current peek. */
  #peeked = 0;
  #isOver = false;
  #isLate = false;
  #isHurried = false;
  /** Nothing follows what the current peek has shown. */
  #isEnded = false;
  /** While the client's handshake is under way. */
  #cancelTls: ((isLate: boolean) => void) | undefined;

  constructor(
    client: Connection,
    passage: Passage<U>,
    deps: { readonly deadlines: Deadlines; now(): number },
    owner: AdmissionOwner<U>,
  ) {
    this.sinceMs = deps.now();
    this.#client = client;
    this.#passage = passage;
    this.#deadlines = deps.deadlines;
    this.#owner = owner;
  }

  start(): void {
    this.#passage.undecided?.enter(this);
    // The owner is called when this has returned.
    this.#goOn();
  }

  /** The session ends for another reason: resets the client. False: the admission was over. */
  giveUp(isLate = false): boolean {
    if (this.#isOver) return false;
    this.#finish();
    // While it speaks TLS the engine has it.
    if (this.#cancelTls !== undefined) this.#cancelTls(isLate);
    else this.#client.reset();
    return true;
  }

  /** The time is over before it would be, for all gates. */
  hurry(): void {
    this.#passage.undecided?.leave(this);
    this.#isHurried = true;
    this.#late();
  }

  #goOn(): void {
    while (!this.#isOver) {
      const verdict = this.#passage.ask(this.#first);
      if (verdict === undefined) {
        this.#finish();
        this.#client.unwatch();
        this.#owner.onAdmitted(this.#passage.facts, this.#client);
        return;
      }
      if (verdict.kind === 'more') {
        this.#read(verdict.bytes, verdict.withinMs);
        return;
      }
      if (verdict.kind === 'tls') {
        this.#secure(verdict.begin, verdict.withinMs);
        return;
      }
      if (verdict.kind === 'refuse') {
        this.#refuse({ by: 'balancer', phase: 'admission', reason: verdict.reason });
        return;
      }
      if (verdict.take !== undefined && verdict.take > 0) this.#take(verdict.take);
      this.#forgetTime();
    }
  }

  /** The next gate has a time of its own. */
  #forgetTime(): void {
    this.#endTime();
    if (!this.#isLate || this.#isHurried) return;
    // That the time was over is no end of the bytes.
    this.#isLate = false;
    this.#first = { ...this.#first, isAll: this.#isEnded };
  }

  #take(bytes: number): void {
    this.#client.take(bytes);
    this.#lookAnew();
  }

  /** The bytes that are there are shown again to the next gate that asks. */
  #lookAnew(): void {
    this.#first = NOTHING;
    this.#peeked = 0;
    this.#isEnded = false;
  }

  #secure(begin: BeginTls, withinMs: number): void {
    if (this.#isLate) {
      this.#refuse(LATE);
      return;
    }
    this.#client.unwatch();
    this.#beginTime(withinMs);
    this.#cancelTls = begin(this.#client, result => this.#secured(result));
  }

  #secured(result: Secured): void {
    this.#cancelTls = undefined;
    if (!result.ok) {
      this.#finish();
      this.#owner.onRefused(this.#passage.notSecured(result.failure));
      return;
    }
    this.#client = result.connection;
    this.#passage.secured(result.facts);
    this.#lookAnew();
    this.#forgetTime();
    this.#goOn();
  }

  /** Shows the current gate the bytes that have arrived, and again when more have. */
  #read(bytes: number, withinMs = LIMIT_MS): void {
    if (this.#isLate) {
      this.#passage.late();
      this.#refuse(LATE);
      return;
    }
    if (this.#first.isAll) {
      // The gate was shown all there is (`isAll`): nothing more will come.
      this.#refuse({ by: 'client', phase: 'admission', reason: 'closed' });
      return;
    }
    this.#beginTime(withinMs);
    const limit = Math.min(bytes, LIMIT_BYTES);
    // The current peek shows the bytes that come next.
    if (limit === this.#peeked) return;
    this.#peeked = limit;
    const seen = this.#first.bytes.length;
    this.#client.peek(limit, (shown, state) => {
      if (this.#isOver) return;
      if (state === 'reset') {
        this.#refuse({ by: 'client', phase: 'admission', reason: 'reset' });
        return;
      }
      const isAll = state === 'end' || shown.length >= LIMIT_BYTES;
      this.#isEnded = isAll;
      // A longer look begins with what the gate has seen.
      if (shown.length === seen && !isAll) return;
      this.#first = { bytes: shown, isAll };
      this.#goOn();
    });
  }

  /** The current gate's, unless it has begun. */
  #beginTime(withinMs: number): void {
    if (this.timeoutMs > 0) return;
    this.timeoutMs = withinMs;
    this.#deadlines.add(this);
  }

  #endTime(): void {
    if (this.timeoutMs === 0) return;
    this.#deadlines.remove(this);
    this.timeoutMs = 0;
  }

  /** For the deadlines only. */
  expire(): void {
    this.#late();
  }

  /** The time is over: the gate decides by what there is. */
  #late(): void {
    this.#isLate = true;
    if (this.#cancelTls !== undefined) {
      this.#refuse(LATE);
      return;
    }
    this.#first = { ...this.#first, isAll: true };
    this.#goOn();
  }

  #refuse(termination: Termination): void {
    if (this.giveUp(true)) this.#owner.onRefused(termination);
  }

  #finish(): void {
    this.#isOver = true;
    this.#passage.undecided?.leave(this);
    this.#endTime();
  }
}
