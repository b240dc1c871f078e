import t from 'tap';
import { Listener } from '../../../../src/data/listener/listener.ts';
import { descriptorBudget, openDescriptors } from '../../../../src/host/descriptor-budget.ts';
import { formatAddress, parseAddress, type Address } from '../../../../src/support/address.ts';
import { FakeEngine } from '../../../harness/fake-engine.ts';

function addresses(...texts: string[]): Address[] {
  return texts.map(text => {
    const parsed = parseAddress(text);
    if (!parsed.ok) throw new Error(parsed.expected);
    return parsed.address;
  });
}

function create(...bind: string[]) {
  const engine = new FakeEngine();
  const seen: string[] = [];
  /** How many more clients there is a place for. */
  const places = { free: Infinity };
  const clock = { nowMs: 0 };
  const listener = new Listener('web', engine, {
    onClient: client => {
      if (places.free === 0) return false;
      places.free -= 1;
      seen.push(`client ${client.peerAddress}`);
      return true;
    },
    onPaused: reason => seen.push(`paused ${reason}`),
    onResumed: () => seen.push('resumed'),
    onWaited: ms => seen.push(`waited ${ms}`),
    now: () => clock.nowMs,
    onTurnedAway: () => seen.push('turned away'),
    onExhausted: () => seen.push('exhausted'),
    onBroken: (address, code) => seen.push(`broken ${address} ${code ?? ''}`),
    onMended: address => seen.push(`mended ${address}`),
  });
  const start = async (): Promise<void> => {
    for (const where of addresses(...bind)) await listener.open({ key: formatAddress(where), where }, {});
  };
  return { engine, listener, seen, places, clock, start };
}

void t.test('every configured address is bound and its clients are handed on', async t => {
  const { engine, seen, start } = create('127.0.0.1:80', '[::1]:80');
  await start();
  engine.listeners[0]?.client('192.0.2.1');
  engine.listeners[1]?.client('2001:db8::1');
  t.same(seen, ['client 192.0.2.1', 'client 2001:db8::1']);
});

void t.test('an address that is left to another listener is not closed', async t => {
  const { engine, listener, start } = create('127.0.0.1:80', '127.0.0.1:81');
  await start();
  listener.release('127.0.0.1:80');
  await listener.close('127.0.0.1:81');
  t.match(engine.listeners, [
    { released: true, closed: false },
    { released: false, closed: true },
  ]);
  t.same(listener.keys, []);
});

void t.test('it accepts exactly while nothing holds it, and says so once per change', async t => {
  const { engine, listener, seen, start } = create('127.0.0.1:80');
  await start();
  const paused = () => engine.listeners[0]?.paused;
  listener.hold('listenerLimit');
  listener.hold('instanceLimit');
  listener.hold('instanceLimit');
  t.equal(paused(), true);
  listener.unhold('listenerLimit');
  t.equal(paused(), true, 'one hold is enough');
  listener.unhold('instanceLimit');
  t.equal(paused(), false);
  listener.unhold('instanceLimit');
  t.same(seen, ['paused listenerLimit', 'resumed']);
});

void t.test('a limit that is full when an address is bound holds it from the start', async t => {
  const { engine, listener, start } = create('127.0.0.1:80');
  listener.hold('instanceLimit');
  await start();
  t.equal(engine.listeners[0]?.paused, true);
});

void t.test('a client without a place waits before those who come later, and is offered again', async t => {
  const { engine, listener, seen, places, start } = create('127.0.0.1:80');
  await start();
  places.free = 0;
  listener.hold('listenerLimit');
  for (const peer of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) engine.listeners[0]?.client(peer);
  t.equal(listener.waiting, 3);
  places.free = 2;
  listener.unhold('listenerLimit');
  t.same(seen.slice(1), ['resumed', 'client 192.0.2.1', 'client 192.0.2.2']);
  t.equal(engine.listeners[0]?.paused, true, 'who waits in the engine comes after who waits here');
  places.free = Infinity;
  listener.unhold('listenerLimit');
  t.equal(seen.at(-1), 'client 192.0.2.3');
  t.same([listener.waiting, engine.listeners[0]?.paused], [0, false]);
});

