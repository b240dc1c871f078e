/**
 * The memory that control and all data planes share and that has a cell per slot, as one value that can be posted to a
 * worker. For control also the owner of each slot, and what each upstream shares.
 *
 * Place: made once by control; each worker makes its own view of the same memory. What belongs to one upstream as a
 * whole is in upstream-state.ts.
 */
import { BackendFailures, type FailuresMemory } from './backend-failures.ts';
import { ByteTimes } from './byte-times.ts';
import { ControlledCounters, Counters, type CountersMemory } from './counters/counters.ts';
import { WORKER_DIED } from './counters/endings.ts';
import { ClientTable, type ClientTableMemory } from './client-table.ts';
import { ClientTables, type ClientTableKind } from './client-tables.ts';
import { BACKEND, LISTENER, UPSTREAM } from './counters/layout.ts';
import { ElsewhereCounts } from './elsewhere-counts.ts';
import { LiveCounts, type CountsMemory } from './live-counts.ts';
import { MAX_SLOTS, SlotTable, type Slot } from './slot-table.ts';
import { StartRates } from './start-rates.ts';
import { TurnNumbers } from './turn-rings.ts';
import { UpstreamState, type UpstreamMemory, type UpstreamStateSize } from './upstream-state.ts';

export interface SharedSize {
  /** Threads that balance; default 1. */
  readonly workers?: number;
  /** How many these may become (`expectWorkers`); default: no more. */
  readonly mostWorkers?: number;
  /** Backends, listeners, queues and so on that can have a slot at the same time; default `MAX_SLOTS`. */
  readonly slots?: number;
}

/** Can be posted. */
export interface SharedMemory {
  readonly counts: CountsMemory;
  readonly failures: FailuresMemory;
  readonly elsewhere: SharedArrayBuffer;
  readonly turns: SharedArrayBuffer;
  readonly byteTimes: SharedArrayBuffer;
  readonly startRates: SharedArrayBuffer;
  readonly counters: CountersMemory;
}

export class SharedState {
  readonly memory: SharedMemory;
  readonly counts: LiveCounts;
  readonly failures: BackendFailures;
  /** All 0 unless counts are shared with other instances. */
  readonly elsewhere: ElsewhereCounts;
  /** All 0 unless backends take turns. */
  readonly turns: TurnNumbers;
  /** Untouched where no listener has a limit of bandwidth. */
  readonly byteTimes: ByteTimes;
  /** Of listeners with a rate. */
  readonly startRates: StartRates;
  /** What has happened so far, for metrics. */
  readonly counters: Counters;
  readonly #worker: number;

  /** @param worker whose view it is, numbered from 0 */
  constructor(memory: SharedMemory, worker = 0, counters = new Counters(memory.counters, worker)) {
    this.memory = memory;
    this.counters = counters;
    this.#worker = worker;
    this.counts = new LiveCounts(memory.counts, worker);
    this.failures = new BackendFailures(memory.failures, worker);
    this.elsewhere = new ElsewhereCounts(memory.elsewhere);
    this.turns = new TurnNumbers(memory.turns);
    this.byteTimes = new ByteTimes(memory.byteTimes);
    this.startRates = new StartRates(memory.startRates);
  }

