/**
 * Rates, from totals of one look after the other, for the last minute.
 *
 * Place: top.ts adds each answer, view.ts reads. The time between two looks is the instance's own (`uptimeMs`), so an
 * answer that was late on its way changes no rate.
 */
import type { BackendView } from '../../model/snapshot.ts';
import type { StatusAnswer } from '../client/status.ts';

const LOOKS = 60;
/** Looks that follow each other more closely say nothing about a rate. */
const LEAST_MS = 50;

export class History {
  readonly #rates = new Map<string, number[]>();
  #before:
    | { readonly pid: number; readonly uptimeMs: number; readonly totals: ReadonlyMap<string, number> }
    | undefined;

  /** New sessions per second at every look, oldest first; empty before the second one. */
  get instance(): readonly number[] {
    return this.#rates.get('') ?? [];
  }

  upstream(name: string): readonly number[] {
    return this.#rates.get(keyOf(name, '')) ?? [];
  }

  backend(upstream: string, { backend }: BackendView): readonly number[] {
    return this.#rates.get(keyOf(upstream, backend)) ?? [];
  }

  add(status: StatusAnswer): void {
    const { pid, uptimeMs } = status;
    const totals = totalsOf(status);
    const before = this.#before;
    // Another process begins from 0.
    const isSame = before?.pid === pid && uptimeMs > before.uptimeMs;
    if (before !== undefined && isSame && uptimeMs - before.uptimeMs < LEAST_MS) return;
    this.#before = { pid, uptimeMs, totals };
    for (const key of this.#rates.keys()) if (!totals.has(key)) this.#rates.delete(key);
    if (before === undefined || !isSame) {
      if (before !== undefined) this.#rates.clear();
      return;
    }
    const seconds = (uptimeMs - before.uptimeMs) / 1000;
    for (const [key, total] of totals) {
      const earlier = before.totals.get(key);
      if (earlier === undefined) continue;
      const rates = this.#rates.get(key) ?? [];
      // A total falls when a worker has died, or a backend was added again.
      rates.push(Math.max(total - earlier, 0) / seconds);
      this.#rates.set(key, rates.slice(-LOOKS));
    }
  }
}

/** Sessions that ever began, by what began them; a backend's are those that it got a connection for. */
function totalsOf({ sessionsEver, upstreams }: StatusAnswer): Map<string, number> {
  const totals = new Map([['', sessionsEver]]);
  for (const { name, backends } of upstreams) {
    let sum = 0;
    for (const { backend, state, pool } of backends) {
      if (state === 'removed') continue;
      totals.set(keyOf(name, backend), pool.hits + pool.misses);
      sum += pool.hits + pool.misses;
    }
    totals.set(keyOf(name, ''), sum);
  }
  return totals;
}

function keyOf(upstream: string, backend: string): string {
  return `${upstream}\n${backend}`;
}
