/**
 * One backend as a picker and its strategies see it: its share, its room, and how it is doing.
 *
 * Place: made by the picker from each plan. Live counts, failures and trials are read from shared memory at each
 * pick, because every worker changes them.
 */
import type { Candidate } from '../../../strategies/index.ts';
import type { SharedState } from '../../shared-memory/shared-state.ts';
import type { BackendRuntime } from './backend-runtime.ts';

/** A backend that sessions may get, as a plan has it. */
export interface PickableBackend {
  readonly runtime: BackendRuntime;
  readonly weight: number;
  readonly maxSessions: number | undefined;
  /** Only the one session that takes the trial may have it. */
  readonly trial: boolean;
  /** A backup that stands by for sessions that find no other backend. */
  readonly reserve: boolean;
  /** Neither checks nor the agent hold it down, and it is not ejected. */
  readonly well: boolean;
}

/** Backends of one group share a limit of `connect.attempts`. */
export type Group = 'well' | 'reserve' | 'notWell';

export class PickerCandidate implements Candidate {
  readonly id: string;
  readonly weight: number;
  readonly maxSessions: number | undefined;
  readonly runtime: BackendRuntime;
  readonly trial: boolean;
  readonly reserve: boolean;
  readonly well: boolean;
  readonly group: Group;
  readonly #shared: SharedState;

  constructor(backend: PickableBackend, shared: SharedState) {
    this.id = backend.runtime.id;
    this.weight = backend.weight;
    this.maxSessions = backend.maxSessions;
    this.runtime = backend.runtime;
    this.trial = backend.trial;
    this.reserve = backend.reserve;
    this.well = backend.well;
    this.group = !backend.well && !backend.trial ? 'notWell' : backend.reserve ? 'reserve' : 'well';
    this.#shared = shared;
  }

  live(): number {
    return this.#shared.counts.live(this.runtime.slot);
  }

  elsewhere(): number {
    return this.#shared.elsewhere.count(this.runtime.slot);
  }

  isFull(): boolean {
    return this.maxSessions !== undefined && this.live() >= this.maxSessions;
  }

  /** Another session holds the trial already. */
  isTried(): boolean {
    return this.trial && !this.#shared.failures.isTrialOnOffer(this.runtime.slot);
  }

  /** The last session, over all workers, that showed how the backend is doing has failed. */
  isFailing(): boolean {
    const { failures } = this.#shared;
    const { slot } = this.runtime;
    return failures.inARow(slot, 'connect') > 0 || failures.inARow(slot, 'earlyClose') > 0;
  }

  /** Counts a session in, and takes the trial if the session would be it. */
  take(): boolean {
    const { counts, failures } = this.#shared;
    const { slot } = this.runtime;
    if (this.trial && !failures.takeTrial(slot)) return false;
    if (counts.take(slot, this.maxSessions)) return true;
    if (this.trial) failures.returnTrial(slot);
    return false;
  }
}
