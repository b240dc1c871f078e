/** A backend's addresses, tried one after the other. */
import t from 'tap';
import { AddressWalk, type Step } from '../../../src/engine/address-walk.ts';
import type { ConnectFailure } from '../../../src/engine/engine.ts';
import { formatAddress, type Address } from '../../../src/support/address.ts';

const [A, B, C] = ['a', 'b', 'c'].map((host): Address => ({ kind: 'tcp', host, port: 1 })) as [
  Address,
  Address,
  Address,
];
const REFUSED: ConnectFailure = { reason: 'refused', code: 'ECONNREFUSED' };
const TIMEOUT: ConnectFailure = { reason: 'timeout', code: 'ETIMEDOUT' };

/** What addresses do: work, fail at once, or fail when their time is over. */
type Behaviour = 'works' | ConnectFailure | 'hangs';

function create(addresses: readonly Address[]) {
  let nowMs = 0;
  const walk = new AddressWalk(() => nowMs);
  walk.update(addresses);
  const behaviour = new Map<string, Behaviour>();
  const tried: string[] = [];
  const start = (timeoutMs = 5_000): Step | undefined => {
    let result: Step | undefined;
    // Engines answer after the call; the walk must not depend on it.
    const steps: (() => void)[] = [];
    walk.start<Step>(
      timeoutMs,
      (address, shareMs, done) => {
        const { host } = address as { host: string };
        tried.push(`${host} ${Math.round(shareMs)}`);
        const does = behaviour.get(host) ?? REFUSED;
        steps.push(() => {
          if (does === 'works') done({ ok: true });
          else if (does !== 'hangs') done({ ok: false, failure: does });
          else {
            nowMs += shareMs;
            done({ ok: false, failure: TIMEOUT });
          }
        });
        return () => undefined;
      },
      found => (result = found),
    );
    for (let step = steps.shift(); step !== undefined; step = steps.shift()) step();
    return result;
  };
  return { walk, behaviour, start, tried: () => tried.splice(0), now: () => nowMs };
}

void t.test('the first that works is taken, and the next walk begins with it', async t => {
  const { behaviour, start, tried } = create([A, B, C]);
  behaviour.set('b', 'works');
  t.same(start(), { ok: true });
  t.same(tried(), ['a 1563', 'b 2500']);
  t.same(start(), { ok: true });
  t.same(tried(), ['b 1563']);
  behaviour.set('b', REFUSED).set('a', 'works');
  t.same(start(), { ok: true });
  t.same(
    tried().map(text => text[0]),
    ['b', 'c', 'a'],
  );
});

void t.test(
  'it fails when all have failed, with the first failure that says something of the backend',
  async t => {
    const { behaviour, start, tried } = create([A, B, C]);
    behaviour
      .set('a', { reason: 'unreachable', code: 'EADDRNOTAVAIL' })
      .set('c', { reason: 'unreachable', code: 'ENETUNREACH' });
    t.same(start(), { ok: false, failure: REFUSED });
    t.equal(tried().length, 3);
  },
);

void t.test('what this machine lacks ends the walk', async t => {
  const { behaviour, start, tried } = create([A, B, C]);
  const failure = { reason: 'localResources', code: 'EMFILE' } as const;
  behaviour.set('b', failure);
  t.same(start(), { ok: false, failure });
  t.equal(tried().length, 2);
});

void t.test('each has its share of the time, and what others have left of theirs', async t => {
  const { behaviour, start, tried, now } = create([A, B, C]);
  for (const host of 'abc') behaviour.set(host, 'hangs');
  t.same(start(6_000), { ok: false, failure: TIMEOUT });
  t.same(tried(), ['a 1875', 'b 2063', 'c 2063']);
  t.equal(now(), 6_000);
  start(1_000);
  t.same(tried(), ['a 500', 'b 250', 'c 250'], 'half of what is left, where that is less than a second');
});

void t.test('of many that hang some are tried, and the next walk goes on behind them', async t => {
  const many = Array.from({ length: 20 }, (_, i): Address => ({ kind: 'tcp', host: `h${i}`, port: 1 }));
  const { behaviour, start, tried } = create(many);
  for (let i = 0; i < 20; i++) behaviour.set(`h${i}`, 'hangs');
  behaviour.set('h9', 'works');
  t.match(start(), { ok: false });
  const first = tried();
  t.ok(first.length >= 4 && first.length <= 8, `${first.length} in five seconds`);
  const results = [start(), start(), start()];
  t.ok(results.some(result => result?.ok === true));
});

void t.test('shares come from a small set, whatever the time was', async t => {
  const shares = new Set<number>();
  for (let spent = 0; spent < 4_000; spent += 7) {
    let nowMs = 0;
    const walk = new AddressWalk(() => nowMs);
    walk.update([A, B]);
    walk.start<Step>(
      5_000,
      (_, shareMs, done) => {
        shares.add(shareMs);
        nowMs += spent;
        if (shares.size < 1_000) queueMicrotask(() => done({ ok: false, failure: REFUSED }));
        return () => undefined;
      },
      () => undefined,
    );
  }
  await Promise.resolve();
  t.ok(shares.size <= 32, `${shares.size}`);
});

void t.test('a cancel is one of the address that is tried at that moment', async t => {
  const walk = new AddressWalk(() => 0);
  walk.update([A, B]);
  const cancelled: string[] = [];
  let fail = (): void => undefined;
  const cancel = walk.start<Step>(
    1_000,
    (address, _, done) => {
      fail = () => done({ ok: false, failure: REFUSED });
      return () => cancelled.push(formatAddress(address));
    },
    () => t.fail('nothing is told after a cancel'),
  );
  fail();
  cancel();
  t.same(cancelled, ['b:1']);
});

void t.test('new addresses: the one that worked stays first, unless another one heads the list', async t => {
  const { walk, behaviour, start, tried } = create([A, B]);
  behaviour.set('b', 'works').set('c', 'works');
  start();
  tried();
  t.equal(walk.update([{ ...A }, { ...B }]), false, 'the same ones');
  t.equal(walk.update([A, C, B]), false, 'nothing is gone');
  start();
  t.same(
    tried().map(text => text[0]),
    ['b'],
  );
  t.equal(walk.update([C, B, A]), false);
  start();
  t.same(
    tried().map(text => text[0]),
    ['c'],
  );
});

void t.test('it is told when an address is gone that was in use', async t => {
  const { walk, behaviour, start } = create([A]);
  t.equal(walk.only, A);
  t.equal(walk.update([A, B]), false);
  t.equal(walk.only, undefined);
  t.equal(walk.update([B, C]), true, 'a single one may always have been');
  behaviour.set('b', 'works');
  start();
  t.equal(walk.update([B]), false, 'nobody has connected there');
  t.equal(walk.update([]), true);
  t.equal(walk.isEmpty, true);
});
