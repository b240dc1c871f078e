import t from 'tap';
import type { Lease } from '../../../../src/data/dispatch/lease.ts';
import type { PickResult, Search } from '../../../../src/data/dispatch/picker.ts';
import type { StrategyFactory } from '../../../../strategies/index.ts';
import { createFakeUpstream } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';

function leaseOf(result: PickResult): Lease {
  if (typeof result === 'string') throw new Error(`nothing picked: ${result}`);
  return result;
}

/** A session that has failed at these, and may try whatever is left. */
const failedAt = (...backends: string[]): Search => ({
  hasTried: backend => backends.includes(backend),
  mayTry: () => true,
});

void t.test('a pick is counted before it is returned, and until its lease is released', async t => {
  const { upstream, live } = createFakeUpstream({ [A]: {} });
  const lease = leaseOf(upstream.picker.pick('192.0.2.1'));
  t.equal(live(A), 1);
  lease.release();
  t.equal(live(A), 0);
});

void t.test('a burst of picks before any connect spreads over the backends', async t => {
  const { upstream, live } = createFakeUpstream({ [A]: {}, [B]: {} }, { strategy: 'leastconn' });
  for (let i = 0; i < 100; i++) upstream.picker.pick('192.0.2.1');
  t.same([live(A), live(B)], [50, 50]);
});

void t.test('releasing a lease twice is a bug and throws', async t => {
  const { upstream, live } = createFakeUpstream({ [A]: {} });
  const lease = leaseOf(upstream.picker.pick(''));
  lease.release();
  t.throws(() => lease.release(), /was released twice/);
  t.equal(live(A), 0, 'and counts nothing');
});

void t.test('a backend at its maxSessions is passed over; when all are, the answer is full', async t => {
  const { upstream } = createFakeUpstream({ [A]: { maxSessions: 2 }, [B]: { maxSessions: 1 } });
  const picks = Array.from({ length: 4 }, () => upstream.picker.pick(''));
  t.same(
    picks.map(pick => (typeof pick === 'string' ? pick : pick.backend.id)),
    [A, A, B, 'full'],
  );
  leaseOf(picks[0] ?? 'full').release();
  t.equal(leaseOf(upstream.picker.pick('')).backend.id, A, 'and a freed place is given again');
});

void t.test('tried backends are not picked again', async t => {
  const { upstream } = createFakeUpstream({ [A]: {}, [B]: {} });
  t.equal(leaseOf(upstream.picker.pickAgain('', failedAt(A), true)).backend.id, B);
  t.equal(upstream.picker.pickAgain('', failedAt(A, B), true), 'noBackend');
});

void t.test('backends that are not eligible or have weight 0 are never picked', async t => {
  const { upstream } = createFakeUpstream({ [A]: { eligible: false }, [B]: { weight: 0 } });
  t.equal(upstream.picker.pick(''), 'noBackend');
});

void t.test('a lease outlives the picker it came from, and its release reaches the new one', async t => {
  const { upstream, apply, live } = createFakeUpstream({ [A]: {}, [B]: {} }, { strategy: 'leastconn' });
  const first = leaseOf(upstream.picker.pick(''));
  apply({ [A]: {}, [B]: {} });
  t.equal(live(first.backend.id), 1, 'the count survives the replacement');
  const second = leaseOf(upstream.picker.pick(''));
  t.not(second.backend.id, first.backend.id, 'and the new picker knows it');
  first.release();
  t.equal(leaseOf(upstream.picker.pick('')).backend.id, first.backend.id, 'and learns of the release');
});

void t.test(
  'what a strategy must not pick is not picked: a tried one, a stranger; it is reported, chance decides',
  async t => {
    const stubborn: StrategyFactory = candidates => ({ pick: () => candidates[0] });
    const one = createFakeUpstream({ [A]: {}, [B]: {} }, { strategy: stubborn });
    t.equal(leaseOf(one.upstream.picker.pickAgain('', failedAt(A), true)).backend.id, B);
    t.match(one.failures, [/picked 10\.0\.0\.1:80, which it was not offered or was told to skip/]);

    const stranger = { id: A, weight: 1, live: () => 0 };
    const two = createFakeUpstream({ [A]: {} }, { strategy: () => ({ pick: () => stranger }) });
    t.equal(leaseOf(two.upstream.picker.pick('')).backend.id, A);
    t.equal(two.failures.length, 1);
  },
);

void t.test('a strategy that throws, wherever it does, costs no session and no count', async t => {
  const fail = (): never => {
    throw new Error('no');
  };
  const factories: StrategyFactory[] = [
    () => fail(),
    () => ({ pick: fail }),
    candidates => ({ pick: () => candidates[0], changed: fail, connected: fail }),
  ];
  for (const strategy of factories) {
    const { upstream, failures, live } = createFakeUpstream({ [A]: {} }, { strategy });
    const lease = leaseOf(upstream.picker.pick(''));
    upstream.picker.connected(lease.backend, 1);
    t.equal(live(A), 1);
    lease.release();
    t.equal(live(A), 0);
    t.ok(failures.length > 0);
  }
});

