/**
 * What a session says about its backend, for ejection: that it failed to connect, ended at once, or did well.
 *
 * Place: called by the dispatcher; counts in shared memory and reports to control when the threshold is reached.
 * Control decides (src/control/upstream/ejection.ts).
 * Invariants:
 * - Failures of this machine blame no backend.
 * - What happens on a parked connection says nothing: it may have died while it was unused.
 * - A trial is decided once, or given back.
 */
import { failureWords } from '../../support/failure-words.ts';
import { isOfThisMachine } from '../../engine/connect-failure.ts';
import type { Cancel, ConnectFailure, RelayOutcome } from '../../engine/engine.ts';
import type { Report } from '../../model/data-event.ts';
import type { FailureKind } from '../../shared-memory/backend-failures.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';

export interface EjectionSignalsDeps {
  readonly setTimer: SetTimer;
  readonly report: Report;
}

export function connectSucceeded(upstream: UpstreamRuntime, backend: BackendRuntime): void {
  upstream.failures.succeeded(backend.slot, 'connect');
}

export function connectFailed(
  upstream: UpstreamRuntime,
  backend: BackendRuntime,
  failure: ConnectFailure,
  trial: Trial | undefined,
  deps: EjectionSignalsDeps,
): void {
  if (isOfThisMachine(failure)) {
    trial?.giveBack();
    return;
  }
  countFailure(upstream, backend, 'connect', deps);
  trial?.end(failureWords(failure));
}

export interface SessionEnd {
  readonly outcome: RelayOutcome;
  /** Time since the connection was there. */
  readonly lastedMs: number;
  readonly trial: Trial | undefined;
}

/** For upstreams with `earlyClose` only. A session whose client left at once says nothing about the backend. */
export function sessionEnded(
  upstream: UpstreamRuntime,
  backend: BackendRuntime,
  { outcome, lastedMs, trial }: SessionEnd,
  deps: EjectionSignalsDeps,
): void {
  const { earlyClose } = upstream.plan.ejection;
  if (outcome.bytesFromBackend > 0 || lastedMs >= earlyClose) {
    upstream.failures.succeeded(backend.slot, 'earlyClose');
    trial?.end(undefined);
  } else if (outcome.by === 'backend') {
    countFailure(upstream, backend, 'earlyClose', deps);
    trial?.end('it ended the session without a byte');
  }
}

function countFailure(
  { plan: { name, ejection }, failures }: UpstreamRuntime,
  backend: BackendRuntime,
  kind: FailureKind,
  deps: EjectionSignalsDeps,
): void {
  // Also where nothing is ejected: a session that has failed once prefers backends whose last connect did not fail.
  if (failures.failed(backend.slot, kind) >= ejection.failures) {
    deps.report({ kind: 'backendFailing', upstream: name, backend: backend.id, cause: kind });
  }
}

/** The one session that tries an ejected backend. */
export class Trial {
  readonly #upstream: UpstreamRuntime;
  readonly #backend: BackendRuntime;
  readonly #deps: EjectionSignalsDeps;
  #isOpen = true;
  #cancelTimer: Cancel | undefined;

  constructor(upstream: UpstreamRuntime, backend: BackendRuntime, deps: EjectionSignalsDeps) {
    this.#upstream = upstream;
    this.#backend = backend;
    this.#deps = deps;
  }

  /** A connection is enough, unless one that ends at once is a failure: then it must last. */
  connected(): void {
    const { earlyClose } = this.#upstream.plan.ejection;
    if (earlyClose === 0) this.end(undefined);
    else this.#cancelTimer = this.#deps.setTimer(() => this.end(undefined), earlyClose);
  }

  end(failure: string | undefined): void {
    if (!this.#close()) return;
    const { name } = this.#upstream.plan;
    this.#deps.report({ kind: 'trialEnded', upstream: name, backend: this.#backend.id, failure });
  }

  /** The trial has shown nothing: another session may try the backend. */
  giveBack(): void {
    if (this.#close()) this.#upstream.failures.returnTrial(this.#backend.slot);
  }

  #close(): boolean {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#cancelTimer?.();
    return wasOpen;
  }
}
