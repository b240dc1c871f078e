/** One upstream's side of the mirror, with every answer stated. */
import t from 'tap';
import type { Totals } from '../../../../src/control/mirror/exchange.ts';
import { UpstreamMirror, type MirroredUpstream } from '../../../../src/control/mirror/upstream-mirror.ts';

const PERIOD = 250;
const A = '10.0.0.1:80';
const B = '10.0.0.2:80';

/** An upstream of which the test sets what is live here; `elsewhere` and `unseen` are what was heard last. */
class FakeMirrored implements MirroredUpstream {
  readonly name = 'app';
  readonly live = new Map([
    [A, 0],
    [B, 0],
  ]);
  placedEver = 0;
  elsewhere: Record<string, number> = {};
  unseen = 0;
  timesHeard = 0;

  visit(each: (backend: string, sessions: number) => void): void {
    for (const [backend, sessions] of this.live) each(backend, sessions);
  }

  sessions(): number {
    return [...this.live.values()].reduce((sum, sessions) => sum + sessions, 0);
  }

  placed(): number {
    return this.placedEver | 0;
  }

  hear(elsewhere: ReadonlyMap<string, number>, unseen: number): void {
    this.elsewhere = Object.fromEntries(elsewhere);
    this.unseen = unseen;
    this.timesHeard += 1;
  }

  failed(): void {
    throw new Error('it makes no exchanges');
  }

  place(backend: string, sessions = 1): void {
    this.live.set(backend, (this.live.get(backend) ?? 0) + sessions);
    this.placedEver += sessions;
  }
}

function create(): { upstream: FakeMirrored; mirror: UpstreamMirror } {
  const upstream = new FakeMirrored();
  return { upstream, mirror: new UpstreamMirror(upstream, { periodMs: PERIOD, owner: 'me' }, 0) };
}

function totalsOf(totals: Record<string, number>, given: Partial<Totals> = {}): Totals {
  return {
    kind: 'totals',
    version: 1,
    wasUnknown: false,
    totals: new Map(Object.entries(totals)),
    unseen: 0,
    others: ['sister'],
    ageMs: 40,
    isTelling: true,
    ...given,
  };
}

void t.test('what others hold is the total without what this instance had published', async t => {
  const { upstream, mirror } = create();
  upstream.place(A, 3);
  const publication = mirror.publication('self');
  t.same(Object.fromEntries(publication.counts), { [A]: 3, [B]: 0 });
  // Not published yet, so not in the totals either.
  upstream.place(A);
  t.equal(mirror.accept(publication, totalsOf({ [A]: 5, [B]: 4, 'gone:1': 0 }), 10), true);
  t.same(upstream.elsewhere, { [A]: 2, [B]: 4 });
  t.same(mirror.heard(110), { others: ['sister'], ageMs: 140 });
});

void t.test('publications are numbered, and leased for two periods', async t => {
  const { mirror } = create();
  const [first, second] = [mirror.publication('self'), mirror.publication('self')];
  t.ok(second.number > first.number);
  t.ok(mirror.withdrawal('self').number > second.number, 'and so is what takes them back');
  t.equal(first.leaseMs, 2 * PERIOD);
  const hasty = new UpstreamMirror(new FakeMirrored(), { periodMs: 10, owner: 'me' }, 0);
  t.equal(hasty.publication('self').leaseMs, 200, 'but not shorter than what a busy machine may take');
});

void t.test(
  'the answer to whom Redis did not know is not believed, and what was known before stays',
  async t => {
    const { upstream, mirror } = create();
    mirror.accept(mirror.publication('self'), totalsOf({ [A]: 7 }), 0);
    t.equal(
      mirror.accept(mirror.publication('self'), totalsOf({ [A]: 1 }, { wasUnknown: true }), 100),
      false,
    );
    t.same(upstream.elsewhere, { [A]: 7 });
    mirror.apply({ upstream: 'app', instance: 'sister', version: 2, deltas: new Map([[A, 5]]) }, 'self');
    t.same(upstream.elsewhere, { [A]: 7 }, 'no change is applied to it either');
  },
);

void t.test('what is older than three periods is forgotten', async t => {
  const { upstream, mirror } = create();
  mirror.accept(mirror.publication('self'), totalsOf({ [A]: 7 }, { unseen: 2 }), 0);
  mirror.look(3 * PERIOD);
  t.same(upstream.elsewhere, { [A]: 7 });
  mirror.look(3 * PERIOD + 1);
  t.same(upstream.elsewhere, {});
  t.equal(upstream.unseen, 0);
  t.equal(mirror.heard(800), undefined);
});

