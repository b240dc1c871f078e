/** The queue of one worker, and of two step by step; queue-property.test.ts has the rest. */
import t from 'tap';
import { Queue, type Waiter, type QueueEntry } from '../../../../src/data/dispatch/queue.ts';
import { LiveCounts } from '../../../../src/shared-memory/live-counts.ts';
import { QueueOrder } from '../../../../src/shared-memory/queue-order.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

class Session implements Waiter {
  entry: QueueEntry | undefined;
  readonly events: string[] = [];
  /** Whether a backend has room for it. */
  takes: () => boolean;
  whenTurn: () => void = () => undefined;

  constructor(takes: () => boolean) {
    this.takes = takes;
  }

  takePlace(): boolean {
    return this.takes();
  }

  onPlace(): void {
    this.events.push(this.entry === undefined ? 'turn' : 'turn while it waits');
    this.whenTurn();
  }

  onWaitTimeout(): void {
    this.events.push(this.entry === undefined ? 'timeout' : 'timeout while it waits');
  }
}

function setUp({ workers = 1, max = 10 } = {}) {
  const counts = new LiveCounts(LiveCounts.allocate(1, workers));
  const order = new QueueOrder(QueueOrder.allocate(workers));
  const slot = 0;
  const clock = new FakeClock(5_000);
  const told: string[] = [];
  const room = { places: 0 };
  const lines = Array.from({ length: workers }, (_, worker) => {
    return new Queue(
      { max, timeout: 100 },
      {
        slot,
        counts: new LiveCounts(counts.memory, worker),
        order: new QueueOrder(order.memory, worker),
        now: clock.now,
        setTimer: clock.setTimer,
        onOthersFirst: () => void told.push(`${worker}: others`),
        onQueueing: isQueueing => void told.push(`${worker}: ${isQueueing ? 'queueing' : 'quiet'}`),
      },
    );
  });
  const [queue = lines[0]!, other = queue] = lines;
  const session = (): Session => new Session(() => room.places > 0 && room.places-- > 0);
  const join = (where = queue): Session => {
    const joined = session();
    t.ok(where.join(joined));
    return joined;
  };
  return { counts, order, slot, clock, told, room, queue, other, session, join };
}

void t.test('whoever came first is served first, as many as there are places', async t => {
  const { queue, room, join } = setUp();
  t.notOk(queue.mustWait());
  const sessions = [join(), join(), join()];
  t.ok(queue.mustWait());
  t.equal(queue.waiting, 3);
  room.places = 2;
  queue.placeFreed();
  t.same(
    sessions.map(({ events }) => events),
    [['turn'], ['turn'], []],
  );
  t.equal(queue.waiting, 1);
  t.equal(room.places, 0);
});

void t.test('whoever joins when there is room has its turn at once', async t => {
  const { queue, room, join } = setUp();
  room.places = 1;
  t.same(join().events, ['turn']);
  t.notOk(queue.mustWait());
});

void t.test('no more wait than may, over all workers', async t => {
  const { queue, other, session, join } = setUp({ workers: 2, max: 2 });
  const first = join();
  join(other);
  const third = session();
  t.notOk(queue.join(third));
  t.notOk(other.join(session()));
  queue.leave(first);
  t.ok(queue.join(third));
  t.notOk(queue.join(third), 'it waits already');
  t.equal(queue.waiting, 1);
});

void t.test('with room for nobody, nobody waits', async t => {
  const { queue, session } = setUp({ max: 0 });
  t.notOk(queue.join(session()));
  t.notOk(queue.mustWait());
});

void t.test('who leaves is passed over, wherever it stood', async t => {
  const { queue, room, counts, slot, join } = setUp();
  const sessions = [join(), join(), join(), join()];
  for (const gone of [sessions[1]!, sessions[3]!, sessions[0]!]) {
    queue.leave(gone);
    queue.leave(gone);
  }
  t.equal(counts.live(slot), 1);
  const last = join();
  room.places = 2;
  queue.recheck();
  t.same(
    sessions.map(({ events }) => events),
    [[], [], ['turn'], []],
  );
  t.same(last.events, ['turn']);
  t.equal(counts.live(slot), 0);
});

