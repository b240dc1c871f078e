import t from 'tap';
import { ControlledState, SharedState } from '../../../src/shared-memory/shared-state.ts';
import { UpstreamState } from '../../../src/shared-memory/upstream-state.ts';

function setUp() {
  const control = new ControlledState({ workers: 2, slots: 8 });
  const slot = control.slotOfBackend('app', 'a:1').index;
  const upstream = control.configureUpstream('app', { sticky: { max: 5, ttlMs: 1_000 } });
  // As a worker gets them.
  const viewOf = (worker: number) => ({
    shared: new SharedState(structuredClone(control.memory), worker),
    upstream: new UpstreamState(structuredClone(upstream.memory), worker),
  });
  return { control, slot, own: { shared: control, upstream }, one: viewOf(0), two: viewOf(1) };
}

void t.test('every thread sees the same counts, failures, queues and clients', async t => {
  const { slot, own, one, two } = setUp();
  one.shared.counts.take(slot, undefined);
  one.shared.failures.failed(slot, 'connect');
  one.upstream.queue.setHead(one.upstream.queue.draw());
  one.upstream.sticky?.bind('192.0.2.1', 3);
  for (const { shared, upstream } of [own, two]) {
    t.equal(shared.counts.live(slot), 1);
    t.equal(shared.failures.inARow(slot, 'connect'), 1);
    t.equal(upstream.queue.first(), 0);
    t.equal(upstream.sticky?.find('192.0.2.1'), 3);
  }
});

void t.test('a dead worker leaves nothing behind', async t => {
  const { control, slot, one, two } = setUp();
  two.shared.counts.take(slot, undefined);
  two.upstream.queue.setHead(two.upstream.queue.draw());
  control.failures.offerTrial(slot);
  two.shared.failures.takeTrial(slot);
  const table = one.upstream.sticky!;
  table.bind('192.0.2.1', 3);
  // It dies while it holds the lock of the table.
  new Int32Array(table.memory.buffer)[0] = 2;
  control.forget(1);
  t.equal(one.shared.counts.live(slot), 0);
  t.ok(one.upstream.queue.isEmpty());
  t.ok(one.shared.failures.isTrialOnOffer(slot));
  t.equal(table.size, 0);
  table.bind('192.0.2.1', 4);
  t.equal(table.find('192.0.2.1'), 4);
});

void t.test('sessions that wait elsewhere pass by those of a worker that stands still', async t => {
  const { control, one, two } = setUp();
  two.upstream.queue.setHead(two.upstream.queue.draw());
  t.equal(one.upstream.queue.first(), 1);
  control.passBy(1);
  t.ok(one.upstream.queue.isEmpty());
});

void t.test('an upstream that is configured anew keeps what does not depend on what is new', async t => {
  const { control, own, one } = setUp();
  one.upstream.sticky?.bind('192.0.2.1', 3);
  const { memory } = own.upstream;
  const same = control.configureUpstream('app', { sticky: { max: 5, ttlMs: 1_000 } });
  t.equal(same.memory.version, memory.version, 'nothing is new');
  const mirrored = control.configureUpstream('app', { sticky: { max: 5, ttlMs: 9_000 }, mirrored: true });
  t.not(mirrored.memory.version, memory.version);
  t.equal(mirrored.sticky?.find('192.0.2.1'), 3, 'another time to live, the same clients');
  t.equal(mirrored.memory.queue, memory.queue, 'those who wait go on waiting');
  t.equal(mirrored.memory.sticky?.ttlSeconds, 9);
  const larger = control.configureUpstream('app', { sticky: { max: 50, ttlMs: 9_000 } });
  t.equal(larger.sticky?.find('192.0.2.1'), undefined, 'another table is empty');
  t.equal(larger.news, undefined);
});

void t.test(
  'an upstream that is made again after it has gone shares nothing with the one before',
  async t => {
    const { control, one } = setUp();
    one.upstream.sticky?.bind('192.0.2.1', 3);
    control.freeUpstream('app');
    const again = control.configureUpstream('app', { sticky: { max: 5, ttlMs: 1_000 } });
    t.equal(again.sticky?.find('192.0.2.1'), undefined);
  },
);

void t.test(
  'by default an upstream remembers no clients and shares nothing with other instances',
  async t => {
    const { sticky, news } = new ControlledState({ slots: 1 }).configureUpstream('app', {});
    t.same([sticky, news], [undefined, undefined]);
  },
);

void t.test('a listener has bandwidth of its own, which no later owner of its slot inherits', async t => {
  const control = new ControlledState({ workers: 2 });
  const [web, api] = [control.slotOfListener('web'), control.slotOfListener('api')];
  const worker = new SharedState(control.memory, 1);
  worker.byteTimes.of(web, 'fromClient').take(500, 1_000);
  t.equal(control.byteTimes.of(web, 'fromClient').takenUntilMs, 1_400, 'all threads see what is taken');
  t.equal(control.byteTimes.of(web, 'fromBackend').takenUntilMs, 0);
  t.equal(control.byteTimes.of(api, 'fromClient').takenUntilMs, 0);
  control.freeListener('web');
  t.equal(worker.byteTimes.of(web, 'fromClient').takenUntilMs, 0);
});
