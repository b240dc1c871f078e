/**
 * Three workers and control over one shared memory, in one thread: whoever is not in the middle of something may be
 * run before any step that another takes on the memory, as if the system had switched threads there.
 */
import assert from 'node:assert/strict';
import { Queue, type Waiter, type QueueEntry } from '../../../../src/data/dispatch/queue.ts';
import { LiveCounts } from '../../../../src/shared-memory/live-counts.ts';
import { QueueOrder } from '../../../../src/shared-memory/queue-order.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';
import { withPreemption } from './preemption.ts';

export const WORKERS = 3;
const TIMEOUT_MS = 100;

export type Command =
  | { readonly kind: 'arrive'; readonly worker: number; readonly failures: number }
  | { readonly kind: 'release' | 'leave'; readonly worker: number; readonly which: number }
  | { readonly kind: 'tick'; readonly worker: number; readonly ms: number }
  | { readonly kind: 'hear' | 'die' | 'dieInside' | 'setAside'; readonly worker: number }
  | { readonly kind: 'control' };

class ThreadEnded extends Error {}

/** One client's way: as the dispatcher goes it. */
class Client implements Waiter {
  entry: QueueEntry | undefined;
  state: 'new' | 'waiting' | 'running' | 'refused' | 'gone' | 'timedOut' = 'new';
  failures: number;
  readonly #worker: ModelWorker;

  constructor(worker: ModelWorker, failures: number) {
    this.#worker = worker;
    this.failures = failures;
  }

  start(): void {
    const { queue } = this.#worker;
    if (!queue.mustWait() && this.#takePlace()) {
      this.#connect();
      return;
    }
    this.state = 'waiting';
    if (!queue.join(this)) this.state = 'refused';
  }

  takePlace(): boolean {
    if (!this.#takePlace()) return false;
    this.#worker.model.checkOrder(this);
    return true;
  }

  onPlace(): void {
    assert.equal(this.entry, undefined, 'out of the queue when its place comes');
    this.#connect();
  }

  onWaitTimeout(): void {
    assert.equal(this.entry, undefined, 'out of the queue when its time is over');
    this.state = 'timedOut';
  }

  release(): void {
    this.state = 'gone';
    this.#worker.counts.release(this.#worker.model.backend);
    this.#worker.queue.placeFreed();
  }

  leave(): void {
    this.state = 'gone';
    this.#worker.queue.leave(this);
  }

  #takePlace(): boolean {
    const { counts, model } = this.#worker;
    return counts.take(model.backend, model.limit);
  }

  /** A connect may fail at once, and then the search begins anew. */
  #connect(): void {
    this.state = 'running';
    if (this.failures === 0) return;
    this.failures -= 1;
    this.release();
    this.start();
  }
}

class ModelWorker {
  readonly model: QueueModel;
  readonly counts: LiveCounts;
  readonly order: QueueOrder;
  readonly clock: FakeClock;
  readonly queue: Queue;
  readonly clients: Client[] = [];
  messages = 0;
  isQueueing = false;
  isDead = false;

  constructor(model: QueueModel, index: number) {
    this.model = model;
    this.counts = new LiveCounts(model.counts.memory, index);
    this.order = new QueueOrder(model.order.memory, index);
    // Each thread's clock begins when the thread does.
    this.clock = new FakeClock(1_000 * index);
    this.queue = new Queue(
      { max: model.maxWaiting, timeout: TIMEOUT_MS },
      {
        slot: model.queueSlot,
        counts: this.counts,
        order: this.order,
        now: this.clock.now,
        setTimer: this.clock.setTimer,
        onOthersFirst: () => void (model.inbox += 1),
        onQueueing: isQueueing => {
          assert.notEqual(isQueueing, this.isQueueing, 'told of changes only');
          this.isQueueing = isQueueing;
        },
      },
    );
  }

  in(state: Client['state']): Client[] {
    return this.clients.filter(client => client.state === state);
  }
}

export class QueueModel {
  readonly limit: number;
  readonly maxWaiting: number;
  readonly counts = new LiveCounts(LiveCounts.allocate(2, WORKERS));
  readonly order = new QueueOrder(QueueOrder.allocate(WORKERS));
  readonly backend = 1;
  readonly queueSlot = 0;
  /** Messages that control has not read. */
  inbox = 0;
  served = 0;
  #workers: ModelWorker[];
  /** Threads that are in the middle of something; the last one runs. */
  readonly #inside: ('control' | ModelWorker)[] = [];
  #dying: ModelWorker | undefined;
  #wasSetAside = false;
  #commands: readonly Command[] = [];
  #next = 0;
  #quanta: readonly number[] = [];
  #step = 0;
  #left = 0;

  constructor(limit: number, maxWaiting: number, firstTicket: number) {
    this.limit = limit;
    this.maxWaiting = maxWaiting;
    new Int32Array(this.order.memory.buffer)[0] = firstTicket;
    this.#workers = Array.from({ length: WORKERS }, (_, index) => new ModelWorker(this, index));
  }

