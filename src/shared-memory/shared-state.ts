/**
 * Everything that control and all data planes see at once, as one thing that can be handed to a worker.
 *
 * Place: made by `create-data-plane.ts`; each worker makes its own view of the same memory.
 */
import { BackendFailures, type FailuresMemory } from './backend-failures.ts';
import { LiveCounts, type CountsMemory, type CountsSize } from './live-counts.ts';

/** Can be posted. */
export interface SharedMemory {
  readonly counts: CountsMemory;
  readonly failures: FailuresMemory;
}

export class SharedState {
  readonly counts: LiveCounts;
  readonly failures: BackendFailures;

  private constructor(counts: LiveCounts, failures: BackendFailures) {
    this.counts = counts;
    this.failures = failures;
  }

  /** Control's own. */
  static create(size: CountsSize): SharedState {
    const counts = new LiveCounts(size);
    return new SharedState(counts, new BackendFailures(counts.memory.slots));
  }

  /** The view of one worker, numbered from 0. */
  static forWorker(memory: SharedMemory, worker: number): SharedState {
    return new SharedState(
      LiveCounts.forWorker(memory.counts, worker),
      BackendFailures.forWorker(memory.failures, worker),
    );
  }

  get memory(): SharedMemory {
    return { counts: this.counts.memory, failures: this.failures.memory };
  }

  /** Takes out of the books what a dead worker held. */
  forget(worker: number): void {
    this.counts.forget(worker);
    this.failures.forget(worker);
  }
}
