/**
 * Keeps the numeric addresses of a backend that was configured by name fresh.
 *
 * Place: control; one per such backend. `Names` looks them up.
 * Why not at each connect: a slow name server would delay every session.
 * Invariants:
 * - The last good addresses are kept while a name cannot be resolved.
 * - An address keeps its place while it works and the name still has it. So a rotating answer does not move a backend
 *   about.
 */
import { isIP } from 'node:net';
import { wordsOf } from '../../errors.ts';
import type { Found, Lookup } from '../../names/names.ts';
import type { SetTimer } from '../../support/timer.ts';

/** Interval at which a resolved name is looked up again, whatever the lifetime of its record. */
const REFRESH_MS = 10_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 10_000;

export interface ResolverDeps {
  readonly lookup: Lookup;
  readonly setTimer: SetTimer;
  /** Called when the name's addresses, or the order in which to try them, have changed. */
  onResolved(hosts: readonly string[]): void;
  /** Called once when the name cannot be resolved and no address is known. */
  onUnresolved(reason: string): void;
}

export class Resolver {
  readonly #name: string;
  readonly #deps: ResolverDeps;
  #known: readonly string[] = [];
  #failures = 0;
  #cancelTimer: () => void = () => undefined;
  #stopped = false;

  constructor(name: string, deps: ResolverDeps) {
    this.#name = name;
    this.#deps = deps;
  }

  /** Looks the name up again and again; resolves after the first answer, good or bad. */
  async start(): Promise<void> {
    await this.#refresh();
  }

  /** The first address accepts connections and is not well all the same: it becomes the last one. */
  tryNext(): void {
    const [first, ...others] = this.#known;
    if (this.#stopped || first === undefined || others.length === 0) return;
    this.#known = [...others, first];
    this.#deps.onResolved(this.#known);
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
    // Addresses of a family that the name servers did not answer for stay.
    const staying = this.#known.filter(address => found.includes(address) || isIP(address) === unknown);
    const addresses = [...staying, ...found.filter(address => !staying.includes(address))];
    const isNew = addresses.length !== this.#known.length || staying.length !== addresses.length;
    this.#known = addresses;
    if (isNew) this.#deps.onResolved(addresses);
    this.#again(REFRESH_MS);
  }

  #failed(reason: string): void {
    if (this.#stopped) return;
    if (this.#known.length === 0 && this.#failures === 0) {
      this.#deps.onUnresolved(reason);
    }
    this.#again(Math.min(RETRY_FIRST_MS * 2 ** this.#failures, RETRY_MAX_MS));
    this.#failures += 1;
  }

  #again(delayMs: number): void {
    this.#cancelTimer = this.#deps.setTimer(() => void this.#refresh(), delayMs);
  }
}
