/** The waiting line of one worker, and of two step by step; waiting-line-property.test.ts has the rest. */
import t from 'tap';
import { WaitingLine, type Waiter, type WaitingPlace } from '../../../src/dispatch/waiting-line.ts';
import { LiveCounts } from '../../../src/shared-memory/live-counts.ts';
import { QueueOrder } from '../../../src/shared-memory/queue-order.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

class Session implements Waiter {
  place: WaitingPlace | undefined;
  readonly events: string[] = [];
  /** Whether a backend has room for it. */
  takes: () => boolean;
  whenTurn: () => void = () => undefined;

  constructor(takes: () => boolean) {
    this.takes = takes;
  }

  takeTurn(): boolean {
    return this.takes();
  }

  onTurn(): void {
    this.events.push(this.place === undefined ? 'turn' : 'turn while it waits');
    this.whenTurn();
  }

  onWaitTimeout(): void {
    this.events.push(this.place === undefined ? 'timeout' : 'timeout while it waits');
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
    return new WaitingLine(
      { max, timeout: 100 },
      {
        slot,
        counts: new LiveCounts(counts.memory, worker),
        order: new QueueOrder(order.memory, worker),
        now: clock.now,
        setTimer: clock.setTimer,
        onOthersTurn: () => void told.push(`${worker}: others`),
        onQueueing: isQueueing => void told.push(`${worker}: ${isQueueing ? 'queueing' : 'quiet'}`),
      },
    );
  });
  const [line = lines[0]!, other = line] = lines;
  const session = (): Session => new Session(() => room.places > 0 && room.places-- > 0);
  const join = (where = line): Session => {
    const joined = session();
    t.ok(where.join(joined));
    return joined;
  };
  return { counts, order, slot, clock, told, room, line, other, session, join };
}

void t.test('whoever came first is served first, as many as there are places', async t => {
  const { line, room, join } = setUp();
  t.notOk(line.mustWait());
  const sessions = [join(), join(), join()];
  t.ok(line.mustWait());
  t.equal(line.waiting, 3);
  room.places = 2;
  line.placeFreed();
  t.same(
    sessions.map(({ events }) => events),
    [['turn'], ['turn'], []],
  );
  t.equal(line.waiting, 1);
  t.equal(room.places, 0);
});

void t.test('whoever joins when there is room has its turn at once', async t => {
  const { line, room, join } = setUp();
  room.places = 1;
  t.same(join().events, ['turn']);
  t.notOk(line.mustWait());
});

void t.test('no more wait than may, over all workers', async t => {
  const { line, other, session, join } = setUp({ workers: 2, max: 2 });
  const first = join();
  join(other);
  const third = session();
  t.notOk(line.join(third));
  t.notOk(other.join(session()));
  line.leave(first);
  t.ok(line.join(third));
  t.notOk(line.join(third), 'it waits already');
  t.equal(line.waiting, 1);
});

void t.test('with room for nobody, nobody waits', async t => {
  const { line, session } = setUp({ max: 0 });
  t.notOk(line.join(session()));
  t.notOk(line.mustWait());
});

void t.test('who leaves is passed over, wherever it stood', async t => {
  const { line, room, counts, slot, join } = setUp();
  const sessions = [join(), join(), join(), join()];
  for (const gone of [sessions[1]!, sessions[3]!, sessions[0]!]) {
    line.leave(gone);
    line.leave(gone);
  }
  t.equal(counts.live(slot), 1);
  const last = join();
  room.places = 2;
  line.recheck();
  t.same(
    sessions.map(({ events }) => events),
    [[], [], ['turn'], []],
  );
  t.same(last.events, ['turn']);
  t.equal(counts.live(slot), 0);
});

void t.test('when the first leaves, the next one is asked: it may be able to use what is free', async t => {
  const { line, room, session, join } = setUp();
  const choosy = new Session(() => false);
  t.ok(line.join(choosy));
  const next = session();
  room.places = 1;
  t.ok(line.join(next));
  t.same(next.events, []);
  line.leave(choosy);
  t.same(next.events, ['turn']);
  t.same(join().events, []);
});

void t.test('whoever waits too long is told, and whoever came later waits as long', async t => {
  const { line, clock, join } = setUp();
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
  t.notOk(line.mustWait());
});

void t.test('one timer is enough, also when those it was set for are long gone', async t => {
  const { line, clock, join } = setUp();
  const [first, second] = [join(), join()];
  clock.advance(50);
  const third = join();
  line.leave(first);
  line.leave(second);
  t.equal(clock.delaysMs.length, 1);
  clock.advance(60);
  t.same(third.events, []);
  t.equal(clock.delaysMs.length, 1, 'set anew for the one that waits');
  clock.advance(40);
  t.same(third.events, ['timeout']);
});

void t.test('it is told when sessions begin to wait, and when none has for a second', async t => {
  const { line, clock, told, room, join } = setUp();
  join();
  t.same(told, ['0: queueing']);
  room.places = 1;
  line.placeFreed();
  clock.advance(900);
  const again = join();
  clock.advance(50);
  line.leave(again);
  clock.advance(999);
  t.same(told, ['0: queueing'], 'it was not empty for a second');
  clock.advance(1);
  t.same(told, ['0: queueing', '0: quiet']);
  const last = join();
  clock.advance(5);
  line.leave(last);
  clock.advance(20);
  join();
  line.close();
  t.same(clock.delaysMs, []);
  clock.advance(2_000);
  t.same(told, ['0: queueing', '0: quiet', '0: queueing'], 'nothing more once it is closed');
});

