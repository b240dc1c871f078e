/**
 * The backends of one source as they count: those of its last answer, and for a while some that are missing in it.
 *
 * Place: `Discovery` has one per source.
 * Why: a source that swaps between two answers, because two of its own servers disagree, would move clients about and
 * fill the log. A backend that leaves goes at once. One that was back soon after it had left has to be missing for
 * longer the next time, up to half a minute, before it goes again; then such a source has both answers together.
 * Invariants:
 * - What an answer has counts at once.
 * - The memory of what has left is bounded by what has left within a minute.
 */
import type { BackendConfig } from '../../config/schema/schema.ts';

/** A backend that comes back within this time after it has left is one that flaps. */
const FLAP_MS = 60_000;
const FIRST_HOLD_MS = 2_000;
const LONGEST_HOLD_MS = 30_000;

/** Of backends that have left; beyond that the one that left longest ago is forgotten, and goes at once the next time. */
const MOST_LEFT = 20_000;

interface Left {
  isMissing: boolean;
  /** When it was last found missing. */
  sinceMs: number;
  /** How long it has to be missing before it goes. */
  holdMs: number;
}

export class HeldSet {
  #answer: ReadonlyMap<string, BackendConfig> = new Map();
  /** Missing in the answer, and still counted. */
  readonly #held = new Map<string, BackendConfig>();
  /** Backends that have been missing lately, also while they are back; the one that left last is the last. */
  readonly #left = new Map<string, Left>();

  /** Takes an answer over; `expire` follows. `isFirm`: what is missing is meant to go, and nothing is held. */
  take(backends: readonly BackendConfig[], nowMs: number, isFirm = false): void {
    const before = this.#answer;
    this.#answer = new Map(backends.map(backend => [backend.id, backend]));
    for (const id of this.#answer.keys()) this.#returned(id, nowMs);
    for (const [id, backend] of before)
      if (!isFirm && !this.#answer.has(id)) this.#leaves(id, backend, nowMs);
    this.#forget(nowMs);
  }

  /** Lets those go that have been missing for long enough. Returns when the next one may go; undefined: none is held. */
  expire(nowMs: number): number | undefined {
    let nextMs = Infinity;
    for (const id of this.#held.keys()) {
      const { sinceMs, holdMs } = this.#left.get(id) ?? { sinceMs: nowMs, holdMs: 0 };
      if (sinceMs + holdMs <= nowMs) this.#held.delete(id);
      else nextMs = Math.min(nextMs, sinceMs + holdMs);
    }
    return nextMs === Infinity ? undefined : nextMs;
  }

  /** Those of the answer first. */
  *backends(): Iterable<BackendConfig> {
    yield* this.#answer.values();
    yield* this.#held.values();
  }

  get size(): number {
    return this.#answer.size + this.#held.size;
  }

  /** How many are missing in the answer and count all the same. */
  get held(): number {
    return this.#held.size;
  }

  /** How many that have been missing lately are remembered. */
  get remembered(): number {
    return this.#left.size;
  }

  #leaves(id: string, backend: BackendConfig, nowMs: number): void {
    const { holdMs } = this.#left.get(id) ?? { holdMs: 0 };
    this.#left.delete(id);
    this.#left.set(id, { isMissing: true, sinceMs: nowMs, holdMs });
    if (holdMs > 0) this.#held.set(id, backend);
  }

  #returned(id: string, nowMs: number): void {
    const left = this.#left.get(id);
    if (left?.isMissing !== true) return;
    this.#held.delete(id);
    left.isMissing = false;
    if (nowMs - left.sinceMs < FLAP_MS)
      left.holdMs = Math.min(Math.max(left.holdMs * 2, FIRST_HOLD_MS), LONGEST_HOLD_MS);
  }

  #forget(nowMs: number): void {
    for (const [id, { sinceMs }] of this.#left) {
      const isOld = nowMs - sinceMs >= FLAP_MS && !this.#held.has(id);
      if (!isOld && this.#left.size <= MOST_LEFT) break;
      this.#left.delete(id);
    }
  }
}