void t.test('when the first leaves, the next one is asked: it may be able to use what is free', async t => {
  const { queue, room, session, join } = setUp();
  const choosy = new Session(() => false);
  t.ok(queue.join(choosy));
  const next = session();
  room.places = 1;
  t.ok(queue.join(next));
  t.same(next.events, []);
  queue.leave(choosy);
  t.same(next.events, ['turn']);
  t.same(join().events, []);
});

void t.test('whoever waits too long is told, and whoever came later waits as long', async t => {
  const { queue, clock, join } = setUp();
  const first = join();
  clock.advance(60);
  const second = join();
  clock.advance(39);
  t.same([first.events, second.events], [[], []]);
  clock.advance(1);
  t.same([first.events, second.events], [['timeout'], []]);
  clock.advance(59);
  t.same(second.events, []);
  clock.advance(1);
  t.same(second.events, ['timeout']);
  t.notOk(queue.mustWait());
});

void t.test('one timer is enough, also when those it was set for are long gone', async t => {
  const { queue, clock, join } = setUp();
  const [first, second] = [join(), join()];
  clock.advance(50);
  const third = join();
  queue.leave(first);
  queue.leave(second);
  t.equal(clock.delaysMs.length, 1);
  clock.advance(60);
  t.same(third.events, []);
  t.equal(clock.delaysMs.length, 1, 'set anew for the one that waits');
  clock.advance(40);
  t.same(third.events, ['timeout']);
});

void t.test('it is told when sessions begin to wait, and when none has for a second', async t => {
  const { queue, clock, told, room, join } = setUp();
  join();
  t.same(told, ['0: queueing']);
  room.places = 1;
  queue.placeFreed();
  clock.advance(900);
  const again = join();
  clock.advance(50);
  queue.leave(again);
  clock.advance(999);
  t.same(told, ['0: queueing'], 'it was not empty for a second');
  clock.advance(1);
  t.same(told, ['0: queueing', '0: quiet']);
  const last = join();
  clock.advance(5);
  queue.leave(last);
  clock.advance(20);
  join();
  queue.close();
  t.same(clock.delaysMs, []);
  clock.advance(2_000);
  t.same(told, ['0: queueing', '0: quiet', '0: queueing'], 'nothing more once it is closed');
});

void t.test('a wait that lasts through the check for quiet is no quiet', async t => {
  const { queue, clock, told, join } = setUp();
  queue.leave(join());
  clock.advance(950);
  join();
  clock.advance(60);
  t.same(told, ['0: queueing']);
  clock.advance(1_040);
  t.same(told, ['0: queueing', '0: quiet']);
});

void t.test('a turn that frees a place again serves the next one', async t => {
  const { queue, room, join } = setUp();
  const [first, second] = [join(), join()];
  first.whenTurn = () => {
    room.places += 1;
    queue.placeFreed();
    t.same(second.events, [], 'not before the turn is over');
  };
  room.places = 1;
  queue.placeFreed();
  t.same([first.events, second.events], [['turn'], ['turn']]);
});

void t.test('a turn may end others that wait, and join again', async t => {
  const { queue, room, join } = setUp();
  const [first, second, third] = [join(), join(), join()];
  first.whenTurn = () => {
    queue.leave(second);
    first.whenTurn = () => undefined;
    t.ok(queue.join(first), 'at the end');
  };
  room.places = 2;
  queue.placeFreed();
  t.same([first.events, second.events, third.events], [['turn'], [], ['turn']]);
  t.equal(queue.waiting, 1);
});

void t.test('a session that ends while it takes its turn is told of the turn, and leaves once', async t => {
  const { queue, counts, slot, join } = setUp();
  const first = join();
  const second = join();
  first.takes = () => {
    queue.leave(first);
    return true;
  };
  queue.recheck();
  t.same(first.events, ['turn']);
  t.equal(counts.live(slot), 1);
  second.takes = () => {
    queue.leave(second);
    return false;
  };
  queue.recheck();
  t.same(second.events, []);
  t.equal(counts.live(slot), 0);
});

