/**
 * What comes after a failed attempt of one session: the same backend again, another one, another round, or nothing.
 *
 * Place: made by the dispatcher at a session's first failure; most sessions never have one. The picker asks it which
 * backends the session may still try.
 * Order: `retriesPerBackend` more attempts at the same backend after `retryDelay` each; then other backends; then,
 * after a pause that doubles, all of it again up to `rounds` times.
 * Rule: a round has room for `attempts` backends that are well, as many that are not, and as many backups that stood
 * by. Without a configured limit it has room for all that are well, and for 3 that are not; beyond these, for those
 * whose last connect did not fail. While a backend that may work is left, no client is refused.
 * Invariant: at most MOST_TRIED backends in a round, and (1 + retriesPerBackend) attempts at each.
 */
import type { Group } from './candidate.ts';
import type { Search } from './picker.ts';
import type { ConnectSettings } from '../../model/upstream-plan.ts';

const LONGEST_PAUSE_MS = 10_000;
/** A pause is longer by a random share of up to this: sessions that failed together do not come back together. */
const JITTER = 0.5;
const MOST_NOT_WELL = 3;
/** A bound for each client's wait when, say, a thousand backends fail at once. */
export const MOST_TRIED = 32;

export interface NextStep {
  readonly where: 'sameBackend' | 'otherBackend' | 'anyBackend';
  readonly afterMs: number;
}

export class Retries implements Search {
  /** Backends that have failed in this round. */
  readonly tried = new Set<string>();
  readonly #settings: ConnectSettings;
  readonly #failed: Record<Group, number> = { well: 0, reserve: 0, notWell: 0 };
  #here = 0;
  #round = 1;

  constructor(settings: ConnectSettings) {
    this.#settings = settings;
  }

  /** An attempt at `backend` has failed; `mayRetryHere`: it may be tried again. */
  next(backend: string, group: Group, mayRetryHere: boolean): NextStep {
    const { retriesPerBackend, retryDelay } = this.#settings;
    if (mayRetryHere && this.#here < retriesPerBackend) {
      this.#here += 1;
      return { where: 'sameBackend', afterMs: retryDelay };
    }
    this.leave(backend);
    this.#failed[group] += 1;
    return { where: 'otherBackend', afterMs: 0 };
  }

  /** There is no other backend in this round. Undefined: it was the last round. */
  nextRound(random: () => number): NextStep | undefined {
    const { rounds, backoff } = this.#settings;
    if (this.#round >= rounds) return undefined;
    const pauseMs = Math.min(backoff * 2 ** (this.#round - 1), LONGEST_PAUSE_MS);
    this.#round += 1;
    this.#here = 0;
    this.tried.clear();
    Object.assign(this.#failed, { well: 0, reserve: 0, notWell: 0 });
    return { where: 'anyBackend', afterMs: pauseMs * (1 + JITTER * random()) };
  }

  /** The backend is not tried again in this round; what may be tried besides stays as much as before. */
  leave(backend: string): void {
    this.#here = 0;
    this.tried.add(backend);
  }

  /** False: a backend that it has tried `takesSessions` still. True: none does, and they are forgotten. */
  forgetUnless(takesSessions: (backend: string) => boolean): boolean {
    for (const backend of this.tried) if (takesSessions(backend)) return false;
    this.tried.clear();
    return true;
  }

  hasTried(backend: string): boolean {
    return this.tried.has(backend);
  }

  mayTry(group: Group, isFailing: boolean): boolean {
    const { attempts } = this.#settings;
    if (this.tried.size >= MOST_TRIED) return false;
    if (attempts !== undefined) return this.#failed[group] < attempts;
    return group !== 'notWell' || !isFailing || this.#failed[group] < MOST_NOT_WELL;
  }
}