void t.test('a wait that lasts through the check for quiet is no quiet', async t => {
  const { line, clock, told, join } = setUp();
  line.leave(join());
  clock.advance(950);
  join();
  clock.advance(60);
  t.same(told, ['0: queueing']);
  clock.advance(1_040);
  t.same(told, ['0: queueing', '0: quiet']);
});

void t.test('a turn that frees a place again serves the next one', async t => {
  const { line, room, join } = setUp();
  const [first, second] = [join(), join()];
  first.whenTurn = () => {
    room.places += 1;
    line.placeFreed();
    t.same(second.events, [], 'not before the turn is over');
  };
  room.places = 1;
  line.placeFreed();
  t.same([first.events, second.events], [['turn'], ['turn']]);
});

void t.test('a turn may end others that wait, and join again', async t => {
  const { line, room, join } = setUp();
  const [first, second, third] = [join(), join(), join()];
  first.whenTurn = () => {
    line.leave(second);
    first.whenTurn = () => undefined;
    t.ok(line.join(first), 'at the end');
  };
  room.places = 2;
  line.placeFreed();
  t.same([first.events, second.events, third.events], [['turn'], [], ['turn']]);
  t.equal(line.waiting, 1);
});

void t.test('a session that ends while it takes its turn is told of the turn, and leaves once', async t => {
  const { line, counts, slot, join } = setUp();
  const first = join();
  const second = join();
  first.takes = () => {
    line.leave(first);
    return true;
  };
  line.recheck();
  t.same(first.events, ['turn']);
  t.equal(counts.live(slot), 1);
  second.takes = () => {
    line.leave(second);
    return false;
  };
  line.recheck();
  t.same(second.events, []);
  t.equal(counts.live(slot), 0);
});

void t.test('a defect in a turn does not close the line for ever', async t => {
  const { line, room, join } = setUp();
  const first = join();
  const second = join();
  first.whenTurn = () => {
    throw new Error('a defect');
  };
  room.places = 1;
  t.throws(() => line.placeFreed(), /a defect/);
  room.places = 1;
  line.placeFreed();
  t.same(second.events, ['turn']);
});

void t.test('places go to whoever waits longest, in whichever worker', async t => {
  const { line, other, told, room, join } = setUp({ workers: 2 });
  const first = join(other);
  const second = join(line);
  const third = join(other);
  told.length = 0;
  room.places = 3;
  line.placeFreed();
  t.same(second.events, [], 'it waits for its turn');
  t.same(told, ['0: others']);
  line.recheck();
  t.same(told, ['0: others'], 'a recheck that has nothing to do tells nobody');
  other.recheck();
  t.same([first.events, third.events], [['turn'], []]);
  t.same(told, ['0: others', '1: others'], 'the next place is not its own');
  line.recheck();
  t.same(second.events, ['turn']);
  other.recheck();
  t.same(third.events, ['turn']);
});

void t.test('a place that is freed while nobody waits costs nobody anything', async t => {
  const { line, other, told } = setUp({ workers: 2 });
  line.placeFreed();
  other.recheck();
  t.same(told, []);
});

void t.test(
  'a place that is freed before a session has shown its ticket is left to that session',
  async t => {
    const { line, counts, slot, told } = setUp({ workers: 2 });
    counts.take(slot, 10);
    line.placeFreed();
    t.same(told, []);
  },
);

void t.test('when a dead worker is forgotten, the others go on', async t => {
  const { line, other, order, counts, room, join } = setUp({ workers: 2 });
  join(other);
  const waits = join(line);
  room.places = 1;
  line.recheck();
  t.same(waits.events, []);
  order.forget(1);
  counts.forget(1, 1);
  line.recheck();
  t.same(waits.events, ['turn']);
  t.notOk(line.mustWait());
});

void t.test('a worker that was set aside takes its place again when it looks', async t => {
  const { line, other, order, room, join } = setUp({ workers: 2 });
  const first = join(other);
  const second = join(line);
  order.forget(1);
  t.equal(order.first(), 0);
  other.recheck();
  t.equal(order.first(), 1);
  room.places = 2;
  other.recheck();
  line.recheck();
  t.same([first.events, second.events], [['turn'], ['turn']]);
});

void t.test('when there is nothing left to wait for, everybody has a turn, out of order', async t => {
  const { line, other, room, join } = setUp({ workers: 2 });
  const elsewhere = join(other);
  const here = [join(line), join(line)];
  here[0]!.whenTurn = () => line.recheckAll();
  room.places = 2;
  line.recheckAll();
  t.same(
    here.map(({ events }) => events),
    [['turn'], ['turn']],
  );
  t.same(elsewhere.events, []);
  line.recheckAll();
});

void t.test('a closed line gives no turns, takes nobody, and lets everybody leave', async t => {
  const { line, counts, slot, clock, room, session, join } = setUp();
  const [first, second] = [join(), join()];
  line.close();
  t.notOk(line.join(session()));
  room.places = 2;
  line.placeFreed();
  line.recheckAll();
  line.leave(first);
  t.same([first.events, second.events], [[], []]);
  line.leave(second);
  t.same(clock.delaysMs, []);
  t.equal(counts.live(slot), 0);
});

void t.test('a line that is closed while it tells of a timeout sets no timer', async t => {
  const { line, clock, session } = setUp();
  const first = session();
  first.onWaitTimeout = () => line.close();
  t.ok(line.join(first));
  clock.advance(50);
  t.ok(line.join(session()));
  clock.advance(50);
  t.same(clock.delaysMs, []);
});
