import t from 'tap';
import { QueueOrder } from '../../../src/shared-memory/queue-order.ts';

function workers(count: number, queues = 1): QueueOrder[] {
  const { memory } = new QueueOrder(queues, count);
  return Array.from({ length: count }, (_, worker) => QueueOrder.forWorker(memory, worker));
}

void t.test('the oldest session of all workers is first', async t => {
  const [a, b, c] = workers(3) as [QueueOrder, QueueOrder, QueueOrder];
  t.ok(a.isEmpty(0));
  t.equal(a.first(0), undefined);
  t.notOk(a.isFirst(0), 'nobody waits here');
  const tickets = [c, a, b].map(worker => {
    worker.announce(0);
    const ticket = worker.draw(0);
    worker.setHead(0, ticket);
    return ticket;
  });
  t.same(tickets, [1, 2, 3]);
  t.same(
    [a, b, c].map(worker => worker.isFirst(0)),
    [false, false, true],
  );
  t.equal(b.first(0), 2);
  t.notOk(b.isEmpty(0));
});

void t.test('who stops being first hears that another one has to be told, and only then', async t => {
  const [a, b] = workers(2) as [QueueOrder, QueueOrder];
  const [first, second, third] = [a.draw(0), a.draw(0), a.draw(0)];
  t.notOk(a.setHead(0, first), 'it becomes first itself');
  t.notOk(b.setHead(0, second), 'another one is first already');
  t.notOk(b.setHead(0, third), 'still');
  t.notOk(b.setHead(0, second), 'still');
  t.ok(a.setHead(0, third), 'the other one is first now');
  t.notOk(a.setHead(0, 0), 'as before');
  t.notOk(b.setHead(0, 0), 'nobody is left');
});

void t.test('a worker that was announced too early gets out of the way of who drew first', async t => {
  const [a, b] = workers(2) as [QueueOrder, QueueOrder];
  a.announce(0);
  b.announce(0);
  b.setHead(0, b.draw(0));
  t.ok(b.isFirst(0), 'as old as the one that may have drawn before it');
  t.equal(b.first(0), 0, 'which others let go first');
  t.ok(a.setHead(0, a.draw(0)), 'the other one has to be told');
  t.equal(a.first(0), 1);
});

void t.test('tickets wrap around, and none is 0', async t => {
  for (const [last, expected] of [
    [0x7fff_ffff, -0x8000_0000],
    [-1, 1],
  ] as const) {
    const [a, b] = workers(2) as [QueueOrder, QueueOrder];
    const words = new Int32Array(a.memory.buffer);
    words[0] = last - 1;
    a.setHead(0, a.draw(0));
    t.equal(a.head(0), last);
    b.announce(0);
    t.equal(b.head(0), expected);
    t.notOk(b.isFirst(0), 'younger, although the number is smaller');
    t.equal(b.draw(0), expected);
  }
});

void t.test('queues have nothing to do with each other', async t => {
  const [a, b] = workers(2, 2) as [QueueOrder, QueueOrder];
  a.setHead(0, a.draw(0));
  b.setHead(1, b.draw(1));
  t.same([a.first(0), a.first(1)], [0, 1]);
  t.equal(b.head(1), 1);
});

void t.test('a dead worker holds up nobody', async t => {
  const [a, b] = workers(2, 2) as [QueueOrder, QueueOrder];
  for (const queue of [0, 1]) {
    a.setHead(queue, a.draw(queue));
    b.setHead(queue, b.draw(queue));
  }
  b.forget(0);
  t.same([b.isFirst(0), b.isFirst(1)], [true, true]);
  t.equal(a.head(0), 0);
});