void t.test('a change of another instance counts at once, one of its own not twice', async t => {
  const { upstream, mirror } = create();
  mirror.accept(mirror.publication('self'), totalsOf({ [A]: 2, [B]: 1 }, { version: 8 }), 0);
  mirror.apply({ upstream: 'app', instance: 'sister', version: 9, deltas: new Map([[A, 1]]) }, 'self');
  mirror.apply({ upstream: 'app', instance: 'self', version: 10, deltas: new Map([[A, 1]]) }, 'self');
  mirror.apply({ upstream: 'app', instance: 'sister', version: 11, deltas: new Map([[B, -2]]) }, 'self');
  t.same(upstream.elsewhere, { [A]: 3, [B]: 0 }, 'and no count goes below 0');
});

void t.test('after a missed change none is applied until the next exchange; old ones never', async t => {
  const { upstream, mirror } = create();
  mirror.accept(mirror.publication('self'), totalsOf({ [A]: 2 }, { version: 8 }), 0);
  const change = (version: number): void =>
    mirror.apply({ upstream: 'app', instance: 'sister', version, deltas: new Map([[A, 1]]) }, 'self');
  change(8);
  t.same(upstream.elsewhere, { [A]: 2 });
  change(10);
  change(11);
  t.same(upstream.elsewhere, { [A]: 2 });
  mirror.accept(mirror.publication('self'), totalsOf({ [A]: 5 }, { version: 11 }), 50);
  change(12);
  t.same(upstream.elsewhere, { [A]: 6 });
});

void t.test('an instance tells how many sessions others cannot know of: rate times period', async t => {
  const { upstream, mirror } = create();
  // 40 sessions a second, told once per period, for ten seconds.
  for (let ms = 25; ms <= 10_000; ms += 25) {
    upstream.place(A);
    mirror.look(ms);
    if (ms % PERIOD === 0) mirror.publication('self');
  }
  t.ok(Math.abs(mirror.publication('self').unseen - 10) < 1.5, 'ten per period');
});

void t.test('and none if it tells each at once', async t => {
  const { upstream, mirror } = create();
  for (let ms = 5; ms <= 10_000; ms += 5) {
    if (ms % 100 === 0) upstream.place(A);
    mirror.look(ms);
    if (ms % 100 === 5) mirror.publication('self');
  }
  t.ok(mirror.publication('self').unseen < 0.3);
});

void t.test('a wrap-around of the counter of placed sessions is no burst', async t => {
  const { upstream, mirror } = create();
  upstream.placedEver = 2 ** 31 - 2;
  mirror.publication('self');
  upstream.place(A, 4);
  for (let ms = 25; ms <= 10_000; ms += 25) mirror.look(ms);
  t.ok(Math.abs(mirror.publication('self').unseen - 8) < 0.1);
});

void t.test(
  'a change is worth an exchange before its time, once per period and four after a quiet time',
  async t => {
    const { upstream, mirror } = create();
    mirror.accept(mirror.publication('self'), totalsOf({}), 0);
    t.equal(mirror.look(1), false, 'not without a change');
    let extra = 0;
    for (let ms = 2; ms <= 2 + 8 * PERIOD; ms += 5) {
      // Sessions that end: nothing is placed.
      upstream.live.set(A, 10_000 - ms);
      if (!mirror.look(ms)) continue;
      extra += 1;
      mirror.noteExtra();
      mirror.accept(mirror.publication('self'), totalsOf({}), ms);
    }
    t.equal(extra, 4 + 8);
  },
);

void t.test('where changes are not told at once, nothing is said before its time', async t => {
  const { upstream, mirror } = create();
  mirror.accept(mirror.publication('self'), totalsOf({}, { isTelling: false }), 0);
  upstream.place(A);
  t.equal(mirror.look(10), false);
  mirror.accept(mirror.publication('self'), totalsOf({}), 20);
  upstream.place(A);
  t.equal(mirror.look(30), true);
});

void t.test('where single sessions do not matter, nothing is told before its time', async t => {
  const { upstream, mirror } = create();
  mirror.accept(mirror.publication('self'), totalsOf({}, { unseen: 3 }), 0);
  upstream.place(A);
  t.equal(mirror.look(10), false, 'three sessions are under way to two backends');
});

void t.test(
  'a burst here makes the same be expected of the others, without waiting for their word',
  async t => {
    const { upstream, mirror } = create();
    const others = ['x', 'y', 'z'];
    mirror.accept(mirror.publication('self'), totalsOf({ [A]: 1 }, { unseen: 0.1, others }), 0);
    upstream.place(A, 100);
    mirror.look(25);
    t.equal(upstream.unseen, 300);
    t.same(upstream.elsewhere, { [A]: 1 });
    const { timesHeard } = upstream;
    upstream.place(A, 20);
    mirror.look(50);
    t.equal(upstream.timesHeard, timesHeard, 'pickers do not hear of every session more');
  },
);
