/**
 * The token for one pick: the session holds its backend, and is counted there, from the pick to its end.
 *
 * Place: made by the picker, carried by the session. Counting at the pick, not after the connect, keeps a
 * burst of simultaneous clients from landing on one backend (peers: nginx get_peer/free_peer, Finagle's heap).
 * Invariant: released exactly once; a second release is a bug and throws.
 */
import { Lb4Error } from '../../errors.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import type { Group, PickerCandidate } from './candidate.ts';

export class Lease {
  readonly backend: BackendRuntime;
  /** It is the one session that tries an ejected backend. */
  readonly isTrial: boolean;
  /** The backend is a backup that stood by. */
  readonly isReserve: boolean;
  /** The limit that an attempt at it counts towards. */
  readonly group: Group;
  readonly #onRelease: (backend: BackendRuntime) => void;
  #released = false;

  /** @param onRelease takes the session out of the counts */
  constructor(
    { runtime, trial, reserve, group }: Pick<PickerCandidate, 'runtime' | 'trial' | 'reserve' | 'group'>,
    onRelease: (backend: BackendRuntime) => void,
  ) {
    this.backend = runtime;
    this.isTrial = trial;
    this.isReserve = reserve;
    this.group = group;
    this.#onRelease = onRelease;
  }

  release(): void {
    if (this.#released) {
      throw new Lb4Error('LB4_LEASE_RELEASED_TWICE', `the lease of ${this.backend.id} was released twice`);
    }
    this.#released = true;
    this.#onRelease(this.backend);
  }
}