  /** @param quanta after how many steps the thread is switched, again and again */
  run(commands: readonly Command[], quanta: readonly number[]): void {
    this.#commands = commands;
    this.#quanta = quanta;
    this.#left = quanta[0] ?? Infinity;
    withPreemption(
      memory => this.#beforeStep(memory),
      () => {
        while (this.#next < commands.length) this.#runNext();
      },
    );
    this.#settle();
    this.#checkAtRest();
  }

  /** Nobody who has waited longer was passed, unless at a worker that had been set aside. */
  checkOrder(served: Client): void {
    this.served += 1;
    if (this.#wasSetAside) return;
    const ticket = served.entry?.ticket ?? 0;
    for (const worker of this.#workers) {
      for (const { entry } of worker.in('waiting')) {
        assert.ok(entry === undefined || ((entry.ticket - ticket) | 0) >= 0, 'first come, first served');
      }
    }
  }

  #beforeStep(memory: ArrayBufferLike): void {
    assert.ok(this.#waiting() <= this.maxWaiting, 'never more than may wait');
    if (this.#dying !== undefined && this.#inside.at(-1) === this.#dying) {
      // Between a total and a worker's row of it nothing ends a thread.
      if (memory === this.order.memory.buffer) throw new ThreadEnded();
      return;
    }
    if (--this.#left > 0) return;
    this.#step += 1;
    this.#left = this.#quanta[this.#step % this.#quanta.length] ?? Infinity;
    if (this.#inside.length <= WORKERS && this.#next < this.#commands.length) this.#runNext();
  }

  #waiting(): number {
    // Not through the counts: their steps would be interrupted.
    return new Int32Array(this.counts.memory.buffer)[this.queueSlot] ?? 0;
  }

  #runNext(): void {
    const command = this.#commands[this.#next];
    this.#next += 1;
    if (command === undefined) return;
    if (command.kind === 'control') {
      if (!this.#inside.includes('control')) this.#as('control', () => this.#control());
      return;
    }
    const worker = this.#workers[command.worker];
    if (worker === undefined || this.#inside.includes(worker)) return;
    this.#as(worker, () => this.#obey(worker, command));
    if (worker.isDead && !this.#inside.includes('control'))
      this.#as('control', () => this.#bury(command.worker));
  }

  #as(thread: 'control' | ModelWorker, act: () => void): void {
    this.#inside.push(thread);
    try {
      act();
    } catch (error) {
      if (!(error instanceof ThreadEnded) || thread === 'control') throw error;
      thread.isDead = true;
      this.#dying = undefined;
    } finally {
      this.#inside.pop();
    }
  }

  #obey(worker: ModelWorker, command: Exclude<Command, { kind: 'control' }>): void {
    if (worker.isDead) return;
    switch (command.kind) {
      case 'arrive': {
        const client = new Client(worker, command.failures);
        worker.clients.push(client);
        client.start();
        return;
      }
      case 'release':
        pick(worker.in('running'), command.which)?.release();
        return;
      case 'leave':
        pick(worker.in('waiting'), command.which)?.leave();
        return;
      case 'tick':
        worker.clock.advance(command.ms);
        return;
      case 'hear':
        if (worker.messages === 0) return;
        worker.messages -= 1;
        worker.queue.recheck();
        return;
      case 'die':
        worker.isDead = true;
        return;
      case 'dieInside':
        this.#dying = worker;
        worker.in('waiting')[0]?.leave();
        this.#dying = undefined;
        return;
      case 'setAside':
        // Control's doing, while the worker stands still; all are told, this one too.
        this.#wasSetAside = true;
        this.order.forget(command.worker);
        this.#tellAll();
        return;
    }
  }

  #control(): void {
    if (this.inbox > 0) {
      this.inbox -= 1;
      this.#tellAll();
    }
    this.#workers.forEach((worker, index) => {
      if (worker.isDead && !this.#inside.includes(worker)) this.#bury(index);
    });
  }

  #bury(index: number): void {
    this.counts.forget(index, 2);
    this.order.forget(index);
    this.#workers[index] = new ModelWorker(this, index);
    this.#tellAll();
  }

  #tellAll(): void {
    for (const worker of this.#workers) worker.messages += 1;
  }

  /** Delivers everything that is under way. */
  #settle(): void {
    for (let round = 0; round < 1_000; round++) {
      this.#control();
      for (const worker of this.#workers) {
        if (worker.messages === 0) continue;
        worker.messages -= 1;
        worker.queue.recheck();
      }
      if (this.inbox === 0 && this.#workers.every(({ messages }) => messages === 0)) return;
    }
    assert.fail('messages go round for ever');
  }

  #checkAtRest(): void {
    const waiting = this.#workers.flatMap(worker => worker.in('waiting'));
    const running = this.#workers.flatMap(worker => worker.in('running'));
    assert.equal(this.counts.live(this.queueSlot), waiting.length, 'who waits is counted');
    assert.equal(this.counts.live(this.backend), running.length, 'who runs is counted');
    assert.ok(running.length <= this.limit, 'never more than the limit');
    assert.ok(waiting.length === 0 || running.length === this.limit, 'nobody waits while there is room');
    for (const worker of this.#workers) {
      assert.equal(worker.queue.waiting, worker.in('waiting').length);
      assert.equal(worker.order.head(), oldestOf(worker), 'its head is shown');
      if (worker.queue.waiting > 0) assert.ok(worker.isQueueing, 'told that sessions wait');
      worker.clock.advance(TIMEOUT_MS);
      assert.deepEqual(worker.in('waiting'), [], 'nobody waits longer than the timeout');
    }
    // Who timed out has made room for nobody, but whoever was behind may have become first.
    this.#settle();
    for (const worker of this.#workers) {
      worker.clock.advance(2_000);
      assert.equal(worker.isQueueing, false, 'told that nobody waits any more');
    }
    assert.equal(this.counts.live(this.queueSlot), 0);
    assert.ok(this.order.isEmpty());
  }
}

function oldestOf(worker: ModelWorker): number {
  const tickets = worker.in('waiting').map(({ entry }) => entry?.ticket ?? 0);
  return tickets.toSorted((a, b) => (a - b) | 0)[0] ?? 0;
}

function pick<T>(items: readonly T[], which: number): T | undefined {
  return items[which % items.length];
}
