/**
 * Says when a certificate in use is about to expire: two weeks before, and again each day.
 *
 * Place: composition has one, while a configuration has certificates.
 */
import { WARNED_DAYS } from '../../model/words.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { LoadedCertificate } from './load-tls.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

export interface ExpiryWatchDeps {
  /** In milliseconds. */
  wallClock(): number;
  readonly setTimer: SetTimer;
  /** Less than `WARNED_DAYS` are left; negative: it has expired. */
  onExpiring(certificate: LoadedCertificate, daysLeft: number): void;
}

export class ExpiryWatch {
  readonly #deps: ExpiryWatchDeps;
  #certificates: readonly LoadedCertificate[] = [];
  /** When it was last said, by certificate and place. */
  #saidMs = new Map<string, number>();
  #cancel: (() => void) | undefined;

  constructor(deps: ExpiryWatchDeps) {
    this.#deps = deps;
  }

  /** These are in use from now on. */
  follow(certificates: readonly LoadedCertificate[]): void {
    this.#certificates = certificates;
    const keys = new Set(certificates.map(keyOf));
    for (const key of this.#saidMs.keys()) if (!keys.has(key)) this.#saidMs.delete(key);
    this.#look();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#certificates = [];
  }

  #look(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const now = this.#deps.wallClock();
    for (const each of this.#certificates) {
      const left = daysLeft(each.notAfter, now);
      const saidMs = this.#saidMs.get(keyOf(each));
      if (left >= WARNED_DAYS || (saidMs !== undefined && now - saidMs < DAY_MS)) continue;
      this.#saidMs.set(keyOf(each), now);
      this.#deps.onExpiring(each, left);
    }
    if (this.#certificates.length > 0) this.#cancel = this.#deps.setTimer(() => this.#look(), HOUR_MS);
  }
}

/** Whole days; negative once it has expired. */
export function daysLeft(notAfter: number, now: number): number {
  return Math.floor((notAfter - now) / DAY_MS);
}

function keyOf({ owner, of, file, id }: LoadedCertificate): string {
  return JSON.stringify([owner, of, file, id]);
}
