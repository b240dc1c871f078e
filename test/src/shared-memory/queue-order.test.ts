import t from 'tap';
import { QueueOrder } from '../../../src/shared-memory/queue-order.ts';

function workers(count: number): QueueOrder[] {
  const memory = QueueOrder.allocate(count);
  return Array.from({ length: count }, (_, worker) => new QueueOrder(memory, worker));
}

void t.test('the oldest session of all workers is first', async t => {
  const [a, b, c] = workers(3) as [QueueOrder, QueueOrder, QueueOrder];
  t.ok(a.isEmpty());
  t.equal(a.first(), undefined);
  t.notOk(a.isFirst(), 'nobody waits here');
  const tickets = [c, a, b].map(worker => {
    worker.announce();
    const ticket = worker.draw();
    worker.setHead(ticket);
    return ticket;
  });
  t.same(tickets, [1, 2, 3]);
  t.same(
    [a, b, c].map(worker => worker.isFirst()),
    [false, false, true],
  );
  t.equal(b.first(), 2);
  t.notOk(b.isEmpty());
});

void t.test('who stops being first hears that another one has to be told, and only then', async t => {
  const [a, b] = workers(2) as [QueueOrder, QueueOrder];
  const [first, second, third] = [a.draw(), a.draw(), a.draw()];
  t.notOk(a.setHead(first), 'it becomes first itself');
  t.notOk(b.setHead(second), 'another one is first already');
  t.notOk(b.setHead(third), 'still');
  t.notOk(b.setHead(second), 'still');
  t.ok(a.setHead(third), 'the other one is first now');
  t.notOk(a.setHead(0), 'as before');
  t.notOk(b.setHead(0), 'nobody is left');
});

void t.test('a worker that was announced too early gets out of the way of who drew first', async t => {
  const [a, b] = workers(2) as [QueueOrder, QueueOrder];
  a.announce();
  b.announce();
  b.setHead(b.draw());
  t.ok(b.isFirst(), 'as old as the one that may have drawn before it');
  t.equal(b.first(), 0, 'which others let go first');
  t.ok(a.setHead(a.draw()), 'the other one has to be told');
  t.equal(a.first(), 1);
});

void t.test('tickets wrap around, and none is 0', async t => {
  for (const [last, expected] of [
    [0x7fff_ffff, -0x8000_0000],
    [-1, 1],
  ] as const) {
    const [a, b] = workers(2) as [QueueOrder, QueueOrder];
    const words = new Int32Array(a.memory.buffer);
    words[0] = last - 1;
    a.setHead(a.draw());
    t.equal(a.head(), last);
    b.announce();
    t.equal(b.head(), expected);
    t.notOk(b.isFirst(), 'younger, although the number is smaller');
    t.equal(b.draw(), expected);
  }
});

void t.test('a dead worker holds up nobody', async t => {
  const [a, b] = workers(2) as [QueueOrder, QueueOrder];
  a.setHead(a.draw());
  b.setHead(b.draw());
  b.forget(0);
  t.ok(b.isFirst());
  t.equal(a.head(), 0);
});
