/**
 * What comes after a failed attempt of one session: the same backend again, another one, another round, or nothing.
 *
 * Place: made by the dispatcher at a session's first failure; most sessions never have one.
 * Order: `retriesPerBackend` more attempts at the same backend after `retryDelay` each; then other backends, up to
 * `attempts` in a round; then, after a pause that doubles, all of it again up to `rounds` times.
 * Invariant: at most attempts · (1 + retriesPerBackend) · rounds attempts, whatever happens.
 */
import type { ConnectSettings } from './upstream-runtime.ts';

const LONGEST_PAUSE_MS = 10_000;
/** A pause is so much longer at most, at random: sessions that failed together do not come back together. */
const JITTER = 0.5;

export interface NextStep {
  readonly where: 'sameBackend' | 'otherBackend' | 'anyBackend';
  readonly afterMs: number;
}

export class Retries {
  /** Backends that have failed in this round. */
  readonly tried = new Set<string>();
  readonly #settings: ConnectSettings;
  #here = 0;
  #round = 1;

  constructor(settings: ConnectSettings) {
    this.#settings = settings;
  }

  /** An attempt at `backend` has failed; `mayRetryHere`: it may be tried again. Undefined: that was the last one. */
  next(backend: string, mayRetryHere: boolean, random: () => number): NextStep | undefined {
    const { retriesPerBackend, retryDelayMs, attempts } = this.#settings;
    if (mayRetryHere && this.#here < retriesPerBackend) {
      this.#here += 1;
      return { where: 'sameBackend', afterMs: retryDelayMs };
    }
    this.#here = 0;
    this.tried.add(backend);
    if (this.tried.size < attempts) return { where: 'otherBackend', afterMs: 0 };
    return this.nextRound(random);
  }

  /** There is no other backend in this round. */
  nextRound(random: () => number): NextStep | undefined {
    const { rounds, backoffMs } = this.#settings;
    if (this.#round >= rounds) return undefined;
    const pauseMs = Math.min(backoffMs * 2 ** (this.#round - 1), LONGEST_PAUSE_MS);
    this.#round += 1;
    this.#here = 0;
    this.tried.clear();
    return { where: 'anyBackend', afterMs: pauseMs * (1 + JITTER * random()) };
  }
}
