import t from 'tap';
import { STICKY_LAYOUT, StickyTable } from '../../../src/shared-memory/sticky-table.ts';
import { fc } from '../../harness/properties.ts';
import { checkStructure } from './sticky-structure.ts';

function setUp({ max = 10, ttlMs = 60_000 } = {}) {
  const clock = { seconds: 1_000 };
  const deps = { nowSeconds: () => clock.seconds };
  const table = new StickyTable({ max, ttlMs }, deps);
  return { clock, table, worker: (n: number) => StickyTable.forWorker(table.memory, n, deps) };
}

void t.test('a client’s backend is remembered, and the last one counts', async t => {
  const { table } = setUp();
  t.equal(table.find('192.0.2.1'), undefined);
  table.bind('192.0.2.1', 7);
  table.bind('192.0.2.2', 0);
  t.same([table.find('192.0.2.1'), table.find('192.0.2.2'), table.find('192.0.2.3')], [7, 0, undefined]);
  table.bind('192.0.2.1', 8);
  t.equal(table.find('192.0.2.1'), 8);
  t.equal(table.size, 2);
  checkStructure(table.memory);
});

void t.test('all workers see the same', async t => {
  const { worker } = setUp();
  worker(0).bind('192.0.2.1', 7);
  t.equal(worker(1).find('192.0.2.1'), 7);
});

void t.test('one client is one client, however its address is written', async t => {
  const { table } = setUp();
  for (const [slot, [first, second]] of [
    ['192.0.2.1', '::ffff:192.0.2.1'],
    ['192.0.2.255', '::ffff:c000:2ff'],
    ['2001:db8::1', '2001:0DB8:0:0::1'],
    ['fe80::1', 'fe80::1%eth0'],
    ['::', '0:0:0:0:0:0:0:0'],
  ].entries()) {
    table.bind(first!, slot);
    t.equal(table.find(second!), slot, `${first} is ${second}`);
  }
  t.equal(table.size, 5);
  t.equal(table.find('::1'), undefined);
  t.equal(table.find('::192.0.2.1'), undefined);
});

void t.test('what is no address is never stored', async t => {
  const { table } = setUp();
  for (const text of [
    '',
    'localhost',
    '10.0.0',
    '10.0.0.',
    '.10.0.0',
    '10..0.0',
    '10.0.0.256',
    '1.2.3.4.5',
    ':',
    '1:2',
    '::g',
    '1:2:3:4:5:6:7:8:9',
    'unix:/run/a',
  ]) {
    table.bind(text, 1);
    t.equal(table.find(text), undefined, text);
  }
  t.equal(table.size, 0);
});

void t.test(
  'a client that has not come for the time to live is unknown; each use begins it anew',
  async t => {
    const { table, clock } = setUp({ ttlMs: 59_500 });
    table.bind('192.0.2.1', 7);
    clock.seconds += 60;
    t.equal(table.find('192.0.2.1'), 7);
    clock.seconds += 60;
    t.equal(table.find('192.0.2.1'), 7, 'a look-up is a use');
    clock.seconds += 61;
    t.equal(table.find('192.0.2.1'), undefined);
    t.equal(table.size, 0);
    checkStructure(table.memory);
  },
);

void t.test('new clients clear away those whose time is over', async t => {
  const { table, clock } = setUp();
  for (let i = 0; i < 10; i++) table.bind(`192.0.2.${i}`, i);
  clock.seconds += 61;
  table.bind('198.51.100.1', 1);
  t.equal(table.size, 9);
  for (let i = 2; i < 7; i++) table.bind(`198.51.100.${i}`, i);
  t.equal(table.size, 6);
  t.same(checkStructure(table.memory), [6, 5, 4, 3, 2, 1]);
});

void t.test('with room for one, the last one is known', async t => {
  const { table } = setUp({ max: 1 });
  for (let i = 0; i < 5; i++) {
    table.bind(`192.0.2.${i}`, i);
    t.same([table.size, ...checkStructure(table.memory)], [1, i]);
  }
  t.same([table.find('192.0.2.4'), table.find('192.0.2.3')], [4, undefined]);
});

