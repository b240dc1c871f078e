/** When the mirror exchanges, what it tells, and what it does when Redis does not answer; in virtual time. */
import type { MirrorFailure } from '../../../../src/model/words.ts';
import t, { type Test } from 'tap';
import { Events, type EventMap } from '../../../../src/model/events.ts';
import {
  ExchangeError,
  type Change,
  type Exchange,
  type NameTaken,
  type Publication,
  type Totals,
} from '../../../../src/control/mirror/exchange.ts';
import { Mirror } from '../../../../src/control/mirror/mirror.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

const PERIOD = 250;
const A = '10.0.0.1:80';

/** Answers as the test says: one sister instance that holds three sessions of A, unless told otherwise. */
class ScriptedExchange implements Exchange {
  readonly published: Publication[] = [];
  readonly withdrawn: string[] = [];
  isClosed = false;
  answer: (publication: Publication) => Promise<Totals | NameTaken> = publication =>
    Promise.resolve(totalsFor(publication));
  tellChange: (change: Change) => void = () => undefined;
  tellReady: () => void = () => undefined;

  exchange(publication: Publication): Promise<Totals | NameTaken> {
    this.published.push(publication);
    return this.answer(publication);
  }

  withdraw({ upstream, instance }: Pick<Publication, 'upstream' | 'instance'>): Promise<void> {
    this.withdrawn.push(`${upstream} ${instance}`);
    return this.isClosed ? Promise.reject(new ExchangeError('unreachable', 'closed')) : Promise.resolve();
  }

  onChange(listener: (change: Change) => void): void {
    this.tellChange = listener;
  }

  onReady(listener: () => void): void {
    this.tellReady = listener;
  }

  close(): void {
    this.isClosed = true;
  }
}

function totalsFor({ counts }: Publication, given: Partial<Totals> = {}): Totals {
  return {
    kind: 'totals',
    version: 1,
    wasUnknown: false,
    totals: new Map([[A, (counts.get(A) ?? 0) + 3]]),
    unseen: 0,
    others: ['sister'],
    ageMs: 10,
    isTelling: true,
    ...given,
  };
}

const fail =
  (reason: MirrorFailure, message: string = reason) =>
  (): Promise<never> =>
    Promise.reject(new ExchangeError(reason, message));

function create(t: Test, names = ['app']) {
  const time = new FakeClock();
  const exchange = new ScriptedExchange();
  const events = new Events();
  const changes: EventMap['mirror:changed'][] = [];
  events.on('mirror:changed', event => changes.push(event));
  const renamed: EventMap['mirror:renamed'][] = [];
  events.on('mirror:renamed', event => renamed.push(event));
  /** Sessions of others on A, by upstream. */
  const elsewhere = new Map<string, number>();
  const live = new Map([[A, 0]]);
  const failures: string[] = [];
  const upstreams = names.map(name => ({
    name,
    visit: (each: (backend: string, sessions: number) => void) =>
      live.forEach((sessions, backend) => each(backend, sessions)),
    sessions: () => live.get(A) ?? 0,
    placed: () => 0,
    hear: (heard: ReadonlyMap<string, number>) => elsewhere.set(name, heard.get(A) ?? 0),
    failed: (reason: MirrorFailure) => void failures.push(`${name} ${reason}`),
  }));
  const settings = { periodMs: PERIOD, instance: 'self', owner: 'o' };
  const mirror = new Mirror(upstreams, settings, {
    ...{ exchange, events, now: time.now, setTimer: time.setTimer },
    random: () => 0.5,
  });
  t.teardown(() => mirror.stop());
  return { time, exchange, changes, renamed, elsewhere, live, mirror, failures };
}

void t.test(
  'it exchanges at once and then once per period, and says once that counts are shared',
  async t => {
    const { time, exchange, changes, elsewhere, mirror } = create(t);
    mirror.start();
    await time.advanceAndSettle(10_000);
    t.ok(exchange.published.length >= 10_000 / PERIOD && exchange.published.length <= 11_000 / PERIOD);
    t.same(changes, [{ mode: 'shared', upstreams: ['app'], others: 1 }]);
    t.equal(elsewhere.get('app'), 3);
    const [app] = mirror.view().upstreams;
    t.match(app, { upstream: 'app', mode: 'shared', trouble: undefined, others: ['sister'] });
    t.ok((app?.ageMs ?? Infinity) <= 10 + PERIOD + 50);
  },
);

