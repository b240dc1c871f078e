/**
 * Passes on what one side of a relay has sent as its pace allows, piece by piece.
 *
 * Place: a side of a relay has one from its first pace on (relay-side.ts). Why pieces: Node reads as much as its buffer
 * takes, so one read may be the share of many seconds.
 * Invariants:
 * - while a piece waits, its side is not read, so at most one read is held;
 * - how the side has ended is reported behind its last piece.
 */
import type { Pace } from '../engine.ts';

export interface PacedReadingDeps {
  /** Hands a piece to the other side; false: it goes on when that has taken everything. */
  pass(piece: Buffer): boolean;
  /** Nothing more is read from the side. */
  pause(): void;
  /** Everything is passed on: the side may be read again. */
  resume(): void;
}

export class PacedReading {
  readonly #deps: PacedReadingDeps;
  #pace: Pace | undefined;
  #rest: Buffer | undefined;
  /** What follows the rest. */
  #behind: (() => void)[] = [];

  constructor(deps: PacedReadingDeps) {
    this.#deps = deps;
  }

  /** Bytes wait only for their pace. */
  get isWaiting(): boolean {
    return this.#pace?.isWaiting === true;
  }

  get isHolding(): boolean {
    return this.#rest !== undefined;
  }

  /** Another pace from now on; undefined: as fast as it can. */
  setPace(pace: Pace | undefined): void {
    this.#pace?.end();
    this.#pace = pace;
    pace?.begin(() => this.goOn());
    if (this.#rest !== undefined) this.goOn();
  }

  add(chunk: Buffer): void {
    this.#deps.pause();
    this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.goOn();
  }

  /** Calls `then` once everything before it is passed on; false, and never, where nothing waits. */
  follow(then: () => void): boolean {
    if (this.#rest === undefined) return false;
    this.#behind.push(then);
    return true;
  }

  /** The other side has taken everything, or the pace allows more. */
  goOn(): void {
    while (this.#rest !== undefined) {
      const bytes = this.#pace === undefined ? Infinity : this.#pace.ask();
      if (bytes === 0) return;
      const rest = this.#rest;
      const piece = rest.subarray(0, bytes);
      this.#rest = piece.length === rest.length ? undefined : rest.subarray(piece.length);
      this.#pace?.took(piece.length, this.#rest !== undefined);
      if (!this.#deps.pass(piece)) return;
    }
    this.#finish();
  }

  /** What is held has no receiver left. */
  drop(): void {
    if (this.#rest === undefined) return;
    this.#rest = undefined;
    this.#pace?.took(0, false);
    this.#finish();
  }

  /** Nothing is passed on any more; returns what was held. */
  stop(): Buffer | undefined {
    this.#pace?.end();
    this.#pace = undefined;
    this.#behind = [];
    const rest = this.#rest;
    this.#rest = undefined;
    return rest;
  }

  #finish(): void {
    const behind = this.#behind;
    this.#behind = [];
    for (const then of behind) then();
    this.#deps.resume();
  }
}
