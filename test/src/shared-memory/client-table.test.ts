import t from 'tap';
import { ClientTable, type ClientRules } from '../../../src/shared-memory/client-table.ts';
import { fc } from '../../harness/properties.ts';

/** The smallest table. */
const ENTRIES = 8_192;
/** Two thirds: while no more are in use, a client finds room. */
const EASILY = 5_400;

function setUp({ clients = ENTRIES, workers = 1, key = [1, 2] as readonly [number, number] } = {}) {
  const clock = { ms: 1_000_000 };
  const deps = { nowMs: () => clock.ms };
  const memory = ClientTable.allocate(clients, workers, { key });
  const worker = (n: number) => new ClientTable(memory, n, deps);
  return { clock, memory, worker, table: worker(0) };
}

function rules(given: Partial<ClientRules> = {}): ClientRules {
  return { sessions: undefined, rate: undefined, ipv4Prefix: 32, ipv6Prefix: 64, ...given };
}

const isIn = (entered: unknown): entered is number => typeof entered === 'number';

void t.test('a client has so many sessions and no more, and again when one has ended', async t => {
  const { table } = setUp();
  const two = rules({ sessions: 2 });
  const [first, second] = [table.enter('192.0.2.1', two), table.enter('192.0.2.1', two)];
  t.ok(isIn(first) && isIn(second));
  t.equal(table.enter('192.0.2.1', two), 'sessions');
  t.ok(isIn(table.enter('192.0.2.2', two)), 'another client is not concerned');
  table.leave(first as number);
  t.ok(isIn(table.enter('192.0.2.1', two)));
  t.equal(table.enter('192.0.2.1', two), 'sessions');
});

void t.test('a client comes as fast as its rate, and a refusal costs it nothing', async t => {
  const { table, clock } = setUp();
  const slow = rules({ rate: { intervalMs: 100, burst: 2 } });
  const come = () => table.enter('192.0.2.1', slow);
  t.ok(isIn(come()) && isIn(come()));
  t.equal(come(), 'rate');
  clock.ms += 99;
  t.equal(come(), 'rate');
  clock.ms += 1;
  t.ok(isIn(come()));
  t.equal(come(), 'rate');
});

void t.test('a client that has too many sessions loses no token for it', async t => {
  const { table } = setUp();
  const both = rules({ sessions: 1, rate: { intervalMs: 1_000, burst: 2 } });
  const first = table.enter('192.0.2.1', both);
  for (let i = 0; i < 5; i++) t.equal(table.enter('192.0.2.1', both), 'sessions');
  table.leave(first as number);
  t.ok(isIn(table.enter('192.0.2.1', both)));
});

void t.test('a session that has never begun costs no token', async t => {
  const { table } = setUp();
  const slow = rules({ sessions: 1, rate: { intervalMs: 1_000, burst: 2 } });
  for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::1', '198.51.100.7', '203.0.113.9']) {
    for (let i = 0; i < 5; i++) table.undo(table.enter(address, slow) as number, slow);
    for (let i = 0; i < 2; i++) table.leave(table.enter(address, slow) as number);
    t.equal(table.enter(address, slow), 'rate', 'the burst, and no more');
  }
  const unlimited = rules({ sessions: 1 });
  table.undo(table.enter('192.0.2.3', unlimited) as number, unlimited);
  t.ok(isIn(table.enter('192.0.2.3', unlimited)));
});

void t.test('a client is a network, one length for IPv4 and one for IPv6', async t => {
  for (const [first, second, prefixes, isSame] of [
    ['192.0.2.1', '::ffff:192.0.2.1', {}, true],
    ['192.0.2.1', '192.0.2.2', {}, false],
    ['192.0.2.1', '192.0.2.2', { ipv4Prefix: 24 }, true],
    ['192.0.2.1', '192.0.3.1', { ipv4Prefix: 24 }, false],
    ['192.0.2.127', '192.0.2.128', { ipv4Prefix: 25 }, false],
    ['10.0.0.1', '172.16.0.1', { ipv4Prefix: 1 }, false],
    ['10.0.0.1', '99.16.0.1', { ipv4Prefix: 1 }, true],
    ['2001:db8::1', '2001:db8::2', {}, true],
    ['2001:db8::1', '2001:db8:0:1::1', {}, false],
    ['2001:db8::1', '2001:db8::2', { ipv6Prefix: 128 }, false],
    ['2001:db8:0:1::1', '2001:db8:0:2::1', { ipv6Prefix: 48 }, true],
    ['::1', '::2', {}, true],
    ['::', '2001:db8::', {}, false],
    ['fe80::1%eth0', 'fe80::1%eth1', { ipv6Prefix: 128 }, true],
  ] as const) {
    const { table } = setUp();
    const one = rules({ sessions: 1, ...prefixes });
    t.ok(isIn(table.enter(first, one)), first);
    t.equal(
      isIn(table.enter(second, one)),
      !isSame,
      `${first} and ${second} with ${JSON.stringify(prefixes)}`,
    );
  }
});

void t.test('the client :: is not mistaken for an empty entry', async t => {
  for (let key = 0; key < 50; key++) {
    const { table } = setUp({ clients: 4 * ENTRIES, key: [key, 1] });
    t.ok(isIn(table.enter('::1', rules({ sessions: 1 }))));
    t.equal(table.enter('::1', rules({ sessions: 1 })), 'sessions');
  }
});

void t.test('clients without an IP address are not limited', async t => {
  const { table } = setUp();
  for (const address of ['', 'unix', '10.0.0'])
    t.same(
      [1, 2].map(() => table.enter(address, rules({ sessions: 1 }))),
      [undefined, undefined],
    );
});

