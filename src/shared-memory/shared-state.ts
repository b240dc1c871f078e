/**
 * Everything that control and all data planes see at once and that is counted by slot, as one thing that can be
 * handed to a worker; and, for control, who has which slot and what each upstream shares.
 *
 * Place: made once by control; each worker makes its own view of the same memory. What belongs to one upstream as a
 * whole is in upstream-state.ts.
 */
import { BackendFailures, type FailuresMemory } from './backend-failures.ts';
import { ElsewhereCounts } from './elsewhere-counts.ts';
import { LiveCounts, type CountsMemory } from './live-counts.ts';
import { MAX_SLOTS, SlotTable, type Slot } from './slot-table.ts';
import { TurnNumbers } from './turn-rings.ts';
import { UpstreamState, type UpstreamMemory, type UpstreamStateSize } from './upstream-state.ts';

export interface SharedSize {
  /** Threads that balance; default 1. */
  readonly workers?: number;
  /** Things that can have a slot at the same time; default `MAX_SLOTS`. */
  readonly slots?: number;
}

/** Can be posted. */
export interface SharedMemory {
  readonly counts: CountsMemory;
  readonly failures: FailuresMemory;
  readonly elsewhere: SharedArrayBuffer;
  readonly turns: SharedArrayBuffer;
}

export class SharedState {
  readonly memory: SharedMemory;
  readonly counts: LiveCounts;
  readonly failures: BackendFailures;
  /** All 0 unless counts are shared with other instances. */
  readonly elsewhere: ElsewhereCounts;
  /** All 0 unless backends take turns. */
  readonly turns: TurnNumbers;
  readonly #worker: number;

  /** @param worker whose view it is, numbered from 0 */
  constructor(memory: SharedMemory, worker = 0) {
    this.memory = memory;
    this.#worker = worker;
    this.counts = new LiveCounts(memory.counts, worker);
    this.failures = new BackendFailures(memory.failures, worker);
    this.elsewhere = new ElsewhereCounts(memory.elsewhere);
    this.turns = new TurnNumbers(memory.turns);
  }

  /** This thread's view of what an upstream shares. */
  viewOf(upstream: UpstreamMemory): UpstreamState {
    return new UpstreamState(upstream, this.#worker);
  }
}

/** Control's own: it also knows what each slot belongs to. */
export class ControlledState extends SharedState {
  readonly #slots: SlotTable;
  readonly #upstreams = new Map<string, UpstreamState>();

  constructor({ workers = 1, slots = MAX_SLOTS }: SharedSize = {}) {
    super({
      counts: LiveCounts.allocate(slots, workers),
      failures: BackendFailures.allocate(slots),
      elsewhere: ElsewhereCounts.allocate(slots),
      turns: TurnNumbers.allocate(slots),
    });
    this.#slots = new SlotTable(slots);
  }

  /** One more than the highest slot that was ever in use. */
  get slotsUsed(): number {
    return this.#slots.used;
  }

  /** Things that have a slot now. */
  get slotsHeld(): number {
    return this.#slots.size;
  }

  /** Throws LB4_TOO_MANY_SLOTS unless so many more things can have a slot. */
  expectRoom(more: number): void {
    this.#slots.expectRoom(more);
  }

  /** Throws LB4_TOO_MANY_SLOTS, as the others do. */
  slotOfBackend(upstream: string, backend: string): Slot {
    return this.#slots.take(backendKey(upstream, backend));
  }

  /** Nobody counts in the backend's slot any more, and nobody will: another backend may have it, as new. */
  freeBackend(upstream: string, backend: string): void {
    const key = backendKey(upstream, backend);
    const { index } = this.#slots.take(key);
    this.failures.clear(index);
    this.failures.withdrawTrial(index);
    this.elsewhere.set(index, 0);
    this.turns.clear(index);
    this.#slots.free(key);
  }

  slotOfListener(listener: string): number {
    return this.#slots.take(listenerKey(listener)).index;
  }

  /** It has gone, and so have its sessions. */
  freeListener(listener: string): void {
    this.#slots.free(listenerKey(listener));
  }

  /** Where the sessions that wait for an upstream are counted. */
  slotOfQueue(upstream: string): number {
    return this.#slots.take(queueKey(upstream)).index;
  }

  slotOfInstance(): number {
    return this.#slots.take('instance').index;
  }

  /** What a new upstream shares, or one that there is, with other sizes: what need not change keeps what it holds. */
  configureUpstream(name: string, size: Omit<UpstreamStateSize, 'workers'>): UpstreamState {
    const before = this.#upstreams.get(name);
    const { workers } = this.counts.memory;
    const memory = UpstreamState.allocate({ ...size, workers }, before?.memory);
    const state = memory === before?.memory ? before : new UpstreamState(memory);
    this.#upstreams.set(name, state);
    return state;
  }

  /** It has gone, and so have its sessions: nothing counts in its queue, no data plane has a plan of it. */
  freeUpstream(name: string): void {
    this.#upstreams.delete(name);
    this.#slots.free(queueKey(name));
  }

  /** Throws where it was not configured. */
  upstream(name: string): UpstreamState {
    const state = this.#upstreams.get(name);
    if (state === undefined) throw new RangeError(`no upstream ${name} was configured`);
    return state;
  }

  /** Takes out of the books what a dead worker held. */
  forget(worker: number): void {
    const { used } = this.#slots;
    this.counts.forget(worker, used);
    this.failures.forget(worker, used);
    for (const upstream of this.#upstreams.values()) upstream.forget(worker);
  }

  /** A worker stands still: sessions that wait elsewhere are not to wait for its own. */
  passBy(worker: number): void {
    for (const { queue } of this.#upstreams.values()) queue.forget(worker);
  }
}

const listenerKey = (listener: string): string => `listener\n${listener}`;
const queueKey = (upstream: string): string => `queue\n${upstream}`;

/** Names of upstreams have no line breaks, so no two backends share a key. */
function backendKey(upstream: string, backend: string): string {
  return `backend\n${upstream}\n${backend}`;
}
