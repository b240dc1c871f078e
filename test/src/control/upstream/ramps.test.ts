/** Slow start as an upstream lives through it: who ramps, who does not, and what is published meanwhile. */
import t from 'tap';
import { backendOf, createModel, id } from '../../../harness/upstream-model.ts';

const [one, two, three] = [id(1), id(2), id(3)];
const SLOW = { slowStart: '20s' };

/** One that went down and is well again, beside two others. */
async function recovered(options: Parameters<typeof createModel>[1] = SLOW) {
  const model = createModel([{ address: one, maxSessions: 100 }, two, three], options);
  model.upstream.publish();
  model.upstream.news.setHealthy(one, false, 'refused');
  await model.turn();
  model.upstream.news.setHealthy(one, true, 'passed');
  await model.turn();
  return model;
}

void t.test(
  'a backend that recovers begins with a tenth and has everything at the end, in steps',
  async t => {
    const model = await recovered();
    t.same(model.told().slice(1), [`backend:up ${one} passed`, `backend:slowStart ${one} 20000`]);
    t.match(model.find(one), { weight: 1, maxSessions: 10 });
    t.match(model.find(two), { weight: 10 });
    t.equal(model.status(one)?.share, 0.1);
    const shares: number[] = [];
    let atMs = 0;
    for (; atMs < 20_000; atMs += 500) {
      model.clock.advance(500);
      await model.turn();
      const [mine = 0, others = 1] = [model.find(one)?.weight, model.find(two)?.weight];
      shares.push(mine / others);
      const line = 0.1 + (0.9 * (atMs + 500)) / 20_000;
      if (mine / others > line + 1e-9 || (model.find(one)?.maxSessions ?? 0) > 100 * line)
        t.fail(`more than its ramp allows after ${atMs + 500} ms`);
    }
    t.equal(new Set(shares).size, 21, 'twenty steps, then everything');
    t.same(model.told(), [`backend:slowStartEnded ${one}`]);
    t.match(model.find(one), { weight: 1, maxSessions: 100 });
    t.same(model.clock.delaysMs, [], 'and no timer is left');
  },
);

void t.test('without slow start it has everything at once', async t => {
  const model = await recovered({});
  t.same(model.told().slice(2), []);
  t.match(model.find(one), { weight: 1, maxSessions: 100 });
});

void t.test('nobody starts slowly at the start, whatever is said of it first', async t => {
  for (const initial of ['up', 'down', 'checked'] as const) {
    const model = createModel(2, { ...SLOW, health: { initial } });
    model.upstream.publish();
    for (const backend of [one, two]) {
      model.upstream.news.noteProbe(backend, undefined);
      if (initial !== 'up') model.upstream.news.setHealthy(backend, true, 'passed');
      await model.turn();
    }
    t.same(model.takers(), [1, 2]);
    t.notOk(
      model.told().some(each => each.startsWith('backend:slowStart')),
      initial,
    );
  }
});

void t.test('but one whose first check had failed does', async t => {
  for (const initial of ['down', 'checked'] as const) {
    const model = createModel(2, { ...SLOW, health: { initial } });
    model.upstream.publish();
    model.upstream.news.setHealthy(two, true, 'passed');
    model.upstream.news.noteProbe(one, 'refused');
    await model.turn();
    model.upstream.news.setHealthy(one, true, 'passed');
    await model.turn();
    t.match(model.told().at(-1), `backend:slowStart ${one}`, initial);
  }
});

void t.test('not while there is no other that has its whole share', async t => {
  const model = createModel(2, { ...SLOW, panicBelow: 0 });
  model.upstream.publish();
  for (const backend of [one, two]) model.upstream.news.setHealthy(backend, false, 'refused');
  await model.turn();
  for (const backend of [one, two]) model.upstream.news.setHealthy(backend, true, 'passed');
  await model.turn();
  t.notOk(
    model.told().some(each => each.startsWith('backend:slowStart')),
    'all came back together',
  );
});

void t.test('it ends when the last other one goes down', async t => {
  const model = await recovered();
  for (const backend of [two, three]) model.upstream.news.setOperatorState(backend, 'drain');
  model.told();
  await model.turn();
  t.same(model.told(), [`backend:slowStartEnded ${one}`]);
  t.match(model.find(one), { maxSessions: 100 });
});

void t.test('it ends in panic, when every backend is needed', async t => {
  const model = await recovered({ ...SLOW, panicBelow: 50 });
  for (const backend of [two, three]) model.upstream.news.setHealthy(backend, false, 'refused');
  await model.turn();
  t.match(model.told().slice(-2), [`backend:slowStartEnded ${one}`, 'upstream:panic 1 3']);
  t.match(model.find(one), { weight: 1, maxSessions: 100 });
});

void t.test('one that goes down on the way begins anew, and nothing is told of an end', async t => {
  const model = await recovered();
  model.clock.advance(15_000);
  await model.turn();
  model.told();
  model.upstream.news.setHealthy(one, false, 'refused');
  await model.turn();
  model.upstream.news.setHealthy(one, true, 'passed');
  await model.turn();
  t.same(model.told(), [
    `backend:down ${one} refused`,
    `backend:up ${one} passed`,
    `backend:slowStart ${one} 20000`,
  ]);
  t.match(model.find(one), { maxSessions: 10 });
});

void t.test(
  'whoever comes back from an ejection, from drain or from its agent, or joins, starts slowly',
  async t => {
    const model = createModel(6, SLOW);
    model.upstream.publish();
    model.fail(one);
    model.upstream.news.setOperatorState(two, 'drain');
    model.upstream.news.hearAgent(three, { health: 'down' });
    model.upstream.news.setWeight(id(4), 0);
    await model.turn();
    model.told();
    model.upstream.news.noteProbe(one, undefined);
    model.upstream.news.setOperatorState(two, 'ready');
    model.upstream.news.hearAgent(three, { health: 'up' });
    model.upstream.news.setWeight(id(4), 1);
    model.upstream.add(backendOf(id(7)));
    await model.turn();
    t.same(
      model.told().filter(each => each.startsWith('backend:slowStart')),
      [one, two, three, id(4), id(7)].map(backend => `backend:slowStart ${backend} 20000`),
    );
  },
);

void t.test(
  'a backup that stands in has its whole share, and so has whoever got sessions in panic',
  async t => {
    const model = createModel([one, { address: two, backup: true }], SLOW);
    model.upstream.publish();
    model.upstream.news.setHealthy(one, false, 'refused');
    await model.turn();
    t.same(model.takers(), [2]);
    const panic = createModel(2, SLOW);
    panic.upstream.publish();
    for (const backend of [one, two]) panic.upstream.news.setHealthy(backend, false, 'refused');
    await panic.turn();
    panic.upstream.news.setHealthy(one, true, 'passed');
    await panic.turn();
    for (const each of [...model.told(), ...panic.told()]) t.notMatch(each, /slowStart/);
  },
);

void t.test('nothing ramps on after the end', async t => {
  const model = await recovered();
  model.upstream.stop();
  t.same(model.clock.delaysMs, []);
});