void t.test('clients that have no session and all their tokens make room', async t => {
  const { table, clock } = setUp();
  const limits = rules({ sessions: 5, rate: { intervalMs: 100, burst: 1 } });
  for (let round = 0; round < 5; round++) {
    const entered = Array.from({ length: EASILY }, (_, i) =>
      table.enter(`10.${round}.${i >> 8}.${i & 255}`, limits),
    );
    t.same(
      entered.filter(each => !isIn(each)),
      [],
    );
    for (const entry of entered) table.leave(entry as number);
    clock.ms += 100;
  }
});

void t.test('nobody who is in the table is put out of it, however many come', async t => {
  const { table } = setUp();
  const limits = rules({ sessions: 1, rate: { intervalMs: 60_000, burst: 1 } });
  const honest = Array.from({ length: 50 }, (_, i) => `192.0.2.${i}`);
  const entries = honest.map(address => table.enter(address, limits));
  t.ok(entries.every(isIn));
  // Half of the honest have left, and have no token.
  for (const [i, entry] of entries.entries()) if (i % 2 === 0) table.leave(entry as number);
  const attack = Array.from({ length: 60_000 }, (_, i) => table.enter(`10.0.${i >> 8}.${i & 255}`, limits));
  t.equal(attack.filter(isIn).length, ENTRIES - 50, 'every entry is used');
  t.equal(attack.filter(each => each === 'uncounted').length, 60_000 - ENTRIES + 50);
  t.same(
    honest.map(address => table.enter(address, limits)),
    honest.map((_, i) => (i % 2 === 0 ? 'rate' : 'sessions')),
  );
});

void t.test('what a worker held is given back when it has died, also a lock', async t => {
  const { worker, memory } = setUp({ workers: 3 });
  const three = rules({ sessions: 3 });
  const [a, b] = [worker(0), worker(2)];
  t.ok(
    isIn(a.enter('192.0.2.1', three)) &&
      isIn(b.enter('192.0.2.1', three)) &&
      isIn(b.enter('192.0.2.1', three)),
  );
  t.equal(a.enter('192.0.2.1', three), 'sessions');
  // It has died with every lock.
  new Int32Array(memory.buffer).fill(3, 2, 2 + 16);
  a.forget(2);
  t.ok(isIn(a.enter('192.0.2.1', three)) && isIn(a.enter('192.0.2.1', three)));
  t.equal(a.enter('192.0.2.1', three), 'sessions', 'the session of the other worker is still counted');
});

void t.test('a client is let in uncounted when another thread keeps the lock', async t => {
  const { table, memory } = setUp({ workers: 2 });
  const lock = (tag: number) => new Int32Array(memory.buffer).fill(tag, 2, 2 + 16);
  lock(2);
  t.equal(table.enter('192.0.2.1', rules({ sessions: 1 })), 'uncounted');
  lock(0);
  t.type(table.enter('192.0.2.1', rules({ sessions: 1 })), 'number');
  lock(2);
  t.equal(
    table.enter('192.0.2.1', rules({ sessions: 1 })),
    'sessions',
    'but not one that is known, and at its limit',
  );
  t.equal(table.enter('192.0.2.1', rules({ sessions: 2 })), 'uncounted');
  t.equal(table.enter('192.0.2.1', rules()), 'uncounted');
});

void t.test('it has at least as many entries as clients are to have room', async t => {
  t.same(
    [1, 8_192, 8_193, 65_536].map(clients => ClientTable.allocate(clients, 2).clients),
    [8_192, 8_192, 16_384, 65_536],
  );
});

void t.test('it counts as a map without bounds does, whatever comes and goes', async () => {
  const address = fc.nat(12).map(n => (n % 3 === 0 ? `2001:db8:0:${n}::${n}` : `192.0.2.${n}`));
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('enter' as const), address, by: fc.nat(2) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('leave' as const), which: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(300) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('dies' as const), by: fc.nat(2) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('limit' as const), sessions: fc.integer({ min: 1, max: 4 }) }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), steps => {
      const { clock, worker } = setUp({ workers: 3 });
      const tables = [0, 1, 2].map(worker);
      const [intervalMs, burst] = [100, 3];
      let limits = rules({ sessions: 2, rate: { intervalMs, burst } });
      let running: { address: string; by: number; entry: number }[] = [];
      const tokens = new Map<string, { left: number; atMs: number }>();
      for (const one of steps) {
        if (one.kind === 'wait') clock.ms += one.ms;
        else if (one.kind === 'limit') limits = rules({ ...limits, sessions: one.sessions });
        else if (one.kind === 'dies') {
          tables[0]?.forget(one.by);
          running = running.filter(({ by }) => by !== one.by);
        } else if (one.kind === 'leave') {
          const [session] = running.splice(one.which, 1);
          if (session !== undefined) tables[session.by]?.leave(session.entry);
        } else {
          const { left, atMs } = tokens.get(one.address) ?? { left: burst, atMs: clock.ms };
          const now = Math.min(burst, left + (clock.ms - atMs) / intervalMs);
          const sessions = running.filter(({ address: other }) => other === one.address).length;
          const entered = tables[one.by]?.enter(one.address, limits);
          if (sessions >= (limits.sessions ?? 0)) {
            if (entered !== 'sessions') return false;
            continue;
          }
          if (now < 1 - 1e-3) {
            if (entered !== 'rate') return false;
            continue;
          }
          if (!isIn(entered)) return false;
          tokens.set(one.address, { left: now - 1, atMs: clock.ms });
          running.push({ address: one.address, by: one.by, entry: entered });
        }
      }
      return true;
    }),
  );
});
