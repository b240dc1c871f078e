/**
 * Checks every backend of one upstream and reports when a verdict flips.
 *
 * Place: control. Joins the schedule (check-schedule.ts), the probe (create-probe.ts), the hysteresis (rise-fall.ts),
 * and the quick further checks after a first contrary result (confirmation.ts).
 * Invariant: a probe that could not be made changes nothing.
 */
import type { HealthConfig } from '../../config/schema/schema.ts';
import { AddressWalk } from '../../engine/address-walk.ts';
import type { Cancel } from '../../engine/engine.ts';
import type { Address } from '../../support/address.ts';
import type { SetTimer } from '../../support/timer.ts';
import { checkAddresses, type CheckPlace } from './check-address.ts';
import { CheckSchedule } from './check-schedule.ts';
import { confirm } from './confirmation.ts';
import type { Probe, ProbeResult } from './probe.ts';
import { afterProbe, type Thresholds, type Verdict } from './rise-fall.ts';

export interface HealthSettings extends Thresholds, CheckPlace {
  readonly intervalMs: number;
  /** The interval while the verdict is down. */
  readonly intervalDownMs: number;
  /** The interval while results contradict the verdict: from the beginning of one check to that of the next. */
  readonly intervalChangingMs: number;
  /** Percent by which each interval varies, either way. */
  readonly jitter: number;
  /** Verdict on a new backend. `checked`: down until the first result, which decides alone. */
  readonly initial: 'up' | 'down' | 'checked';
}

export interface HealthCheckerDeps {
  readonly probe: Probe;
  now(): number;
  random(): number;
  readonly setTimer: SetTimer;
  /** The addresses of a backend now. While it has none, the checker looks again an interval later. */
  addressesOf(backend: string): readonly Address[];
  /** A result has come; called before any `onFlip` from it. */
  onProbe?(backend: string, result: ProbeResult): void;
  /** A check has failed, and the backend still counts as healthy. */
  onFailed?(backend: string, failure: CheckFailure): void;
  onFlip(backend: string, healthy: boolean, reason: string): void;
}

export interface CheckFailure {
  readonly reason: string;
  /** Failures in a row so far, and the number of them that takes the backend out. */
  readonly inARow: number;
  readonly fall: number;
}

interface State {
  readonly addresses: AddressWalk;
  verdict: Verdict;
  /** Whether the first result, which has not come yet, decides alone. */
  isOpen: boolean;
}

/** `intervalChangingMs` at most, unless `intervalChanging` is configured. */
const HURRIED_MS = 500;

/** The configuration's settings, as the checker takes them. */
export function healthSettings(health: HealthConfig): HealthSettings {
  const { interval, intervalDown, intervalChanging, jitter, rise, fall, initial, address, port } = health;
  return {
    intervalMs: interval,
    intervalDownMs: intervalDown ?? interval,
    intervalChangingMs: intervalChanging ?? Math.min(HURRIED_MS, interval),
    ...{ jitter, rise, fall, initial, address, port },
  };
}

/** Whether a backend that was never checked counts as healthy. */
export function isInitiallyHealthy({ initial }: Pick<HealthSettings, 'initial'>): boolean {
  return initial === 'up';
}

export class HealthChecker {
  readonly #settings: HealthSettings;
  readonly #deps: HealthCheckerDeps;
  readonly #schedule: CheckSchedule;
  readonly #states = new Map<string, State>();

  constructor(settings: HealthSettings, deps: HealthCheckerDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#schedule = new CheckSchedule(settings, {
      random: () => deps.random(),
      setTimer: deps.setTimer,
      begin: (backend, over) => this.#begin(backend, over),
    });
  }

  /**
   * Begins to check a backend, named by its configured address. `healthy`: the verdict of other checks before these;
   * absent: what `initial` says. Without effect while the backend is checked already.
   */
  add(backend: string, { healthy }: { readonly healthy?: boolean } = {}): void {
    if (this.#schedule.has(backend)) return;
    this.#states.set(backend, {
      addresses: new AddressWalk(() => this.#deps.now()),
      verdict: { healthy: healthy ?? isInitiallyHealthy(this.#settings), against: 0 },
      isOpen: healthy === undefined && this.#settings.initial === 'checked',
    });
    this.#schedule.add(backend);
  }

  /** Stops checking a backend and forgets its verdict. Idempotent. */
  remove(backend: string): void {
    this.#states.delete(backend);
    this.#schedule.remove(backend);
  }

  /** Removes all backends. */
  stop(): void {
    this.#states.clear();
    this.#schedule.stop();
  }

  #begin(backend: string, over: (waitMs: number) => void): Cancel {
    const state = this.#states.get(backend);
    state?.addresses.update(checkAddresses(this.#settings, this.#deps.addressesOf(backend)));
    if (state === undefined || state.addresses.isEmpty) {
      over(this.#settings.intervalMs);
      return () => undefined;
    }
    const { addresses } = state;
    const { setTimer, probe } = this.#deps;
    const begunMs = this.#deps.now();
    return confirm(this.#needed(state), this.#settings.intervalChangingMs, {
      setTimer,
      probe: done => probe({ addresses, backend }, done),
      onResult: result => {
        this.#judge(backend, state, result);
        return state.verdict.against === 0;
      },
      onOver: () => over(this.#waitAfter(state, this.#deps.now() - begunMs)),
    });
  }

  /** Checks to make in quick succession: once one has contradicted the verdict, all that it takes to change it. */
  #needed({ verdict: { healthy, against } }: State): number {
    const { rise, fall } = this.#settings;
    return against === 0 ? 1 : (healthy ? fall : rise) - against;
  }

  #judge(backend: string, state: State, result: ProbeResult): void {
    if (result.verdict === 'none') return;
    const passed = result.verdict === 'passed';
    const before = state.verdict;
    const thresholds = state.isOpen ? { rise: 1, fall: 1 } : this.#settings;
    state.isOpen = false;
    state.verdict = afterProbe(before, passed, thresholds);
    this.#deps.onProbe?.(backend, result);
    // `onProbe` may have removed the backend.
    if (this.#states.get(backend) !== state) return;
    const { healthy, against } = state.verdict;
    if (healthy !== before.healthy) {
      const reason = passed
        ? `${times(thresholds.rise)} passed`
        : `${times(thresholds.fall)} failed in a row, the last with: ${result.reason}`;
      this.#deps.onFlip(backend, passed, reason);
    } else if (healthy && !passed) {
      this.#deps.onFailed?.(backend, { reason: result.reason, inARow: against, fall: thresholds.fall });
    }
  }

  /** @param tookMs since the check began, or the first one of several */
  #waitAfter({ verdict }: State, tookMs: number): number {
    const { intervalMs, intervalDownMs, intervalChangingMs } = this.#settings;
    if (verdict.against > 0) return Math.max(intervalChangingMs - tookMs, 0);
    return verdict.healthy ? intervalMs : intervalDownMs;
  }
}

function times(count: number): string {
  return count === 1 ? '1 health check' : `${count} health checks`;
}
