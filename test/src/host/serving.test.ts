import t from 'tap';
import { isServed, Reach } from '../../../src/host/serving.ts';
import { shareOf } from '../../../src/host/share-of.ts';
import type { Plan } from '../../../src/model/plan.ts';
import { listenerPlan, upstreamPlan } from '../../harness/plans.ts';

const PLAIN = listenerPlan('plain', { upstream: 'app' });
const SAFE = listenerPlan('safe', {
  upstream: 'app',
  needsTls: true,
  hello: {
    ...{ timeout: 1, others: 'upstream', isRequired: false },
    routes: [{ match: ['db.example'], alpn: [], upstream: 'db' }],
  },
});

const upstream = (name: string): Plan => ({ kind: 'upstream', upstream: upstreamPlan(name) });

void t.test('each listener has one group', async t => {
  for (const listener of [PLAIN, SAFE, { ...PLAIN, needsTls: false }]) {
    t.equal(isServed('plain', listener), !isServed('tls', listener), listener.name);
    t.ok(isServed('all', listener), 'the only group serves everything');
  }
  t.ok(isServed('tls', SAFE));
});

void t.test(
  'a group serves the upstreams that clients of its listeners may reach, also by a route',
  async t => {
    const reach = new Reach([PLAIN, SAFE]);
    const groupsOf = (name: string): boolean[] => [reach.has(name, 'plain'), reach.has(name, 'tls')];
    t.same(groupsOf('app'), [true, true]);
    t.same(groupsOf('db'), [false, true]);
    t.same(groupsOf('new'), [true, false], 'one that no listener names yet');
  },
);

void t.test('only upstreams that other groups reach than before are sent again', async t => {
  const plans = ['app', 'db', 'new'].map(upstream);
  const names = (reach: Reach, before: Reach): string[] =>
    reach.changesOf(before, plans).map(({ name }) => name);
  t.same(names(new Reach([PLAIN, SAFE]), new Reach([PLAIN])), ['app', 'db']);
  t.same(names(new Reach([PLAIN]), new Reach()), []);
});

void t.test('spare connections are for the data planes that serve an upstream', async t => {
  const plan: Plan = {
    kind: 'upstream',
    upstream: upstreamPlan('app', { pool: { warm: 6, maxIdle: 1, reuse: false } }),
  };
  const shareWith = (planes: number, isOne: boolean) => {
    const share = shareOf(plan, () => ({ planes, isOne }));
    if (share.kind !== 'upstream') throw new TypeError('an upstream');
    return [share.upstream.pool.warm, share.upstream.connect.retryBudget.minPerSecond];
  };
  t.same(shareWith(2, true), [3, 5]);
  t.same(shareWith(4, true), [2, 2.5], 'rounded up');
  t.same(shareWith(2, false), [0, 5], 'sessions that came before may still try again');
});