void t.test('a defect in a turn does not close the queue for ever', async t => {
  const { queue, room, join } = setUp();
  const first = join();
  const second = join();
  first.whenTurn = () => {
    throw new Error('a defect');
  };
  room.places = 1;
  t.throws(() => queue.placeFreed(), /a defect/);
  room.places = 1;
  queue.placeFreed();
  t.same(second.events, ['turn']);
});

void t.test('places go to whoever waits longest, in whichever worker', async t => {
  const { queue, other, told, room, join } = setUp({ workers: 2 });
  const first = join(other);
  const second = join(queue);
  const third = join(other);
  told.length = 0;
  room.places = 3;
  queue.placeFreed();
  t.same(second.events, [], 'it waits for its turn');
  t.same(told, ['0: others']);
  queue.recheck();
  t.same(told, ['0: others'], 'a recheck that has nothing to do tells nobody');
  other.recheck();
  t.same([first.events, third.events], [['turn'], []]);
  t.same(told, ['0: others', '1: others'], 'the next place is not its own');
  queue.recheck();
  t.same(second.events, ['turn']);
  other.recheck();
  t.same(third.events, ['turn']);
});

void t.test('a place that is freed while nobody waits costs nobody anything', async t => {
  const { queue, other, told } = setUp({ workers: 2 });
  queue.placeFreed();
  other.recheck();
  t.same(told, []);
});

void t.test(
  'a place that is freed before a session has shown its ticket is left to that session',
  async t => {
    const { queue, counts, slot, told } = setUp({ workers: 2 });
    counts.take(slot, 10);
    queue.placeFreed();
    t.same(told, []);
  },
);

void t.test('when a dead worker is forgotten, the others go on', async t => {
  const { queue, other, order, counts, room, join } = setUp({ workers: 2 });
  join(other);
  const waits = join(queue);
  room.places = 1;
  queue.recheck();
  t.same(waits.events, []);
  order.forget(1);
  counts.forget(1, 1);
  queue.recheck();
  t.same(waits.events, ['turn']);
  t.notOk(queue.mustWait());
});

void t.test('a worker that was set aside takes its place again when it looks', async t => {
  const { queue, other, order, room, join } = setUp({ workers: 2 });
  const first = join(other);
  const second = join(queue);
  order.forget(1);
  t.equal(order.first(), 0);
  other.recheck();
  t.equal(order.first(), 1);
  room.places = 2;
  other.recheck();
  queue.recheck();
  t.same([first.events, second.events], [['turn'], ['turn']]);
});

void t.test('when there is nothing left to wait for, everybody has a turn, out of order', async t => {
  const { queue, other, room, join } = setUp({ workers: 2 });
  const elsewhere = join(other);
  const here = [join(queue), join(queue)];
  here[0]!.whenTurn = () => queue.recheckAll();
  room.places = 2;
  queue.recheckAll();
  t.same(
    here.map(({ events }) => events),
    [['turn'], ['turn']],
  );
  t.same(elsewhere.events, []);
  queue.recheckAll();
});

void t.test('a closed queue gives no turns, takes nobody, and lets everybody leave', async t => {
  const { queue, counts, slot, clock, room, session, join } = setUp();
  const [first, second] = [join(), join()];
  queue.close();
  t.notOk(queue.join(session()));
  room.places = 2;
  queue.placeFreed();
  queue.recheckAll();
  queue.leave(first);
  t.same([first.events, second.events], [[], []]);
  queue.leave(second);
  t.same(clock.delaysMs, []);
  t.equal(counts.live(slot), 0);
});

void t.test('a queue that is closed while it tells of a timeout sets no timer', async t => {
  const { queue, clock, session } = setUp();
  const first = session();
  first.onWaitTimeout = () => queue.close();
  t.ok(queue.join(first));
  clock.advance(50);
  t.ok(queue.join(session()));
  clock.advance(50);
  t.same(clock.delaysMs, []);
});
