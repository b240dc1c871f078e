/**
 * Keeps the numeric address of a backend that was configured by name fresh.
 *
 * Place: control; one per such backend. `Names` does the looking up. Why not at each connect: a slow name server
 * would stand in the way of every session.
 * Invariants: the last good address is kept while a name cannot be resolved; an address in use is kept as long
 * as the name still has it and it works, so that a rotating answer does not move a backend about.
 */
import { isIP } from 'node:net';
import { wordsOf } from '../errors.ts';
import type { Found, Lookup } from '../names/names.ts';
import { setUnrefTimer, type SetTimer } from '../support/timer.ts';

/** How often a resolved name is looked up again, whatever its record says of its lifetime. */
const REFRESH_MS = 10_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 10_000;

export interface ResolverDeps {
  readonly lookup: Lookup;
  readonly setTimer?: SetTimer;
  onResolved(host: string): void;
  /** The name cannot be resolved and no address is known; called once until it can. */
  onUnresolved(reason: string): void;
}

export class Resolver {
  readonly #name: string;
  readonly #deps: ResolverDeps;
  #known: readonly string[] = [];
  #current: string | undefined;
  #failures = 0;
  readonly #setTimer: SetTimer;
  #cancelTimer: () => void = () => undefined;
  #stopped = false;

  constructor(name: string, deps: ResolverDeps) {
    this.#name = name;
    this.#deps = deps;
    this.#setTimer = deps.setTimer ?? setUnrefTimer;
  }

  /** Looks the name up and keeps doing so; resolves after the first answer, good or bad. */
  async start(): Promise<void> {
    await this.#refresh();
  }

  /** The address in use does not work: takes the name's next one, if it has several. */
  tryNext(): void {
    const index = this.#current === undefined ? -1 : this.#known.indexOf(this.#current);
    const next = this.#known[(index + 1) % this.#known.length];
    if (this.#stopped || next === undefined || next === this.#current) return;
    this.#current = next;
    this.#deps.onResolved(next);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
  }

  async #refresh(): Promise<void> {
    try {
      this.#resolved(await this.#deps.lookup(this.#name));
    } catch (error) {
      this.#failed(wordsOf(error));
    }
  }

  #resolved({ addresses: found, unknown }: Found): void {
    if (this.#stopped) return;
    this.#failures = 0;
    // What the name servers say nothing of is as it was.
    const addresses = [...found, ...this.#known.filter(address => isIP(address) === unknown)];
    this.#known = addresses;
    const [first] = addresses;
    if (first !== undefined && (this.#current === undefined || !addresses.includes(this.#current))) {
      this.#current = first;
      this.#deps.onResolved(first);
    }
    this.#again(REFRESH_MS);
  }

  #failed(reason: string): void {
    if (this.#stopped) return;
    if (this.#current === undefined && this.#failures === 0) {
      this.#deps.onUnresolved(reason);
    }
    this.#again(Math.min(RETRY_FIRST_MS * 2 ** this.#failures, RETRY_MAX_MS));
    this.#failures += 1;
  }

  #again(delayMs: number): void {
    this.#cancelTimer = this.#setTimer(() => void this.#refresh(), delayMs);
  }
}
