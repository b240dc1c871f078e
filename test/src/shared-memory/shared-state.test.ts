import t from 'tap';
import { SharedState } from '../../../src/shared-memory/shared-state.ts';

function setUp() {
  const control = SharedState.create({
    backends: 2,
    upstreams: 2,
    workers: 2,
    sticky: [undefined, { max: 5, ttlMs: 1_000 }],
  });
  // As a worker gets it.
  const workers = [0, 1].map(worker => SharedState.forWorker(structuredClone(control.memory), worker));
  return { control, one: workers[0]!, two: workers[1]! };
}

void t.test('every thread sees the same counts, failures, queues and clients', async t => {
  const { control, one, two } = setUp();
  one.counts.take(0, undefined);
  one.failures.failed(0, 'connect');
  one.queues.setHead(1, one.queues.draw(1));
  one.sticky(1)?.bind('192.0.2.1', 3);
  for (const each of [control, two]) {
    t.equal(each.counts.live(0), 1);
    t.equal(each.failures.inARow(0, 'connect'), 1);
    t.equal(each.queues.first(1), 0);
    t.equal(each.sticky(1)?.find('192.0.2.1'), 3);
    t.equal(each.sticky(0), undefined);
  }
});

void t.test('a dead worker leaves nothing behind', async t => {
  const { control, one, two } = setUp();
  two.counts.take(0, undefined);
  two.queues.setHead(0, two.queues.draw(0));
  control.failures.offerTrial(0);
  two.failures.takeTrial(0);
  const table = one.sticky(1)!;
  table.bind('192.0.2.1', 3);
  // It dies while it holds the lock of the table.
  new Int32Array(table.memory.buffer)[0] = 2;
  control.forget(1);
  t.equal(one.counts.live(0), 0);
  t.ok(one.queues.isEmpty(0));
  t.ok(one.failures.isTrialOnOffer(0));
  t.equal(table.size, 0);
  table.bind('192.0.2.1', 4);
  t.equal(table.find('192.0.2.1'), 4);
});

void t.test('by default there are no queues and no clients', async t => {
  const shared = SharedState.create({ backends: 1 });
  t.equal(shared.queues.memory.queues, 0);
  t.equal(shared.sticky(0), undefined);
});