void t.test('a strategy that does not honour `skip` cannot hang the picker', async t => {
  const { upstream } = createFakeUpstream({ [A]: { maxSessions: 1 } });
  const lease = leaseOf(upstream.picker.pick(''));
  t.equal(upstream.picker.pick(''), 'full');
  lease.release();
});

void t.test('a remembered client comes back to its backend, over whatever the strategy says', async t => {
  const { upstream, apply } = createFakeUpstream({ [A]: {}, [B]: {} }, { strategy: 'leastconn', sticky: 10 });
  const slotOfB = [...upstream.backends()].find(({ id }) => id === B)?.slot ?? -1;
  upstream.stickiness?.remember('192.0.2.1', slotOfB);
  const picked = (client: string) => leaseOf(upstream.picker.pick(client)).backend.id;
  t.same([picked('192.0.2.1'), picked('192.0.2.1'), picked('192.0.2.1')], [B, B, B]);
  t.equal(picked('192.0.2.2'), A, 'others go where the strategy sends them');
  t.equal(leaseOf(upstream.picker.pickAgain('192.0.2.1', failedAt(B), true)).backend.id, A, 'tried already');
  apply({ [A]: {}, [B]: { maxSessions: 3 } });
  t.equal(picked('192.0.2.1'), A, 'full');
  apply({ [A]: {}, [B]: { eligible: false } });
  t.equal(picked('192.0.2.1'), A, 'down');
  apply({ [A]: {}, [B]: {} });
  t.equal(picked('192.0.2.1'), B, 'and back again');
  apply({ [A]: {} });
  t.equal(picked('192.0.2.1'), A, 'no longer part of the upstream');
});

void t.test('with only a backend on trial, those who may not have it find no backend', async t => {
  const { upstream, shared, slotOf } = createFakeUpstream({ [A]: { eligible: false, trial: true } });
  shared.failures.offerTrial(slotOf(A));
  t.ok(leaseOf(upstream.picker.pick('')).isTrial);
  t.equal(upstream.picker.pick(''), 'noBackend');
});

void t.test('full is full, also when another data plane frees a place before the pick is over', async t => {
  let free = (): void => undefined;
  const strategy: StrategyFactory = candidates => ({
    pick: ({ skip }) => {
      const open = candidates.find(candidate => skip?.(candidate) !== true);
      if (open === undefined) free();
      return open;
    },
  });
  const { upstream, counts, slotOf } = createFakeUpstream({ [A]: { maxSessions: 1 } }, { strategy });
  const slot = slotOf(A);
  counts.take(slot, undefined);
  free = () => void counts.release(slot);
  t.equal(upstream.picker.pick(''), 'full');
  t.equal(leaseOf(upstream.picker.pick('')).backend.id, A);
});

void t.test(
  'what was heard of other instances counts from the next pick on, also in a new picker',
  async t => {
    const { upstream, shared, hear, apply } = createFakeUpstream(
      { [A]: {}, [B]: {} },
      { strategy: 'leastconn', mirrored: true },
    );
    const pick = (): string => leaseOf(upstream.picker.pick('')).backend.id;
    hear({ [A]: 3 });
    t.same([pick(), pick(), pick()], [B, B, B]);
    apply({ [A]: {}, [B]: { weight: 2 } });
    hear({ [A]: 0 });
    t.equal(pick(), A);
    t.equal(shared.upstream('app').news?.placed, 4, 'and what is placed here is counted for the others');
  },
);

void t.test('a new picker hears what was heard before it was there', async t => {
  const { upstream, hear, apply } = createFakeUpstream(
    { [A]: {}, [B]: {} },
    { strategy: 'leastconn', mirrored: true },
  );
  hear({ [A]: 5 });
  apply({ [A]: {}, [B]: {} });
  const picks = Array.from({ length: 5 }, () => leaseOf(upstream.picker.pick('')).backend.id);
  t.same(picks, [B, B, B, B, B]);
});

void t.test('other instances do not fill a backend: its maxSessions is for this one', async t => {
  const { upstream, hear } = createFakeUpstream(
    { [A]: { maxSessions: 1 } },
    { strategy: 'leastconn', mirrored: true },
  );
  hear({ [A]: 5 });
  t.equal(leaseOf(upstream.picker.pick('')).backend.id, A);
  t.equal(upstream.picker.pick(''), 'full');
});

void t.test(
  'a strategy that throws when it hears fails like any other, and hears again next time',
  async t => {
    let heard: number[] = [];
    const strategy: StrategyFactory = candidates => ({
      pick: () => candidates[0],
      heard: unseen => {
        heard.push(unseen);
        throw new Error('deaf');
      },
    });
    const { upstream, hear, failures } = createFakeUpstream({ [A]: {} }, { strategy, mirrored: true });
    hear({}, 1.5);
    leaseOf(upstream.picker.pick(''));
    leaseOf(upstream.picker.pick(''));
    t.same(heard, [1.5]);
    t.same(failures, ['deaf']);
    heard = [];
    hear({}, 2);
    leaseOf(upstream.picker.pick(''));
    t.same(heard, [2]);
  },
);
