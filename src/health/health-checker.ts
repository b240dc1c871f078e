/**
 * Probes every backend of one upstream on a schedule and reports when a verdict flips.
 *
 * Place: control. The schedule (here), the probe (probe.ts) and the hysteresis (rise-fall.ts) are three things.
 * Invariants: the first round starts at once and in parallel; a backend's next probe is scheduled when the one
 * before has ended, so probes never pile up; intervals vary by ±5 %, so that instances do not fall into step.
 */
import type { Cancel } from '../engine/engine.ts';
import type { Address } from '../support/address.ts';
import { setUnrefTimer, type SetTimer } from '../support/timer.ts';
import type { Probe, ProbeResult } from './probe.ts';
import { afterProbe, type Thresholds, type Verdict } from './rise-fall.ts';

const JITTER = 0.05;

export interface HealthSettings extends Thresholds {
  readonly intervalMs: number;
}

export interface HealthCheckerDeps {
  readonly probe: Probe;
  random(): number;
  readonly setTimer?: SetTimer;
  /** Where a backend is now; undefined while it has no address: then there is nothing to probe. */
  addressOf(backend: string): Address | undefined;
  onFlip(backend: string, healthy: boolean, reason: string): void;
}

interface Check {
  verdict: Verdict;
  cancel: Cancel;
}

export class HealthChecker {
  readonly #settings: HealthSettings;
  readonly #deps: HealthCheckerDeps;
  readonly #setTimer: SetTimer;
  readonly #checks = new Map<string, Check>();

  constructor(settings: HealthSettings, deps: HealthCheckerDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#setTimer = deps.setTimer ?? setUnrefTimer;
  }

  /** Begins to check these backends, which count as healthy until probes say otherwise. */
  start(backends: Iterable<string>): void {
    for (const backend of backends) {
      const check: Check = { verdict: { healthy: true, against: 0 }, cancel: () => undefined };
      this.#checks.set(backend, check);
      this.#probe(backend, check);
    }
  }

  stop(): void {
    for (const check of this.#checks.values()) check.cancel();
    this.#checks.clear();
  }

  #probe(backend: string, check: Check): void {
    const address = this.#deps.addressOf(backend);
    if (address === undefined) {
      this.#scheduleNext(backend, check);
      return;
    }
    // The probe may answer within the call; then the timer it leads to is what there is to cancel.
    const probing = { cancel: (): void => undefined };
    check.cancel = () => probing.cancel();
    probing.cancel = this.#deps.probe(address, result => {
      if (this.#checks.get(backend) !== check) return;
      this.#judge(backend, check, result);
      this.#scheduleNext(backend, check);
    });
  }

  #judge(backend: string, check: Check, result: ProbeResult): void {
    if (result.verdict === 'none') return;
    const before = check.verdict;
    check.verdict = afterProbe(before, result.verdict === 'passed', this.#settings);
    if (check.verdict.healthy === before.healthy) return;
    const { rise, fall } = this.#settings;
    const reason =
      result.verdict === 'passed'
        ? `${times(rise)} passed`
        : `${times(fall)} failed in a row, the last with: ${result.reason}`;
    this.#deps.onFlip(backend, check.verdict.healthy, reason);
  }

  #scheduleNext(backend: string, check: Check): void {
    const delayMs = this.#settings.intervalMs * (1 + JITTER * (2 * this.#deps.random() - 1));
    check.cancel = this.#setTimer(() => this.#probe(backend, check), delayMs);
  }
}

function times(count: number): string {
  return count === 1 ? '1 health check' : `${count} health checks`;
}