void t.test(
  'how long clients have waited is asked of those that did, up to the first that did not',
  async t => {
    const { engine, listener, seen, clock, start } = create('127.0.0.1:80', '127.0.0.1:81');
    await start();
    const [one, other] = engine.listeners;
    one?.client('192.0.2.1', 999);
    t.same(seen, ['client 192.0.2.1'], 'nothing has paused');
    listener.hold('listenerLimit');
    clock.nowMs = 5_000;
    listener.unhold('listenerLimit');
    clock.nowMs = 5_100;
    one?.client('192.0.2.2', 4_000);
    other?.client('192.0.2.3', 101);
    one?.client('192.0.2.4', 100);
    one?.client('192.0.2.5', 999);
    other?.client('192.0.2.6', undefined);
    other?.client('192.0.2.7', 999);
    t.same(seen.slice(3), [
      ...['client 192.0.2.2', 'waited 4000', 'client 192.0.2.3', 'waited 101'],
      ...['client 192.0.2.4', 'client 192.0.2.5', 'client 192.0.2.6', 'client 192.0.2.7'],
    ]);
  },
);

void t.test('a client that waits for a place is counted when it gets it', async t => {
  const { engine, listener, seen, places, start } = create('127.0.0.1:80');
  await start();
  places.free = 0;
  listener.hold('listenerLimit');
  const client = engine.listeners[0]?.client('192.0.2.1', 10);
  if (client !== undefined) client.waitedMs = 700;
  places.free = 1;
  listener.unhold('listenerLimit');
  t.same(seen.slice(1), ['resumed', 'client 192.0.2.1', 'waited 700']);
});

void t.test('clients that wait for a place are still served after the addresses are closed', async t => {
  const { engine, listener, seen, places, start } = create('127.0.0.1:80');
  await start();
  places.free = 0;
  listener.hold('listenerLimit');
  engine.listeners[0]?.client('192.0.2.1');
  await listener.stop();
  places.free = 1;
  listener.unhold('listenerLimit');
  t.equal(seen.at(-1), 'client 192.0.2.1');
});

void t.test('sessions and waiting clients together never need more descriptors than there are', async t => {
  for (const limit of [1, 40, 64, 128, 1_024, 20_000, 1_048_576]) {
    const budget = descriptorBudget(() => 0, 20, limit);
    t.ok(
      budget !== undefined && budget.sessions >= 1 && budget.waiting >= 1,
      `something is allowed with ${limit}`,
    );
    if (limit >= 64 && budget !== undefined) {
      t.ok(budget.sessions * 2 + budget.waiting <= limit - 20, `${limit} descriptors are enough`);
    }
  }
  const two = descriptorBudget(() => 0, 20, 20_000, 2);
  t.ok(two !== undefined && two.sessions * 2 + 2 * two.waiting <= 20_000 - 20, 'clients wait in both groups');
  const plain = descriptorBudget(() => 0, 20, 20_000);
  const spares = descriptorBudget(() => 3_000, 20, 20_000);
  t.ok((plain?.sessions ?? 0) - (spares?.sessions ?? 0) >= 1_300, 'spare connections are set aside');
  t.equal(plain?.waiting, 1_024, 'and no more wait than in a kernel’s queue');
  for (const sessions of [1, 2, 82, 1_000, 30_000]) {
    const needed = descriptorBudget(() => 7, 20, 256)?.limitFor(sessions) ?? 0;
    t.ok((descriptorBudget(() => 7, 20, needed)?.sessions ?? 0) >= sessions, `${needed} descriptors do`);
    if (sessions > 1)
      t.ok((descriptorBudget(() => 7, 20, needed - 1)?.sessions ?? 0) < sessions, 'and no less');
  }
  t.equal(
    descriptorBudget(() => 0, 20, Infinity),
    undefined,
  );
  t.ok(
    (descriptorBudget(() => 0, openDescriptors())?.sessions ?? Infinity) > 1,
    'the system’s own limit is read',
  );
});

void t.test('a socket that others have too is released, not emptied and closed', async t => {
  const { engine, listener } = create();
  const [address] = addresses('127.0.0.1:80');
  if (address === undefined) throw new Error('an address');
  for (const [key, isLent] of [
    ['lent', true],
    ['own', false],
  ] as const) {
    await listener.open({ key, where: { kind: 'listening', fd: 7, address, isLent } }, {});
  }
  await listener.close('lent');
  await listener.stop();
  t.same(
    engine.listeners.map(({ released, closed }) => ({ released, closed })),
    [
      { released: true, closed: false },
      { released: false, closed: true },
    ],
  );
});
