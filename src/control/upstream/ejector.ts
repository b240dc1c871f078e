/**
 * Ejects the backends of one upstream, offers trials, and brings them back.
 *
 * Place: `Upstream` passes on what data planes and probes report; ejection.ts has the rules of time. Data planes count
 * failures in shared memory; this class clears the counts.
 * Invariants:
 * - A backend that is out already is not ejected.
 * - A trial is on offer exactly while its backend's phase is `trial`.
 * - A trial is announced once sessions may take it: not while checks hold the backend down.
 * - No timer outlives `stop`.
 */
import type { UpstreamConfig } from '../../config/schema/schema.ts';
import { formatDuration } from '../../support/duration.ts';
import type { Events } from '../../model/events.ts';
import type { BackendFailures, FailureKind } from '../../shared-memory/backend-failures.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { BackendRecord } from './backend-record.ts';
import { eject, isRefutedByProbe, NEVER_EJECTED, restore, toTrial } from './ejection.ts';

export interface EjectorDeps {
  readonly events: Events;
  readonly failures: BackendFailures;
  now(): number;
  random(): number;
  readonly setTimer: SetTimer;
  /** Whether the upstream can spare the backend. */
  mayEject(record: BackendRecord): boolean;
  /** Called when the phase of a backend has changed. */
  onChange(): void;
}

type EjectorConfig = Pick<UpstreamConfig, 'name' | 'ejection' | 'health'>;

function exchangesBytes({ health }: EjectorConfig): boolean {
  return health.type === 'http' || health.type === 'sendExpect';
}

export class Ejector {
  readonly #upstream: string;
  #settings: UpstreamConfig['ejection'];
  #probeExchangesBytes: boolean;
  readonly #deps: EjectorDeps;
  readonly #timers = new Map<BackendRecord, () => void>();
  /** On trial, with an event emitted. */
  readonly #announced = new Set<BackendRecord>();

  constructor(config: EjectorConfig, deps: EjectorDeps) {
    this.#upstream = config.name;
    this.#settings = config.ejection;
    this.#probeExchangesBytes = exchangesBytes(config);
    this.#deps = deps;
  }

  /** Other rules from now on; a backend that is out stays out for the time set when it was ejected. */
  configure(config: EjectorConfig): void {
    this.#settings = config.ejection;
    this.#probeExchangesBytes = exchangesBytes(config);
  }

  /** A data plane has counted as many failures in a row as its settings allow. */
  onFailing(record: BackendRecord, kind: FailureKind): void {
    if (record.ejection.phase !== 'none') return;
    // The report took a while: a success since then may have reset the count.
    const inARow = this.#deps.failures.inARow(record.slot, kind);
    if (inARow < this.#settings.failures || !this.#deps.mayEject(record)) return;
    this.#eject(record, kind, this.#reasonOf(record, kind, inARow));
  }

  /** The trial has a result; `failure` is undefined when it went well. */
  onTrialEnded(record: BackendRecord, failure: string | undefined): void {
    if (record.ejection.phase !== 'trial') return;
    if (failure === undefined) this.#restore(record, 'the session that tried it went well');
    else if (this.#settings.failures === Infinity) this.#restore(record, 'ejection is off');
    else this.#eject(record, record.ejection.cause, `the session that tried it failed: ${failure}`);
  }

  onProbePassed(record: BackendRecord): void {
    if (isRefutedByProbe(record.ejection, this.#probeExchangesBytes)) {
      this.#restore(record, 'a health check has passed');
    }
  }

  /** The backend is in maint: what it did before does not count any more. */
  pardon(record: BackendRecord): void {
    if (record.ejection.phase !== 'none') this.#restore(record, 'it is in maint');
    record.ejection = NEVER_EJECTED;
  }

  /** @param records backends whose trial sessions may take now */
  announceTrials(records: readonly BackendRecord[]): void {
    for (const record of records) {
      if (this.#announced.has(record)) continue;
      this.#announced.add(record);
      this.#deps.events.emit('backend:trial', { upstream: this.#upstream, backend: record.settings.id });
    }
  }

  /** The backend has gone; no event is emitted. */
  forget(record: BackendRecord): void {
    this.#announced.delete(record);
    this.#cancelTimer(record);
    this.#deps.failures.clear(record.slot);
    this.#deps.failures.withdrawTrial(record.slot);
  }

  stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #eject(record: BackendRecord, cause: FailureKind, reason: string): void {
    const { events, failures, setTimer } = this.#deps;
    const { base, max } = this.#settings;
    const times = { baseMs: base, maxMs: max };
    record.against.ejection = reason;
    record.ejection = eject(record.ejection, cause, times, this.#deps.now(), this.#deps.random());
    failures.withdrawTrial(record.slot);
    failures.clear(record.slot);
    this.#announced.delete(record);
    const { forMs } = record.ejection;
    this.#cancelTimer(record);
    this.#timers.set(
      record,
      setTimer(() => this.#offerTrial(record), forMs),
    );
    const { id } = record.settings;
    events.emit('backend:ejected', {
      upstream: this.#upstream,
      backend: id,
      reason,
      forMs,
      times: record.ejection.times,
    });
    this.#deps.onChange();
  }

  #offerTrial(record: BackendRecord): void {
    this.#timers.delete(record);
    record.ejection = toTrial(record.ejection);
    // Failures of sessions that began before the trial do not count.
    this.#deps.failures.clear(record.slot);
    this.#deps.failures.offerTrial(record.slot);
    this.#deps.onChange();
  }

  #restore(record: BackendRecord, reason: string): void {
    record.ejection = restore(record.ejection, this.#deps.now());
    this.forget(record);
    const { id } = record.settings;
    this.#deps.events.emit('backend:restored', { upstream: this.#upstream, backend: id, reason });
    this.#deps.onChange();
  }

  #cancelTimer(record: BackendRecord): void {
    this.#timers.get(record)?.();
    this.#timers.delete(record);
  }

  #reasonOf(record: BackendRecord, kind: FailureKind, inARow: number): string {
    if (kind === 'earlyClose') {
      const within = formatDuration(this.#settings.earlyClose);
      return inARow === 1
        ? `a session ended within ${within} without a byte`
        : `${inARow} sessions in a row ended within ${within} without a byte`;
    }
    return inARow === 1
      ? `a connect failed: ${record.lastFailure}`
      : `${inARow} connects in a row failed, the last: ${record.lastFailure}`;
  }
}
