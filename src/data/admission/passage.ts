/**
 * One client's way through the gates of its listener: how far it has come, what is known of it, and what gates hold for
 * it until it leaves.
 *
 * Place: made when a client of a listener with gates is accepted. The session gets it, and gives it back at its end;
 * `Admission` takes it further where a gate wants to see bytes.
 * Invariants:
 * - What a gate holds is given back exactly once, a refusal included.
 * - A client that finds no place, or that a gate refuses without having waited for bytes since, costs those before it
 *   nothing.
 * - Each refusal is counted once; of those that only `dryRun` prevents, a client's first one is.
 */
import type { TlsFacts, TlsFailure } from '../../engine/tls.ts';
import type { Termination } from '../../model/termination.ts';
import { isRefusal } from '../../shared-memory/counters/refusals.ts';
import type { Facts, FirstBytes, Gate, Leave, Verdict } from './gate.ts';
import { NOTHING } from './gate.ts';
import type { Refused } from './refused.ts';
import type { Refusal } from '../../shared-memory/counters/refusals.ts';
import { handshakeFailed } from './tls-gate.ts';
import type { Undecided } from './undecided.ts';

/** What a gate has answered that has not let the client through. */
export type Halt<U> = Exclude<Verdict<U>, { readonly kind: 'pass' }>;

export class Passage<U> {
  readonly #gates: readonly Gate<U>[];
  readonly #refused: Pick<Refused, 'count'>;
  /** Where it is while a gate waits for bytes; absent: it may wait as long as the gate says. */
  readonly undecided: Undecided | undefined;
  #facts: Facts<U>;
  #next = 0;
  #leaves: Leave[] | undefined;
  /** How many of them were there when a gate last waited. */
  #spent = 0;
  /** What that gate counts the client as when its time is over. */
  #late: Refusal | undefined;
  #isCounted = false;

  constructor(
    gates: readonly Gate<U>[],
    facts: Facts<U>,
    refused: Pick<Refused, 'count'>,
    undecided?: Undecided,
  ) {
    this.#gates = gates;
    this.#facts = facts;
    this.#refused = refused;
    this.undecided = undecided;
  }

  /** As the gates so far have left them. */
  get facts(): Facts<U> {
    return this.#facts;
  }

  /** All gates are passed. */
  get isThrough(): boolean {
    return this.#next === this.#gates.length;
  }

  /**
   * Asks the current gate, and goes on to the next one if it passes. Undefined: there is none.
   * @param first what has been read, without what gates have taken
   */
  ask(first: FirstBytes): Verdict<U> | undefined {
    const verdict = this.#gates[this.#next]?.(this.#facts, first);
    if (verdict?.kind === 'pass') {
      this.#next += 1;
      this.#facts = verdict.facts ?? this.#facts;
      if (verdict.leave !== undefined) (this.#leaves ??= []).push(verdict.leave);
      if (verdict.wouldRefuse !== undefined && !this.#isCounted) {
        this.#isCounted = true;
        this.#refused.count(verdict.wouldRefuse, this.#facts.clientAddress, true);
      }
    } else if (verdict?.kind === 'more' || verdict?.kind === 'tls') {
      this.#spent = this.#leaves?.length ?? 0;
      this.#late = verdict.kind === 'more' ? verdict.late : undefined;
    } else if (verdict?.kind === 'refuse') {
      this.#facts = verdict.facts ?? this.#facts;
      this.#leave(this.#spent);
      this.#refused.count(verdict.reason, this.#facts.clientAddress, false);
    }
    return verdict;
  }

  /** The time of the gate that waits is over: the client is refused. */
  late(): void {
    if (this.#late !== undefined) this.#refused.count(this.#late, this.#facts.clientAddress, false);
  }

  /** Asks all gates that need no bytes. Undefined: the client is through. */
  askAtOnce(): Halt<U> | undefined {
    for (;;) {
      const verdict = this.ask(NOTHING);
      if (verdict?.kind !== 'pass') return verdict;
    }
  }

  /** The current gate was for TLS, which the client speaks now; undefined: the client stays in the clear. */
  secured(tls: TlsFacts | undefined): void {
    this.#next += 1;
    if (tls === undefined) return;
    const { serverName } = tls;
    this.#facts = { ...this.#facts, ...(serverName === undefined ? {} : { serverName }), tls };
  }

  /** The handshake has failed: how the session ends. */
  notSecured(failure: TlsFailure): Termination {
    const termination = handshakeFailed(failure);
    const { reason } = termination;
    this.leave();
    if (isRefusal(reason)) this.#refused.count(reason, this.#facts.clientAddress, false, failure.code);
    return termination;
  }

  /** Gives back what gates hold for the client. Idempotent. */
  leave(): void {
    this.#leave(Infinity);
  }

  /** The same for a client that finds no place: it will come again. */
  undo(): void {
    this.#leave(0);
  }

  /** @param spent the first ones, of which nothing is undone */
  #leave(spent: number): void {
    const leaves = this.#leaves;
    if (leaves === undefined) return;
    this.#leaves = undefined;
    for (const [i, leave] of leaves.entries()) leave(i >= spent);
  }
}
