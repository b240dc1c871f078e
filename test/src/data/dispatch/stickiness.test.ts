import t from 'tap';
import { Stickiness } from '../../../../src/data/dispatch/stickiness.ts';
import { StickyTable } from '../../../../src/shared-memory/sticky-table.ts';

function setUp() {
  const table = new StickyTable({ max: 10, ttlMs: 60_000 }, { nowSeconds: () => 0 });
  const backends = new Map([
    [1, 'a'],
    [2, 'b'],
  ]);
  return { backends, stickiness: new Stickiness(table, slot => backends.get(slot)) };
}

void t.test('a client has the backend it was connected to first', async t => {
  const { stickiness } = setUp();
  t.equal(stickiness.preferred('192.0.2.1'), undefined);
  stickiness.remember('192.0.2.1', 1);
  t.equal(stickiness.preferred('192.0.2.1'), 'a');
  stickiness.remember('192.0.2.1', 2);
  t.equal(stickiness.preferred('192.0.2.1'), 'a', 'another one has only stood in for it');
});

void t.test('a backend that is gone is forgotten in favour of the one that serves instead', async t => {
  const { stickiness, backends } = setUp();
  stickiness.remember('192.0.2.1', 1);
  backends.delete(1);
  t.equal(stickiness.preferred('192.0.2.1'), undefined);
  stickiness.remember('192.0.2.1', 2);
  backends.set(1, 'a');
  t.equal(stickiness.preferred('192.0.2.1'), 'b');
});

void t.test('a client that went while its backend was gone finds it when it is back', async t => {
  const { stickiness, backends } = setUp();
  stickiness.remember('192.0.2.1', 1);
  backends.delete(1);
  t.equal(stickiness.preferred('192.0.2.1'), undefined);
  backends.set(1, 'a');
  t.equal(stickiness.preferred('192.0.2.1'), 'a');
});

void t.test('clients without an address are not remembered', async t => {
  const { stickiness } = setUp();
  stickiness.remember('', 1);
  t.equal(stickiness.preferred(''), undefined);
});
