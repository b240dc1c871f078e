/**
 * What every exchange keeps to (src/control/mirror/exchange.ts): the one over Redis and the plain model that stands in for it.
 *
 * Place: test/src/control/mirror/*-exchange.test.ts calls it once per implementation, with a world to break.
 */
import type { Test } from 'tap';
import { ExchangeError } from '../../src/control/mirror/exchange.ts';
import { pause } from '../harness/until.ts';
import { Instance, mapOf, type Counts, type ExchangeWorld } from './exchange-instance.ts';

const SHORT_MS = 300;

/** Twenty backends that nobody uses. */
const IDLE: Counts = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x:${i}`, 0]));

let worlds = 0;

/** Runs the suite; `setUp` makes a world for each test. */
export async function exchangeContract(
  t: Test,
  setUp: (t: Test) => Promise<ExchangeWorld> | ExchangeWorld,
): Promise<void> {
  const claim = (
    title: string,
    body: (
      t: Test,
      named: (instance: string, owner?: string) => Instance,
      world: ExchangeWorld,
    ) => Promise<void>,
  ): Promise<unknown> =>
    t.test(title, async t => {
      const world = await setUp(t);
      worlds += 1;
      const upstream = `up-${worlds}`;
      const instances: Instance[] = [];
      t.teardown(() => {
        for (const { exchange } of instances) exchange.close();
      });
      const named = (instance: string, owner?: string): Instance => {
        const made = new Instance(world, upstream, instance, owner);
        instances.push(made);
        return made;
      };
      await body(t, named, world);
    });

  await claim(
    'who publishes first reads his own counts and is told that he was unknown',
    async (t, named) => {
      const answer = await named('a').read({ 'x:1': 3, 'y:1': 0 }, { unseen: 2 });
      t.match(answer, { kind: 'totals', wasUnknown: true, unseen: 0, others: [] });
      t.strictSame(answer.totals, mapOf({ 'x:1': 3, 'y:1': 0 }));
    },
  );

  await claim('everybody reads the sum of all counts', async (t, named) => {
    const [a, b, c] = [named('a'), named('b'), named('c')];
    await a.say({ 'x:1': 3, 'y:1': 0 });
    t.strictSame(await b.totals({ 'x:1': 2, 'y:1': 1 }), { 'x:1': 5, 'y:1': 1 });
    t.strictSame(await c.totals({ 'z:1': 0 }), { 'x:1': 5, 'y:1': 1, 'z:1': 0 });
    t.strictSame(await a.totals({ 'x:1': 0, 'y:1': 7 }), { 'x:1': 2, 'y:1': 8, 'z:1': 0 });
  });

  await claim('addresses of all kinds are names of backends', async (t, named) => {
    const counts = { '[::1]:80': 1, 'unix:/a b/"c"\n': 2, '10.0.0.1:65535': 3, 'ünï.example:1': 4, 'a:1': 0 };
    const [a, b] = [named('a.b_c-D'), named('b')];
    await a.say(counts);
    t.strictSame(
      await b.totals(counts),
      Object.fromEntries(Object.entries(counts).map(([address, count]) => [address, 2 * count])),
    );
  });

  await claim('upstreams know nothing of each other', async (t, named) => {
    const [a, b] = [named('a'), named('b')];
    await a.say({ 'x:1': 3 }, { upstream: 'another-one' });
    t.strictSame(await b.totals({ 'x:1': 1 }), { 'x:1': 1 });
  });

  await claim(
    'everybody reads who the others are, when they spoke, and their unseen',
    async (t, named, world) => {
      const [a, b, c] = [named('a'), named('b'), named('c')];
      await a.say({ 'x:1': 1 }, { unseen: 0.25 });
      await world.pass(60);
      await b.say({ 'x:1': 1 }, { unseen: 3 });
      const { others, ageMs, unseen } = await c.read({ 'x:1': 1 }, { unseen: 1000 });
      t.strictSame(others.toSorted(), ['a', 'b']);
      t.ok(ageMs >= 60 && ageMs < 10_000, `the older one's age: ${ageMs}`);
      t.equal(unseen, 3.25);
      t.equal(
        (await a.read({ 'x:1': 1 }, { unseen: 7 })).unseen,
        1003,
        'what was said before counts no more',
      );
      t.equal((await b.read({ 'x:1': 1 })).unseen, 1007);
    },
  );

  await claim('the version steps by one with each change and with nothing else', async (t, named) => {
    const [a, b] = [named('a'), named('b')];
    const first = await a.read({ 'x:1': 3, 'y:1': 0 });
    t.equal((await a.read({ 'x:1': 3, 'y:1': 0 })).version, first.version);
    const { version } = await b.read({ 'x:1': 0, 'z:1': 0 });
    t.ok(version > first.version, 'somebody new is a change');
    t.equal((await a.read({ 'x:1': 4, 'y:1': 2 })).version, version + 1);
    t.equal((await b.read({ 'x:1': 1, 'z:1': 0 })).version, version + 2);
    t.equal((await a.read({ 'x:1': 4, 'y:1': 2 }, { unseen: 1 })).version, version + 2);
    t.ok((await a.read({ 'x:1': 4 })).version > version + 2, 'and so is a backend that is gone');
  });

  await claim('a publication that comes late or twice changes nothing, but reads', async (t, named) => {
    const [a, b] = [named('a'), named('b')];
    await a.say({ 'x:1': 1 }, { number: 5, unseen: 1 });
    const { version } = await b.read({ 'x:1': 10, 'y:1': 1 });
    for (const number of [5, 4]) {
      const late = await a.read({ 'x:1': 100, 'z:1': 1 }, { number, unseen: 100 });
      t.strictSame(Object.fromEntries(late.totals), { 'x:1': 11, 'y:1': 1 });
      t.equal(late.version, version);
      t.notOk(late.wasUnknown);
    }
    t.equal((await b.read({ 'x:1': 10, 'y:1': 1 })).unseen, 1);
    t.strictSame(await a.totals({ 'x:1': 2 }, { number: 6 }), { 'x:1': 12, 'y:1': 1 });
  });

  await claim(
    'a name that another process holds is refused, and nothing changes',
    async (t, named, world) => {
      const [a, thief, b] = [named('a', 'mine'), named('a', 'thine'), named('b')];
      await a.say({ 'x:1': 1 }, { leaseMs: SHORT_MS });
      t.strictSame(await thief.say({ 'x:1': 100 }, { number: 1000 }), { kind: 'nameTaken' });
      t.strictSame(await b.totals({ 'x:1': 0 }), { 'x:1': 1 });
      await thief.withdraw();
      t.strictSame(await a.totals({ 'x:1': 2 }, { leaseMs: SHORT_MS }), { 'x:1': 2 });

      await world.pass(SHORT_MS + 50);
      t.match(await thief.read({ 'x:1': 7 }), { wasUnknown: true }, 'a lease that has ended frees the name');
      t.strictSame(await b.totals({ 'x:1': 0 }), { 'x:1': 7 });
      t.strictSame(await a.say({ 'x:1': 2 }), { kind: 'nameTaken' });
    },
  );

  await claim('what a killed instance has counted goes with its lease', async (t, named, world) => {
    const [a, b] = [named('a'), named('b')];
    await a.say({ 'x:1': 5, 'only-mine:1': 1 }, { leaseMs: SHORT_MS, unseen: 9 });
    const before = await b.read({ 'x:1': 1, 'y:1': 0 });
    t.equal(before.totals.get('x:1'), 6);
    await world.pass(SHORT_MS + 50);
    const after = await b.read({ 'x:1': 1, 'y:1': 0 });
    t.strictSame(Object.fromEntries(after.totals), { 'x:1': 1, 'y:1': 0 });
    t.match(after, { others: [], unseen: 0, wasUnknown: false });
    t.ok(after.version > before.version);

    const back = await a.read({ 'x:1': 2 });
    t.ok(back.wasUnknown, 'and who comes back is told so');
    t.equal(back.totals.get('x:1'), 3);
    t.notOk((await a.read({ 'x:1': 2 })).wasUnknown);
  });

  await claim('an instance that comes back after its lease counts once', async (t, named, world) => {
    const [a, b] = [named('a'), named('b')];
    await b.say({ 'x:1': 10 });
    await a.say({ 'x:1': 5 }, { leaseMs: SHORT_MS });
    await world.pass(SHORT_MS + 50);
    t.match(await a.read({ 'x:1': 6 }), { wasUnknown: true, totals: new Map([['x:1', 16]]) });
  });

  await claim('whoever publishes keeps his lease', async (t, named, world) => {
    const [a, b] = [named('a'), named('b')];
    for (let i = 0; i < 4; i++) {
      const { wasUnknown } = await a.read({ 'x:1': 5 }, { leaseMs: 2 * SHORT_MS });
      t.equal(wasUnknown, i === 0);
      await world.pass(SHORT_MS);
    }
    t.strictSame(await b.totals({ 'x:1': 1 }), { 'x:1': 6 });
  });

  await claim('a backend stays until nobody has it any more', async (t, named) => {
    const [a, b] = [named('a'), named('b')];
    await a.say({ 'x:1': 0, 'y:1': 3, 'z:1': 1 });
    await b.say({ 'x:1': 0, 'z:1': 1 });
    t.strictSame(await a.totals({ 'w:1': 1 }), { 'w:1': 1, 'x:1': 0, 'z:1': 1 });
    t.strictSame(await b.totals({ 'w:1': 0 }), { 'w:1': 1 });
    t.strictSame(await a.totals({}), { 'w:1': 0 });
    t.strictSame(await b.totals({}), {});
  });

  await claim('who withdraws is gone at once, and no late publication brings him back', async (t, named) => {
    const [a, b] = [named('a'), named('b')];
    await b.say({ 'x:1': 1, 'y:1': 0 });
    await a.say({ 'x:1': 5, 'y:1': 2, 'z:1': 0 }, { unseen: 4 });
    await a.withdraw(10);
    t.match(await b.read({ 'x:1': 1, 'y:1': 0 }), {
      totals: mapOf({ 'x:1': 1, 'y:1': 0 }),
      others: [],
      unseen: 0,
    });
    await a.say({ 'x:1': 5 }, { number: 9 });
    await a.say({ 'x:1': 5 }, { number: 10 });
    t.match(await b.read({ 'x:1': 1, 'y:1': 0 }), { totals: new Map([['x:1', 1]]), others: [] });

    t.match(await a.read({ 'x:1': 2 }, { number: 11 }), { wasUnknown: true, totals: new Map([['x:1', 3]]) });
    await a.withdraw(8);
    t.strictSame(await b.totals({ 'x:1': 1 }), { 'x:1': 3 }, 'a late withdrawal does nothing either');
  });

  await claim('a withdrawn name is free at once, and its late publications are refused', async (t, named) => {
    const [a, next] = [named('a', 'old'), named('a', 'new')];
    await a.say({ 'x:1': 5 });
    await a.withdraw();
    t.match(await next.read({ 'x:1': 1 }), { wasUnknown: true, totals: new Map([['x:1', 1]]) });
    t.strictSame(await a.say({ 'x:1': 5 }, { number: 1 }), { kind: 'nameTaken' });
    await a.withdraw();
    t.strictSame(await next.totals({ 'x:1': 2 }), { 'x:1': 2 });
  });

  await claim('who was never there can withdraw', async (t, named) => {
    const [a, b] = [named('a'), named('b')];
    await a.withdraw();
    t.strictSame(await b.totals({ 'x:1': 1 }), { 'x:1': 1 });
  });

  await claim('after a loss of all data all counts come back with who publishes', async (t, named, world) => {
    const [a, b] = [named('a'), named('b')];
    await a.say({ 'x:1': 5, 'y:1': 1 }, { unseen: 1 });
    await b.say({ 'x:1': 1 }, { unseen: 2 });
    await world.flush();
    const first = await b.read({ 'x:1': 2 }, { unseen: 2 });
    t.match(first, { wasUnknown: true, others: [], unseen: 0, totals: mapOf({ 'x:1': 2 }) });
    const back = await a.read({ 'x:1': 5, 'y:1': 1 }, { unseen: 1 });
    t.match(back, { wasUnknown: true, unseen: 2 });
    t.strictSame(Object.fromEntries(back.totals), { 'x:1': 7, 'y:1': 1 });
  });

  await claim('a small change is told at once, with the version that it leads to', async (t, named) => {
    const [a, b] = [named('a'), named('b')];
    await a.say(IDLE);
    await untilHeard(a, b);

    const { version } = await b.read(IDLE);
    b.changes.length = 0;
    const eight = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`x:${i}`, i + 1]));
    await a.say({ ...IDLE, ...eight });
    await a.say({ ...IDLE, 'x:0': 3 });
    await someoneHears(b, 2);
    const [first, second] = [eight, { ...mapValues(eight, count => -count), 'x:0': 2 }].map(deltas =>
      mapOf(deltas),
    );
    t.strictSame(b.changes, [
      { upstream: a.upstream, instance: 'a', version: version + 1, deltas: first },
      { upstream: a.upstream, instance: 'a', version: version + 2, deltas: second },
    ]);
    t.equal((await b.read(IDLE)).version, version + 2);

    const nine = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`x:${i}`, 10]));
    await a.say({ ...IDLE, ...nine });
    await a.say({ ...IDLE, ...nine, 'x:10': 1 });
    await someoneHears(b, 3);
    t.match(b.changes[2], { version: version + 4, deltas: mapOf({ 'x:10': 1 }) }, 'a large one is not');
    await a.withdraw();
    await b.read({ ...IDLE, 'x:0': 1 });
    await someoneHears(b, 4);
    t.match(b.changes[3], { version: version + 6, instance: 'b' }, 'nor who leaves');
  });

  await claim('a change is told by name, also where instances have different backends', async (t, named) => {
    const [a, b] = [named('a'), named('b')];
    await a.say(IDLE);
    await untilHeard(a, b);
    const [mine, yours] = [
      { 'y:1': 0, 'x:3': 4, 'a:1': 0 },
      { 'z:1': 1, 'x:3': 0 },
    ];
    await a.say(mine);
    const { version } = await b.read(yours);
    b.changes.length = 0;
    t.strictSame(await a.totals({ ...mine, 'y:1': 5, 'x:3': 3 }), { 'a:1': 0, 'x:3': 3, 'y:1': 5, 'z:1': 1 });
    await someoneHears(b, 1);
    t.match(b.changes, [{ version: version + 1, deltas: mapOf({ 'y:1': 5, 'x:3': -1 }) }]);
    t.strictSame(await b.totals({ ...yours, 'x:3': 1 }), { 'a:1': 0, 'x:3': 4, 'y:1': 5, 'z:1': 1 });
  });

  await claim('too many changes are not told, until there are fewer again', async (t, named, world) => {
    const [a, b] = [named('a'), named('b')];
    await a.say(IDLE);
    await untilHeard(a, b);
    b.changes.length = 0;
    const first = await a.read({ ...IDLE, 'x:0': 1 });
    t.ok(first.isTelling);
    for (let i = 2; i <= 80; i++) await a.say({ ...IDLE, 'x:0': i });
    const last = await a.read({ ...IDLE, 'x:0': 81 });
    t.notOk(last.isTelling);
    t.equal(last.version, first.version + 80, 'each is a change all the same');
    t.ok(b.changes.length < 60, `${b.changes.length} were told`);
    t.equal((await b.read(IDLE)).totals.get('x:0'), 81);

    await world.pass(3_000);
    t.ok((await a.read({ ...IDLE, 'x:0': 81 })).isTelling);
    const told = b.changes.length;
    await a.say({ ...IDLE, 'x:0': 82 });
    await someoneHears(b, told + 1);
    t.match(b.changes[told], { version: last.version + 1, deltas: mapOf({ 'x:0': 1 }) });
  });

  await claim('who has withdrawn hears no more changes', async (t, named) => {
    const [a, b, c] = [named('a'), named('b'), named('c')];
    await untilHeard(a, b);
    await untilHeard(a, c);
    await b.withdraw();
    b.changes.length = 0;
    await untilHeard(a, c);
    await untilHeard(a, c);
    t.strictSame(b.changes, []);
  });

  await claim('who is closed fails, with an error of its kind', async (t, named) => {
    const a = named('a');
    await a.say({ 'x:1': 1 });
    a.exchange.close();
    a.exchange.close();
    await t.rejects(a.say({ 'x:1': 1 }), ExchangeError);
    await t.rejects(a.withdraw(), ExchangeError);
  });
}

/** Resolves once `listener` hears what `speaker` changes: it may take a moment until he is subscribed. */
async function untilHeard(speaker: Instance, listener: Instance): Promise<void> {
  const heard = listener.changes.length;
  await listener.say(IDLE);
  for (let i = 1; listener.changes.length === heard; i++) {
    await speaker.say({ ...IDLE, 'x:0': 1 + (i % 2) });
    // More often, and it would be too often to be told.
    await pause(60);
  }
  await speaker.say(IDLE);
  // All that is under way has arrived when what comes after it has.
  const { version } = await listener.read({ ...IDLE, 'x:0': 1 });
  while (!listener.changes.some(change => change.version >= version)) await pause(2);
  await listener.say(IDLE);
  while (!listener.changes.some(change => change.version > version)) await pause(2);
}

async function someoneHears(listener: Instance, count: number): Promise<void> {
  while (listener.changes.length < count) await pause(2);
}

function mapValues(counts: Counts, map: (count: number) => number): Counts {
  return Object.fromEntries(Object.entries(counts).map(([key, count]) => [key, map(count)]));
}
