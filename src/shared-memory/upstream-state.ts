/**
 * What all threads share of one upstream: how many sessions it has, the order of its queue, the clients it remembers,
 * the news of other instances, and whose turn it is.
 *
 * Place: control makes it with the upstream and puts its memory into the upstream's plan; each data plane makes a view
 * of its own. It ends with the upstream: nothing here has an index that another upstream could inherit.
 */
import { ElsewhereNews } from './elsewhere-counts.ts';
import { LiveCounts, type CountsMemory } from './live-counts.ts';
import { QueueOrder, type QueueMemory } from './queue-order.ts';
import { StickyTable, type StickyMemory, type StickySize } from './sticky-table.ts';
import { TurnRing, type TurnRingMemory } from './turn-rings.ts';

/** Can be posted. */
export interface UpstreamMemory {
  /** Changes whenever a part of the memory is replaced. The queue and the sessions never are. */
  readonly version: number;
  readonly sessions: CountsMemory;
  readonly queue: QueueMemory;
  /** Undefined: it remembers no clients. */
  readonly sticky: StickyMemory | undefined;
  /** Undefined: nothing is shared with other instances. */
  readonly news: SharedArrayBuffer | undefined;
  /** Undefined: its backends do not take turns. */
  readonly rings: { readonly main: TurnRingMemory; readonly reserve: TurnRingMemory } | undefined;
}

/** The only slot of `sessions`. */
export const UPSTREAM_SESSIONS = 0;

/** The rings of the backends that take sessions, and of the backups that stand by. */
export interface TurnRings {
  readonly main: TurnRing;
  readonly reserve: TurnRing;
}

export interface UpstreamStateSize {
  /** Threads that balance. */
  readonly workers: number;
  /** Default: it remembers no clients. */
  readonly sticky?: StickySize | undefined;
  /** Whether counts are shared with other instances; default false. */
  readonly mirrored?: boolean;
  /** Whether its backends take turns (`roundrobin`); default false. */
  readonly takesTurns?: boolean;
}

export class UpstreamState {
  readonly memory: UpstreamMemory;
  /** Sessions that have a backend of the upstream, whichever it is. */
  readonly sessions: LiveCounts;
  readonly queue: QueueOrder;
  readonly sticky: StickyTable | undefined;
  readonly news: ElsewhereNews | undefined;
  readonly rings: TurnRings | undefined;

  /** @param worker whose view it is, numbered from 0 */
  constructor(memory: UpstreamMemory, worker = 0) {
    this.memory = memory;
    this.sessions = new LiveCounts(memory.sessions, worker);
    this.queue = new QueueOrder(memory.queue, worker);
    this.sticky = memory.sticky && StickyTable.forWorker(memory.sticky, worker);
    this.news = memory.news && new ElsewhereNews(memory.news);
    this.rings = memory.rings && {
      main: new TurnRing(memory.rings.main, worker),
      reserve: new TurnRing(memory.rings.reserve, worker),
    };
  }

  /**
   * Control only. `old`: what the upstream has shared so far; a part whose size is the same stays, with its contents.
   */
  static allocate(size: UpstreamStateSize, old?: UpstreamMemory): UpstreamMemory {
    const { workers, sticky, mirrored = false, takesTurns = false } = size;
    const parts = {
      sticky: StickyTable.resized(old?.sticky, sticky),
      news: mirrored ? (old?.news ?? new ElsewhereNews().memory) : undefined,
      rings: takesTurns
        ? (old?.rings ?? { main: TurnRing.allocate(), reserve: TurnRing.allocate() })
        : undefined,
    };
    const isSame =
      old !== undefined &&
      old.sticky === parts.sticky &&
      old.news === parts.news &&
      old.rings === parts.rings;
    if (isSame) return old;
    const queue = old?.queue ?? QueueOrder.allocate(workers);
    const sessions = old?.sessions ?? LiveCounts.allocate(1, workers);
    return { version: (old?.version ?? 0) + 1, sessions, queue, ...parts };
  }

  /** Removes what a dead worker held. Control only. */
  forget(worker: number): void {
    this.sessions.forget(worker, 1);
    this.queue.forget(worker);
    this.sticky?.forget(worker);
    this.rings?.main.forget(worker);
    this.rings?.reserve.forget(worker);
  }
}
