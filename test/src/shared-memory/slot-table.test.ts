import t from 'tap';
import { SlotTable, type Slot } from '../../../src/shared-memory/slot-table.ts';
import { fc } from '../../harness/properties.ts';

void t.test('a key keeps its slot from take to free, and two keys never share one', async t => {
  const table = new SlotTable(8);
  const a = table.take('a');
  const b = table.take('b');
  t.equal(table.take('a'), a);
  t.not(a.index, b.index);
  t.equal(table.size, 2);
});

void t.test('a slot that was given back is given out again, under another tag', async t => {
  const table = new SlotTable(1);
  const first = table.take('a');
  table.free('a');
  const second = table.take('b');
  t.equal(second.index, first.index);
  t.not(second.tag, first.tag);
  t.equal(table.used, 1, 'nothing beyond it was touched');
});

void t.test('the slot that is free longest is given out first', async t => {
  const table = new SlotTable(8);
  const [a, b, c] = ['a', 'b', 'c'].map(key => table.take(key)) as [Slot, Slot, Slot];
  for (const key of ['b', 'a', 'c']) table.free(key);
  t.same(
    ['d', 'e', 'f'].map(key => table.take(key).index),
    [b.index, a.index, c.index],
  );
});

void t.test('a key that was freed and is taken again begins anew', async t => {
  const table = new SlotTable(8);
  const before = table.take('a');
  table.free('a');
  t.not(table.take('a').tag, before.tag);
});

void t.test('freeing an unknown key, or one twice, changes nothing', async t => {
  const table = new SlotTable(8);
  table.take('a');
  table.free('a');
  table.free('a');
  table.free('b');
  t.not(table.take('c').index, table.take('d').index);
});

void t.test('when all are held, the error says how many there can be, and nothing has changed', async t => {
  const table = new SlotTable(2);
  table.take('a');
  table.take('b');
  t.throws(() => table.take('c'), { code: 'LB4_TOO_MANY_SLOTS', message: /no room for more than 2 / });
  t.equal(table.size, 2);
  table.free('a');
  t.ok(table.take('c'));
});

void t.test('a tag fits a signed 32-bit cell through all generations', async t => {
  const table = new SlotTable(1);
  let highest = 0;
  for (let i = 0; i < 20_000; i++) {
    highest = Math.max(highest, table.take('a').tag);
    table.free('a');
  }
  t.ok(highest < 2 ** 31);
  t.equal(highest | 0, highest);
});

void t.test(
  'any history: held slots are distinct, and as few are touched as were ever held at once',
  async () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 9 })), { maxLength: 200 }),
        steps => {
          const table = new SlotTable(10);
          const held = new Map<string, Slot>();
          let most = 0;
          for (const [takes, number] of steps) {
            const key = String(number);
            if (takes) held.set(key, table.take(key));
            else table.free(key);
            if (!takes) held.delete(key);
            most = Math.max(most, held.size);
            const indexes = new Set(Array.from(held.values(), ({ index }) => index));
            if (indexes.size !== held.size || table.size !== held.size || table.used !== most) return false;
          }
          return true;
        },
      ),
    );
  },
);
