/**
 * The addresses of one backend, tried one after the other until one of them works.
 *
 * Place: each data plane has one per backend, and each check of a backend; a name may stand for several addresses.
 * How: a walk begins with the address that worked last, and gives each address its share of the time left, but at
 * least a second or half of that time. If the address to begin with fails, later walks begin with the next one.
 * Invariants:
 * - `done` is called exactly once, and never after a cancel;
 * - it receives a failure only when every address has failed, the time is over or this machine lacks something;
 * - of several failures it receives the first one that says something about the backend.
 */
import { formatAddress, type Address } from '../support/address.ts';
import { isOfThisMachine } from './connect-failure.ts';
import type { Cancel, ConnectFailure } from './engine.ts';

/** The result of trying one address. */
export type Step = { readonly ok: true } | { readonly ok: false; readonly failure: ConnectFailure };

/** Tries one address; as `Engine.connect`. */
export type TryAddress<Result> = (
  address: Address,
  timeoutMs: number,
  done: (result: Result) => void,
) => Cancel;

/** A SYN that is lost is sent again after a second. */
const LEAST_SHARE_MS = 1_000;
/** Shares are multiples of 1 / SHARES of the whole time: few different ones, as engines keep a list for each. */
const SHARES = 32;

export class AddressWalk {
  readonly #now: () => number;
  #addresses: readonly Address[] = [];
  #texts: readonly string[] = [];
  /** Where the next walk begins. */
  #first = 0;
  /** Addresses that connections may have been opened to. */
  readonly #tried = new Set<Address>();

  /** `now` in milliseconds of a monotonic clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The address, where there is only one: there is nothing to walk then. */
  get only(): Address | undefined {
    return this.#addresses.length === 1 ? this.#addresses[0] : undefined;
  }

  get isEmpty(): boolean {
    return this.#addresses.length === 0;
  }

  /**
   * Takes over the current addresses. If the list begins with another address than before, that one is tried first from
   * now on; otherwise the one that worked last stays first. True if an address that may have been connected to is gone.
   */
  update(addresses: readonly Address[]): boolean {
    const before = this.#texts;
    const texts = addresses.map(formatAddress);
    if (texts.length === before.length && texts.every((text, i) => text === before[i])) return false;
    // A single address is not walked, so it is noted as tried here.
    if (this.only !== undefined) this.#tried.add(this.only);
    this.#first = texts[0] === before[0] ? Math.max(texts.indexOf(before[this.#first] ?? ''), 0) : 0;
    this.#addresses = addresses;
    this.#texts = texts;
    const gone = [...this.#tried].filter(address => !texts.includes(formatAddress(address)));
    for (const address of gone) this.#tried.delete(address);
    return gone.length > 0;
  }

  /**
   * Tries the current addresses. Without any, nothing is tried, and the caller has to report that.
   * @param timeoutMs for all of them together
   */
  start<Result extends Step>(
    timeoutMs: number,
    tryAddress: TryAddress<Result>,
    done: (result: Result) => void,
  ): Cancel {
    const addresses = this.#addresses;
    if (this.only !== undefined) return tryAddress(this.only, timeoutMs, done);
    const dueMs = this.#now() + timeoutMs;
    let left = addresses.length;
    let index = this.#first;
    let reported: { readonly result: Result; readonly failure: ConnectFailure } | undefined;
    let cancel: Cancel = () => undefined;
    const next = (remainingMs: number): void => {
      const address = addresses[index];
      if (address === undefined) return;
      this.#tried.add(address);
      const share = Math.max(remainingMs / left, Math.min(remainingMs / 2, LEAST_SHARE_MS));
      cancel = tryAddress(address, inSteps(share, timeoutMs / SHARES), result => {
        this.#learn(addresses, index, result.ok);
        if (result.ok) {
          done(result);
          return;
        }
        const { failure } = result;
        if (reported === undefined || isOfThisMachine(reported.failure)) reported = { result, failure };
        left -= 1;
        // Without descriptors or ports the next address fares no better.
        if (failure.reason === 'localResources') done(result);
        else if (left === 0 || this.#now() >= dueMs) done(reported.result);
        else {
          index = (index + 1) % addresses.length;
          next(dueMs - this.#now());
        }
      });
    };
    next(timeoutMs);
    return () => cancel();
  }

  /** Learns from the result of one address. The list may have changed meanwhile. */
  #learn(addresses: readonly Address[], index: number, worked: boolean): void {
    if (addresses !== this.#addresses) return;
    if (worked) this.#first = index;
    else if (this.#first === index) this.#first = (index + 1) % addresses.length;
  }
}

function inSteps(ms: number, stepMs: number): number {
  return Math.max(1, Math.floor(ms / stepMs)) * stepMs;
}
