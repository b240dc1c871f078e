/**
 * Backends that register themselves, and again and again as a heartbeat.
 *
 * Place: `{ type: registration }` of `discovery`; the admin API passes registrations on. It is asked nothing, so it never
 * fails.
 * Invariants:
 * - A backend whose heartbeat is missing for its whole time gets no new sessions; after twice that time it is gone.
 * - A clock that jumps matters little: times are those of a monotonic clock.
 * - No more than `max` are registered, and nothing is remembered of those that have gone.
 */
import type { BackendConfig } from '../../config/schema/schema.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { DiscoverySource, Registry, SourceReports } from './source.ts';

export interface RegistrationDeps {
  readonly setTimer: SetTimer;
  now(): number;
}

interface Registered {
  readonly backend: BackendConfig;
  readonly ttlMs: number;
  /** When its last heartbeat came. */
  readonly sinceMs: number;
  readonly isLate: boolean;
}

export class RegistrationSource implements DiscoverySource, Registry {
  readonly longestMs: number;
  readonly #max: number;
  readonly #deps: RegistrationDeps;
  readonly #registered = new Map<string, Registered>();
  #reports: SourceReports | undefined;
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  constructor({ ttl, max }: { readonly ttl: number; readonly max: number }, deps: RegistrationDeps) {
    this.longestMs = ttl;
    this.#max = max;
    this.#deps = deps;
  }

  get registry(): Registry {
    return this;
  }

  start(reports: SourceReports): void {
    this.#reports = reports;
    queueMicrotask(() => this.#report());
  }

  stop(): void {
    this.#reports = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  has(backend: string): boolean {
    return this.#registered.has(backend);
  }

  register(backend: BackendConfig, ttlMs: number): 'new' | 'known' | 'full' {
    const before = this.#registered.get(backend.id);
    if (before === undefined && this.#registered.size >= this.#max) return 'full';
    const sinceMs = this.#deps.now();
    this.#registered.set(backend.id, { backend, ttlMs, sinceMs, isLate: false });
    // Most heartbeats change nothing.
    if (before === undefined || before.isLate || !isSame(before.backend, backend)) this.#report();
    this.#lookAt(sinceMs + ttlMs);
    return before === undefined ? 'new' : 'known';
  }

  unregister(backend: string): boolean {
    if (!this.#registered.delete(backend)) return false;
    this.#report();
    return true;
  }

  #report(): void {
    const named = [...this.#registered.values()].map(({ backend, isLate }): BackendConfig =>
      isLate ? { ...backend, drains: true } : backend,
    );
    this.#reports?.found(named, true);
  }

  /** One timer, for whatever is due first. */
  #lookAt(atMs: number): void {
    if (this.#reports === undefined || (this.#timer !== undefined && this.#timer.atMs <= atMs)) return;
    this.#timer?.cancel();
    const cancel = this.#deps.setTimer(
      () => {
        this.#timer = undefined;
        this.#look();
      },
      Math.max(1, atMs - this.#deps.now()),
    );
    this.#timer = { atMs, cancel };
  }

  #look(): void {
    const nowMs = this.#deps.now();
    let nextMs = Infinity;
    let isNews = false;
    for (const [id, each] of this.#registered) {
      const silentMs = nowMs - each.sinceMs;
      if (silentMs >= 2 * each.ttlMs) {
        this.#registered.delete(id);
        isNews = true;
        continue;
      }
      const isLate = silentMs >= each.ttlMs;
      if (isLate !== each.isLate) {
        this.#registered.set(id, { ...each, isLate });
        isNews = true;
      }
      nextMs = Math.min(nextMs, each.sinceMs + (isLate ? 2 : 1) * each.ttlMs);
    }
    if (isNews) this.#report();
    if (nextMs !== Infinity) this.#lookAt(nextMs);
  }
}

function isSame(one: BackendConfig, other: BackendConfig): boolean {
  return one.weight === other.weight && one.maxSessions === other.maxSessions && one.backup === other.backup;
}
