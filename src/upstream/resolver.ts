/**
 * Turns a backend's host name into a numeric address and keeps it fresh.
 *
 * Place: control; one per backend that was configured by name. Why not at each connect: `dns.lookup` takes one
 * of four threads for as long as a name server is slow, and would stand on every session's way.
 * Invariants: the last good address is kept while a name cannot be resolved; an address in use is kept as long
 * as the name still has it and it works, so that a rotating answer does not move a backend about.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { systemCode } from '../errors.ts';
import { setUnrefTimer, type SetTimer } from '../support/timer.ts';

/** How often a resolved name is looked up again; the system's resolver does not tell how long it may be kept. */
const REFRESH_MS = 10_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 10_000;

export interface ResolverDeps {
  /** All addresses of a name; rejects when there are none. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  readonly setTimer?: SetTimer;
  onResolved(host: string): void;
  /** The name cannot be resolved and no address is known; called once until it can. */
  onUnresolved(reason: string): void;
}

export class Resolver {
  readonly #name: string;
  readonly #deps: ResolverDeps;
  readonly #lookup: (host: string) => Promise<readonly string[]>;
  #known: readonly string[] = [];
  #current: string | undefined;
  #failures = 0;
  readonly #setTimer: SetTimer;
  #cancelTimer: () => void = () => undefined;
  #stopped = false;

  constructor(name: string, deps: ResolverDeps) {
    this.#name = name;
    this.#deps = deps;
    this.#lookup = deps.lookup ?? lookupAll;
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
      this.#resolved(await this.#lookup(this.#name));
    } catch (error) {
      this.#failed(systemCode(error));
    }
  }

  #resolved(addresses: readonly string[]): void {
    if (this.#stopped) return;
    this.#failures = 0;
    this.#known = addresses;
    const [first] = addresses;
    if (first !== undefined && (this.#current === undefined || !addresses.includes(this.#current))) {
      this.#current = first;
      this.#deps.onResolved(first);
    }
    this.#again(REFRESH_MS);
  }

  #failed(code: string): void {
    if (this.#stopped) return;
    if (this.#current === undefined && this.#failures === 0) {
      this.#deps.onUnresolved(`name ${this.#name} cannot be resolved (${code})`);
    }
    this.#again(Math.min(RETRY_FIRST_MS * 2 ** this.#failures, RETRY_MAX_MS));
    this.#failures += 1;
  }

  #again(delayMs: number): void {
    this.#cancelTimer = this.#setTimer(() => void this.#refresh(), delayMs);
  }
}

async function lookupAll(host: string): Promise<readonly string[]> {
  // IPv4 first: `localhost` is both, and most services on it listen on one, the older.
  const answers = await systemLookup(host, { all: true, verbatim: false });
  return answers.map(({ address }) => address);
}
