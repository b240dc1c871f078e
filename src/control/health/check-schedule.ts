/**
 * When the checks of one upstream are made: the first check of a backend at once, each next one an interval after the
 * end of the one before.
 *
 * Place: the health checker and the agent checker define what a check is and the wait after it.
 * Invariants:
 * - A backend has one check at a time, so checks never pile up.
 * - Intervals vary at random, so that instances do not fall into step.
 * - A thousand new backends make no burst: beyond the first 20 their first checks are spread evenly over a second (or
 *   the interval, if that is shorter).
 * - Never more than 256 checks run at once; the others wait in the order in which they came due.
 */
import type { Cancel } from '../../engine/engine.ts';
import type { SetTimer } from '../../support/timer.ts';

const AT_ONCE = 20;
const TICK_MS = 10;
const SPREAD_MS = 1_000;
const MOST_AT_A_TIME = 256;

export interface ScheduleSettings {
  /** The usual time between two checks. */
  readonly intervalMs: number;
  /** Percent by which each wait varies, either way. */
  readonly jitter: number;
}

export interface ScheduleDeps {
  random(): number;
  readonly setTimer: SetTimer;
  /**
   * Begins a check. At its end it calls `over` with the wait before the next one: exactly once unless cancelled, and
   * possibly within this call.
   */
  begin(backend: string, over: (waitMs: number) => void): Cancel;
}

interface Check {
  readonly backend: string;
  cancel: Cancel;
}

export class CheckSchedule {
  readonly #settings: ScheduleSettings;
  readonly #deps: ScheduleDeps;
  readonly #checks = new Map<string, Check>();
  /** Checks that have not been made yet. Sets, because these keep the order, and deletion is cheap. */
  readonly #newcomers = new Set<Check>();
  /** Checks that came due while `MOST_AT_A_TIME` ran. */
  readonly #due = new Set<Check>();
  readonly #running = new Set<Check>();
  /** First checks that may still begin before the next tick. */
  #admissions = AT_ONCE;
  #perTick = 0;
  #cancelTick: Cancel | undefined;
  #isFilling = false;

  constructor(settings: ScheduleSettings, deps: ScheduleDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  has(backend: string): boolean {
    return this.#checks.has(backend);
  }

  /** Begins to check a backend. Without effect while it is checked already. */
  add(backend: string): void {
    if (this.#checks.has(backend)) return;
    const check: Check = { backend, cancel: () => undefined };
    this.#checks.set(backend, check);
    this.#newcomers.add(check);
    this.#admit();
  }

  /** Cancels what runs and what is scheduled for a backend. Idempotent. */
  remove(backend: string): void {
    const check = this.#checks.get(backend);
    if (check === undefined) return;
    this.#checks.delete(backend);
    this.#newcomers.delete(check);
    this.#due.delete(check);
    check.cancel();
    this.#running.delete(check);
    this.#fill();
  }

  /** Removes all backends; others may be added later. */
  stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#admissions = AT_ONCE;
    this.#newcomers.clear();
    this.#due.clear();
    for (const backend of [...this.#checks.keys()]) this.remove(backend);
  }

  #admit(): void {
    for (const check of this.#newcomers) {
      if (this.#admissions === 0) break;
      this.#admissions -= 1;
      this.#newcomers.delete(check);
      this.#start(check);
    }
    this.#cancelTick ??= this.#deps.setTimer(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#cancelTick = undefined;
    if (this.#newcomers.size === 0) {
      this.#perTick = 0;
      this.#admissions = AT_ONCE;
      return;
    }
    const ticks = Math.max(1, Math.min(SPREAD_MS, this.#settings.intervalMs) / TICK_MS);
    this.#perTick = Math.max(this.#perTick, Math.ceil(this.#newcomers.size / ticks));
    this.#admissions = this.#perTick;
    this.#admit();
  }

  #start(check: Check): void {
    if (this.#running.size >= MOST_AT_A_TIME) this.#due.add(check);
    else this.#run(check);
  }

  #run(check: Check): void {
    this.#running.add(check);
    // Set within the call of `begin`, when the check ends there.
    const end = { isOver: false };
    check.cancel = () => undefined;
    const cancel = this.#deps.begin(check.backend, waitMs => {
      end.isOver = true;
      this.#running.delete(check);
      if (this.#checks.get(check.backend) === check) this.#startLater(check, waitMs);
      this.#fill();
    });
    // After a check that ended within the call, `check.cancel` cancels its timer; if it was removed, there is none.
    if (end.isOver) return;
    if (this.#checks.get(check.backend) === check) check.cancel = cancel;
    else cancel();
  }

  #startLater(check: Check, waitMs: number): void {
    const delayMs = waitMs * (1 + (this.#settings.jitter / 100) * (2 * this.#deps.random() - 1));
    check.cancel = this.#deps.setTimer(() => this.#start(check), delayMs);
  }

  /** Runs due checks while there is room. */
  #fill(): void {
    // Checks that end within the call would come back here, one level deeper each.
    if (this.#isFilling) return;
    this.#isFilling = true;
    for (const check of this.#due) {
      if (this.#running.size >= MOST_AT_A_TIME) break;
      this.#due.delete(check);
      this.#run(check);
    }
    this.#isFilling = false;
  }
}