void t.test('a session more is told at once', async t => {
  const { time, exchange, live, mirror } = create(t);
  mirror.start();
  await time.advanceAndSettle(100);
  const { length } = exchange.published;
  live.set(A, 1);
  await time.advanceAndSettle(50);
  t.equal(exchange.published.length, length + 1);
  t.equal(exchange.published.at(-1)?.counts.get(A), 1);
});

void t.test('one exchange is under way at a time, however long it takes', async t => {
  const { time, exchange, mirror } = create(t);
  exchange.answer = () => new Promise(() => undefined);
  mirror.start();
  await time.advanceAndSettle(60_000);
  t.equal(exchange.published.length, 1);
});

void t.test('a Redis that was never there is told once, and found when it comes', async t => {
  const { time, exchange, changes, elsewhere, mirror } = create(t);
  exchange.answer = fail('unreachable', 'connect ECONNREFUSED 127.0.0.1:6379');
  mirror.start();
  await time.advanceAndSettle(60_000);
  const message = 'connect ECONNREFUSED 127.0.0.1:6379';
  t.same(changes, [{ mode: 'local', upstreams: ['app'], others: 0, reason: 'unreachable', message }]);
  t.ok(exchange.published.length < 22, 'and tried less and less often');
  t.match(mirror.view().upstreams, [{ mode: 'local', trouble: { reason: 'unreachable' }, others: [] }]);
  exchange.answer = publication => Promise.resolve(totalsFor(publication));
  exchange.tellReady();
  await time.advanceAndSettle(1_000);
  t.same(changes.slice(1), [{ mode: 'shared', upstreams: ['app'], others: 1 }]);
  t.equal(elsewhere.get('app'), 3);
});

void t.test('a failure shorter than three periods changes nothing and is not told', async t => {
  const { time, exchange, changes, elsewhere, mirror } = create(t);
  mirror.start();
  await time.advanceAndSettle(1_000);
  const answer = exchange.answer;
  exchange.answer = fail('unreachable');
  await time.advanceAndSettle(2 * PERIOD);
  t.equal(elsewhere.get('app'), 3);
  exchange.answer = answer;
  await time.advanceAndSettle(10_000);
  t.equal(changes.length, 1);
});

void t.test('after three periods without news only own counts decide', async t => {
  const { time, exchange, changes, elsewhere, mirror } = create(t);
  mirror.start();
  await time.advanceAndSettle(1_000);
  exchange.answer = fail('unreachable');
  await time.advanceAndSettle(4 * PERIOD);
  t.equal(elsewhere.get('app'), 0);
  await time.advanceAndSettle(60_000);
  t.equal(changes.length, 2);
  t.match(changes[1], { mode: 'local', reason: 'unreachable' });
});

void t.test('upstreams that fail together are told together, one that fails alone by itself', async t => {
  const { time, exchange, changes, mirror } = create(t, ['app', 'db', 'mail']);
  mirror.start();
  await time.advanceAndSettle(1_000);
  const answer = exchange.answer;
  exchange.answer = publication =>
    publication.upstream === 'db' ? fail('wrongType')() : answer(publication);
  await time.advanceAndSettle(5_000);
  exchange.answer = fail('unreachable');
  await time.advanceAndSettle(5_000);
  exchange.answer = answer;
  await time.advanceAndSettle(10_000);
  t.same(
    changes.map(({ mode, upstreams, reason }) => [mode, upstreams, reason]),
    [
      ['shared', ['app', 'db', 'mail'], undefined],
      ['local', ['db'], 'wrongType'],
      ['local', ['app', 'mail'], 'unreachable'],
      // What is wrong with it now.
      ['local', ['db'], 'unreachable'],
      ['shared', ['app', 'db', 'mail'], undefined],
    ],
  );
});

void t.test('why nothing is shared is brought up to date, but not all the time', async t => {
  const { time, exchange, changes, mirror } = create(t);
  exchange.answer = fail('unreachable');
  mirror.start();
  await time.advanceAndSettle(60_000);
  t.same(
    changes.map(({ reason }) => reason),
    ['unreachable'],
    'the same reason is told once',
  );
  exchange.answer = fail('denied');
  await time.advanceAndSettle(60_000);
  t.same(
    changes.map(({ reason }) => reason),
    ['unreachable', 'denied'],
  );
  changes.length = 0;
  let calls = 0;
  exchange.answer = () => fail(calls++ % 2 === 0 ? 'unreachable' : 'timeout')();
  await time.advanceAndSettle(60_000);
  t.ok(changes.length > 1 && changes.length <= 6, `${changes.length} in a minute`);
});