  /** This thread's view of what an upstream shares. */
  viewOf(upstream: UpstreamMemory): UpstreamState {
    return new UpstreamState(upstream, this.#worker);
  }

  /** This thread's view of a table of clients. */
  viewOfClients(memory: ClientTableMemory): ClientTable {
    return new ClientTable(memory, this.#worker);
  }
}

/** For control: also has the owner of each slot. */
export class ControlledState extends SharedState {
  /** Control's own row. */
  readonly controlled: ControlledCounters;
  readonly #slots: SlotTable;
  readonly #clientTables: ClientTables;
  readonly #upstreams = new Map<string, UpstreamState>();

  constructor({ workers = 1, mostWorkers = workers, slots = MAX_SLOTS }: SharedSize = {}) {
    const controlled = new ControlledCounters(workers, mostWorkers);
    super({
      counts: LiveCounts.allocate(slots, mostWorkers),
      failures: BackendFailures.allocate(slots),
      elsewhere: ElsewhereCounts.allocate(slots),
      turns: TurnNumbers.allocate(slots),
      byteTimes: ByteTimes.allocate(slots),
      startRates: StartRates.allocate(slots),
      counters: controlled.memory,
    });
    this.controlled = controlled;
    this.#slots = new SlotTable(slots);
    this.#clientTables = new ClientTables(mostWorkers);
    this.counts.threads = workers;
  }

  /** Called before new workers start. `workers`: the number of threads that balance from then on. */
  expectWorkers(workers: number): void {
    this.counts.threads = workers;
    this.controlled.expectWorkers(workers);
  }

  /** One more than the highest slot that was ever in use. */
  get slotsUsed(): number {
    return this.#slots.used;
  }

  /** Slots that have an owner now. */
  get slotsHeld(): number {
    return this.#slots.size;
  }

  /** Keeps `count` slots from being taken until the returned function is called. Throws LB4_TOO_MANY_SLOTS. */
  reserve(count: number): () => void {
    return this.#slots.reserve(count);
  }

  /** Throws LB4_TOO_MANY_SLOTS, as the other `slotOf` methods do. */
  slotOfBackend(upstream: string, backend: string): Slot {
    return this.#take(backendKey(upstream, backend));
  }

  /** Undefined for a backend that has no slot. */
  findBackend(upstream: string, backend: string): number | undefined {
    return this.#slots.find(backendKey(upstream, backend))?.index;
  }

  /**
   * Clears a slot in which no data plane counts any more, and gives it back: another backend may have it, as new.
   * Without effect for a backend that has none.
   */
  freeBackend(upstream: string, backend: string): void {
    const key = backendKey(upstream, backend);
    const slot = this.#slots.find(key);
    if (slot === undefined) return;
    const { index } = slot;
    this.failures.clear(index);
    this.failures.withdrawTrial(index);
    this.elsewhere.set(index, 0);
    this.turns.clear(index);
    this.#slots.free(key);
  }

  /** Undefined for a listener that has no slot; likewise the next one. */
  findListener(listener: string): number | undefined {
    return this.#slots.find(listenerKey(listener))?.index;
  }

  findUpstream(upstream: string): number | undefined {
    return this.#slots.find(queueKey(upstream))?.index;
  }

  slotOfListener(listener: string): number {
    return this.#take(listenerKey(listener)).index;
  }

  /** Called when the listener and all its sessions have gone. */
  freeListener(listener: string): void {
    const key = listenerKey(listener);
    const slot = this.#slots.find(key);
    if (slot !== undefined) {
      this.byteTimes.clear(slot.index);
      this.startRates.clear(slot.index);
    }
    this.keepClientTables(listener, []);
    this.#slots.free(key);
  }

  /** The table of a listener that limits its clients: the one that it has, if that is the same. */
  clientTable(listener: string, kind: ClientTableKind): ClientTableMemory {
    return this.#clientTables.of(listener, kind);
  }

  /** Called when a listener's plan has taken effect: other tables of it are forgotten. */
  keepClientTables(listener: string, memories: readonly ClientTableMemory[]): void {
    this.#clientTables.keepOnly(listener, memories);
  }

  /** Where the sessions that wait for an upstream are counted. */
  slotOfQueue(upstream: string): number {
    return this.#take(queueKey(upstream)).index;
  }

  slotOfInstance(): number {
    return this.#take('instance').index;
  }

  /** What an upstream shares: new, or with other sizes. Parts that need not change keep their contents. */
  configureUpstream(name: string, size: Omit<UpstreamStateSize, 'workers'>): UpstreamState {
    const before = this.#upstreams.get(name);
    const { workers } = this.counts.memory;
    const memory = UpstreamState.allocate({ ...size, workers }, before?.memory);
    const state = memory === before?.memory ? before : new UpstreamState(memory);
    this.#upstreams.set(name, state);
    return state;
  }

  /** Called when upstream and sessions have gone: nothing counts in its queue, no data plane has a plan of it. */
  freeUpstream(name: string): void {
    this.#upstreams.delete(name);
    this.#slots.free(queueKey(name));
  }

  /** Throws a RangeError for an upstream that was not configured. */
  upstream(name: string): UpstreamState {
    const state = this.#upstreams.get(name);
    if (state === undefined) throw new RangeError(`no upstream ${name} was configured`);
    return state;
  }

  /** Subtracts what a dead worker held. */
  forget(worker: number): void {
    const { used } = this.#slots;
    for (const [key, { index }] of this.#slots.entries()) {
      this.#countLost(key, index, this.counts.liveOf(worker, index));
    }
    this.counts.forget(worker, used);
    this.failures.forget(worker, used);
    this.#clientTables.forget(worker);
    for (const upstream of this.#upstreams.values()) upstream.forget(worker);
  }

  /** Sessions that were counted in a slot have died with their worker: they ended, too. */
  #countLost(key: string, slot: number, sessions: number): void {
    if (sessions <= 0) return;
    const [kind, upstream = ''] = key.split('\n');
    const cells = this.controlled.cells(slot);
    if (kind === 'listener') cells.add(LISTENER.ended, WORKER_DIED, sessions);
    if (kind === 'backend') cells.add(BACKEND.ended, WORKER_DIED, sessions);
    const queue = this.#slots.find(queueKey(upstream));
    if (queue === undefined || (kind !== 'backend' && kind !== 'queue')) return;
    this.controlled.cells(queue.index).add(UPSTREAM.ended, WORKER_DIED, sessions);
  }

  /** A new owner begins to count at 0. */
  #take(key: string): Slot {
    const known = this.#slots.find(key);
    if (known !== undefined) return known;
    const slot = this.#slots.take(key);
    this.controlled.begin(slot.index);
    return slot;
  }

  /** Called when a worker stands still: sessions that wait in other workers do not wait for its own any more. */
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