void t.test('it is a bounded map that forgets whoever came longest ago', async () => {
  const address = fc.nat(24).map(n => (n % 2 === 0 ? `192.0.2.${n}` : `2001:db8::${n}`));
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('bind' as const), address, slot: fc.nat(99) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('find' as const), address }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.nat(8) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('ownerDied' as const) }) },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(step, { maxLength: 100, size: 'max' }),
      (max, steps) => {
        const { table, clock } = setUp({ max, ttlMs: 20_000 });
        // In the order of use: a Map keeps that of insertion.
        const model = new Map<string, { slot: number; at: number }>();
        const alive = (key: string): { slot: number; at: number } | undefined => {
          const known = model.get(key);
          model.delete(key);
          return known !== undefined && clock.seconds - known.at <= 20 ? known : undefined;
        };
        for (const each of steps) {
          if (each.kind === 'wait') {
            clock.seconds += each.seconds;
          } else if (each.kind === 'ownerDied') {
            // Worker 3 held the lock: what it had under way is lost together with the table.
            new Int32Array(table.memory.buffer)[STICKY_LAYOUT.lock] = 4;
            table.forget(3);
            model.clear();
          } else if (each.kind === 'find') {
            const known = alive(each.address);
            if (known !== undefined) model.set(each.address, { slot: known.slot, at: clock.seconds });
            if (table.find(each.address) !== known?.slot) return false;
          } else {
            const isNew = !model.delete(each.address);
            const [oldest] = model.keys();
            if (isNew && oldest !== undefined && model.size === max) model.delete(oldest);
            model.set(each.address, { slot: each.slot, at: clock.seconds });
            table.bind(each.address, each.slot);
          }
          const slots = checkStructure(table.memory);
          const expected = [...model.values()].toReversed();
          const known = expected.filter(({ at }) => clock.seconds - at <= 20);
          // Those whose time is over may be gone already; they are the last ones.
          if (slots.length > expected.length || slots.length < known.length) return false;
          if (slots.some((slot, i) => slot !== expected[i]?.slot)) return false;
        }
        return true;
      },
    ),
    { numRuns: 500 },
  );
});

void t.test('addresses that differ little are spread over all chains', async t => {
  const { table } = setUp({ max: 4_096 });
  for (let i = 0; i < 4_096; i++) table.bind(`10.0.${i >> 8}.${i & 255}`, i);
  checkStructure(table.memory);
  const heads = new Int32Array(table.memory.buffer).subarray(8, 8 + 4_096);
  const empty = heads.filter(head => head === 0).length;
  // 1/e of the chains stay empty when everything falls at random.
  t.ok(Math.abs(empty / 4_096 - Math.exp(-1)) < 0.03, `${empty} chains are empty`);
});

void t.test('which chain an address is in depends on a key that nobody knows', async t => {
  const chainsOf = (table: StickyTable): number[] => {
    for (let i = 0; i < 8; i++) table.bind(`10.0.0.${i}`, i);
    const heads = new Int32Array(table.memory.buffer).subarray(8, 8 + 4_096);
    return [...heads.keys()].filter(i => heads[i] !== 0);
  };
  const tables = [0, 1].map(() => chainsOf(setUp({ max: 4_096 }).table));
  t.notSame(tables[0], tables[1]);
  const keyed = [0, 1].map(() =>
    chainsOf(new StickyTable({ max: 4_096, ttlMs: 1_000 }, { key: [0x03020100, 0x07060504] })),
  );
  t.same(keyed[0], keyed[1]);
});

void t.test('100,000 clients cost less than 6 MB', async t => {
  const { buffer } = setUp({ max: 100_000 }).table.memory;
  t.equal(buffer.byteLength, 4 * (8 + 131_072 + 100_000 * 9));
  t.ok(buffer.byteLength < 6e6);
});

void t.test('the production clock is the same in every thread, in whole seconds', async t => {
  const table = new StickyTable({ max: 1, ttlMs: 3_600_000 });
  const before = process.hrtime()[0];
  table.bind('192.0.2.1', 1);
  const usedAt = new Int32Array(table.memory.buffer)[8 + 1 + 5]!;
  t.ok(before <= usedAt && usedAt <= process.hrtime()[0]);
  t.equal(table.find('192.0.2.1'), 1);
});

void t.test('while a dead worker holds the lock, clients are unknown; then it begins anew', async t => {
  const { table, worker } = setUp();
  table.bind('192.0.2.1', 1);
  const words = new Int32Array(table.memory.buffer);
  const naps = t.capture(Atomics, 'wait', () => 'timed-out' as const);
  // Worker 1 has died between two links.
  words[0] = 2;
  words[4] = 12_345;
  const other = worker(2);
  t.equal(other.find('192.0.2.1'), undefined);
  const waits = naps().map(({ args: [, ...each] }) => each);
  t.same(waits, new Array(50).fill([0, 2, 1]), 'it has waited a little');
  other.bind('192.0.2.1', 2);
  t.same(naps(), [], 'but not each time');
  table.forget(0);
  t.equal(words[0], 2, 'another one’s death changes nothing');
  table.forget(1);
  t.same([table.size, other.find('192.0.2.1')], [0, undefined]);
  other.bind('192.0.2.1', 3);
  t.equal(table.find('192.0.2.1'), 3);
  t.same(checkStructure(table.memory), [3]);
  table.forget(1);
  t.equal(table.size, 1, 'a death without the lock costs nobody’s memory');
  words[0] = 2;
  t.equal(other.find('192.0.2.1'), undefined);
  t.equal(naps().length, 50, 'it waits again once it had the lock');
});

void t.test('whoever waits for the lock has it as soon as it is free', async t => {
  const { table, worker } = setUp();
  table.bind('192.0.2.1', 1);
  const words = new Int32Array(table.memory.buffer);
  words[0] = 2;
  let naps = 0;
  t.capture(Atomics, 'wait', () => {
    naps += 1;
    if (naps === 3) words[0] = 0;
    return 'timed-out' as const;
  });
  t.equal(worker(2).find('192.0.2.1'), 1);
  t.equal(naps, 3);
  t.equal(words[0], 0);
});
