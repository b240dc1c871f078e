/**
 * Checks every backend of one upstream and reports when a verdict flips.
 *
 * Place: control. The schedule (check-schedule.ts), the probe (create-probe.ts), the hysteresis (rise-fall.ts) and
 * the hurry after a first sign (confirmation.ts) are four things; here they meet.
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
  /** While the verdict is down. */
  readonly intervalDownMs: number;
  /** While results contradict the verdict: from the beginning of one check to that of the next. */
  readonly intervalChangingMs: number;
  /** Percent by which each interval varies, either way. */
  readonly jitter: number;
  /** What a new backend is taken for: `checked` is down until the first result, which decides alone. */
  readonly initial: 'up' | 'down' | 'checked';
}

export interface HealthCheckerDeps {
  readonly probe: Probe;
  now(): number;
  random(): number;
  readonly setTimer: SetTimer;
  /** Where a backend is now; nowhere while it has no address: then it is looked at again an interval later. */
  addressesOf(backend: string): readonly Address[];
  /** A result has come: told before the flip it may lead to. */
  onProbe?(backend: string, result: ProbeResult): void;
  /** A check of a backend that counts as healthy has failed, and does not change that yet. */
  onFailed?(backend: string, failure: CheckFailure): void;
  onFlip(backend: string, healthy: boolean, reason: string): void;
}

export interface CheckFailure {
  readonly reason: string;
  /** How many have failed in a row, and how many of them take the backend out. */
  readonly inARow: number;
  readonly fall: number;
}

interface State {
  readonly addresses: AddressWalk;
  verdict: Verdict;
  /** The first result decides alone, and has not come yet. */
  isOpen: boolean;
}

/** Without `intervalChanging`. */
const HURRIED_MS = 500;

/** The settings of a checker as the configuration has them. */
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
   * Begins to check a backend, by its configured address. `healthy`: what is known of it already, because other checks
   * came before these; absent: what `initial` says. Without effect while it is checked already.
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

  /** Checks that may be made at once: all that it takes to change the verdict, once one has contradicted it. */
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
    // That report may have had the backend removed.
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

  /** @param tookMs since it began, or the first of several */
  #waitAfter({ verdict }: State, tookMs: number): number {
    const { intervalMs, intervalDownMs, intervalChangingMs } = this.#settings;
    if (verdict.against > 0) return Math.max(intervalChangingMs - tookMs, 0);
    return verdict.healthy ? intervalMs : intervalDownMs;
  }
}

function times(count: number): string {
  return count === 1 ? '1 health check' : `${count} health checks`;
}
