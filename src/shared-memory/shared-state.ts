/**
 * Everything that control and all data planes see at once, as one thing that can be handed to a worker.
 *
 * Place: made by `create-data-plane.ts`; each worker makes its own view of the same memory.
 */
import { BackendFailures, type FailuresMemory } from './backend-failures.ts';
import { ElsewhereCounts, type ElsewhereMemory } from './elsewhere-counts.ts';
import { LiveCounts, type CountsMemory, type CountsSize } from './live-counts.ts';
import { QueueOrder, type QueueMemory } from './queue-order.ts';
import { StickyTable, type StickyMemory, type StickySize } from './sticky-table.ts';

export interface SharedSize extends CountsSize {
  /** Per upstream, in their order; undefined: it remembers no clients. Default: none does. */
  readonly sticky?: readonly (StickySize | undefined)[];
  /** Whether counts are shared with other instances; default false. */
  readonly mirrored?: boolean;
}

/** Can be posted. */
export interface SharedMemory {
  readonly counts: CountsMemory;
  readonly failures: FailuresMemory;
  readonly queues: QueueMemory;
  readonly sticky: readonly (StickyMemory | undefined)[];
  readonly elsewhere: ElsewhereMemory | undefined;
}

export class SharedState {
  readonly counts: LiveCounts;
  readonly failures: BackendFailures;
  readonly queues: QueueOrder;
  /** Undefined: nothing is shared with other instances. */
  readonly elsewhere: ElsewhereCounts | undefined;
  readonly #sticky: readonly (StickyTable | undefined)[];

  private constructor(
    counts: LiveCounts,
    failures: BackendFailures,
    queues: QueueOrder,
    sticky: readonly (StickyTable | undefined)[],
    elsewhere: ElsewhereCounts | undefined,
  ) {
    this.counts = counts;
    this.failures = failures;
    this.queues = queues;
    this.#sticky = sticky;
    this.elsewhere = elsewhere;
  }

  /** Control's own. */
  static create(size: SharedSize): SharedState {
    const { upstreams = 0, workers = 1, sticky = [], mirrored = false } = size;
    const counts = new LiveCounts(size);
    return new SharedState(
      counts,
      new BackendFailures(counts.memory.slots),
      new QueueOrder(upstreams, workers),
      sticky.map(each => each && new StickyTable(each)),
      mirrored ? new ElsewhereCounts(counts.memory.slots, upstreams) : undefined,
    );
  }

  /** The view of one worker, numbered from 0. */
  static forWorker(memory: SharedMemory, worker: number): SharedState {
    return new SharedState(
      LiveCounts.forWorker(memory.counts, worker),
      BackendFailures.forWorker(memory.failures, worker),
      QueueOrder.forWorker(memory.queues, worker),
      memory.sticky.map(each => each && StickyTable.forWorker(each, worker)),
      memory.elsewhere && ElsewhereCounts.over(memory.elsewhere),
    );
  }

  get memory(): SharedMemory {
    return {
      counts: this.counts.memory,
      failures: this.failures.memory,
      queues: this.queues.memory,
      sticky: this.#sticky.map(each => each?.memory),
      elsewhere: this.elsewhere?.memory,
    };
  }

  /**
   * The clients that an upstream remembers; undefined: none.
   * @param upstream its number, in the order of the configuration: the same as in `queues`
   */
  sticky(upstream: number): StickyTable | undefined {
    return this.#sticky[upstream];
  }

  /** Takes out of the books what a dead worker held. */
  forget(worker: number): void {
    this.counts.forget(worker);
    this.failures.forget(worker);
    this.queues.forget(worker);
    for (const table of this.#sticky) table?.forget(worker);
  }
}