void t.test('an exchange that throws what it should not is a failure like any other', async t => {
  const { time, exchange, changes, mirror } = create(t);
  exchange.answer = () => Promise.reject(new TypeError('oops'));
  mirror.start();
  await time.advanceAndSettle(1_000);
  t.match(changes, [{ mode: 'local', reason: 'error', message: 'oops' }]);
});

void t.test('each exchange that fails is counted, with its reason', async t => {
  const { time, exchange, failures, mirror } = create(t, ['app', 'db']);
  const failed: string[] = [];
  exchange.answer = publication => {
    const reason = failed.length < 5 ? 'unreachable' : 'timeout';
    if (failed.length >= 10) return Promise.resolve(totalsFor(publication));
    failed.push(`${publication.upstream} ${reason}`);
    return fail(reason)();
  };
  mirror.start();
  await time.advanceAndSettle(60_000);
  t.equal(failed.length, 10);
  t.same(failures, failed);
});

void t.test('a Redis that loses what is published is found out', async t => {
  const { time, exchange, changes, mirror } = create(t);
  exchange.answer = publication => Promise.resolve(totalsFor(publication, { wasUnknown: true }));
  mirror.start();
  await time.advanceAndSettle(5_000);
  t.match(changes, [{ mode: 'local', reason: 'lost' }]);
});

void t.test('a name that stays taken is given up for a new one, and the old one left alone', async t => {
  const { time, exchange, changes, renamed, mirror } = create(t, ['app', 'db']);
  const answer = exchange.answer;
  exchange.answer = publication =>
    publication.instance === 'self' ? Promise.resolve({ kind: 'nameTaken' }) : answer(publication);
  mirror.start();
  await time.advanceAndSettle(6 * PERIOD);
  t.same(renamed, [], 'who was killed and has come back gets his name again');
  await time.advanceAndSettle(10_000);
  t.same(renamed, [{ from: 'self', to: 'self-i000' }]);
  t.equal(mirror.view().instance, 'self-i000');
  t.same(
    changes.map(({ mode, upstreams }) => [mode, upstreams]),
    [
      ['local', ['app', 'db']],
      ['shared', ['app', 'db']],
    ],
  );
});

void t.test('one that steps aside leaves its name, and is counted under another one', async t => {
  const { time, exchange, renamed, mirror } = create(t, ['app', 'db']);
  mirror.start();
  await time.advanceAndSettle(PERIOD);
  mirror.stepAside();
  await time.advanceAndSettle(PERIOD);
  t.equal(mirror.view().instance, 'self-i000');
  t.same(exchange.withdrawn, ['app self', 'db self']);
  t.same(renamed, [], 'another process did not take it');
  await mirror.stop();
  mirror.stepAside();
  t.equal(mirror.view().instance, 'self-i000');
});

void t.test('a name that is free in time is kept', async t => {
  const { time, exchange, renamed, mirror } = create(t);
  const answer = exchange.answer;
  exchange.answer = () => Promise.resolve({ kind: 'nameTaken' });
  mirror.start();
  await time.advanceAndSettle(2 * PERIOD);
  exchange.answer = answer;
  await time.advanceAndSettle(60_000);
  t.same(renamed, []);
  t.match(mirror.view(), { instance: 'self', upstreams: [{ mode: 'shared' }] });
});

void t.test('at its stop it takes its counts out and closes, and nothing runs on', async t => {
  const { time, exchange, mirror } = create(t, ['app', 'db']);
  mirror.start();
  await time.advanceAndSettle(1_000);
  await Promise.all([mirror.stop(), mirror.stop()]);
  t.same(exchange.withdrawn, ['app self', 'db self']);
  t.ok(exchange.isClosed);
  t.equal(time.pending, 0);
  const { length } = exchange.published;
  await time.advanceAndSettle(10_000);
  t.equal(exchange.published.length, length);
});

void t.test('changes of others reach the upstream that they are of', async t => {
  const { time, exchange, elsewhere, mirror } = create(t, ['app', 'db']);
  mirror.start();
  await time.advanceAndSettle(10);
  const change = { instance: 'sister', version: 2, deltas: new Map([[A, 2]]) };
  exchange.tellChange({ ...change, upstream: 'db' });
  exchange.tellChange({ ...change, upstream: 'unheard-of' });
  t.same([elsewhere.get('app'), elsewhere.get('db')], [3, 5]);
});
