/** The model of an upstream: what is told and published when something happens to its backends. */
import t from 'tap';
import { backendOf, createModel, id } from '../../../harness/upstream-model.ts';

const [one, two, three, four] = [id(1), id(2), id(3), id(4)];

void t.test('flips of one turn are told one by one, and published and judged together', async t => {
  const model = createModel(4, { panicBelow: 50 });
  model.upstream.publish();
  t.same([model.told(), model.takers()], [[], [1, 2, 3, 4]]);
  for (const backend of [one, two, three]) model.upstream.news.setHealthy(backend, false, 'refused');
  await model.turn();
  t.same(model.told(), [
    `backend:down ${one} refused`,
    `backend:down ${two} refused`,
    `backend:down ${three} refused`,
    'upstream:panic 1 4',
  ]);
  t.equal(model.published.length, 2);
  t.same(model.takers(), [1, 2, 3, 4], 'in panic all get sessions');
  t.match(model.upstream.status(), { mode: 'panic', backends: [{ state: 'down', takesSessions: true }] });
  model.upstream.news.setHealthy(one, true, 'passed');
  await model.turn();
  t.same(model.told(), [`backend:up ${one} passed`, 'upstream:panicEnded 2 4']);
  t.same(model.takers(), [1, 4]);
  t.match(model.upstream.status().backends, [
    { state: 'up', health: 'up' },
    { state: 'down', health: 'down' },
  ]);
});

void t.test('a verdict that is told twice is one event', async t => {
  const model = createModel(2);
  model.upstream.news.setHealthy(one, false, 'refused');
  model.upstream.news.setHealthy(one, false, 'refused');
  t.same(model.told(), [`backend:down ${one} refused`]);
});

void t.test(
  'with panic off an upstream goes down with its last backend, and comes back with the first',
  async t => {
    const model = createModel(2, { panicBelow: 'off' });
    model.upstream.news.setHealthy(one, false, 'refused');
    model.upstream.news.setHealthy(two, false, 'refused');
    await model.turn();
    t.same(model.told().slice(2), ['upstream:down']);
    t.same([model.takers(), model.upstream.status().mode], [[], 'down']);
    model.upstream.news.setHealthy(two, true, 'passed');
    await model.turn();
    t.same(model.told(), [`backend:up ${two} passed`, 'upstream:up']);
    t.same(model.takers(), [2]);
  },
);

void t.test('backups stand in while no other is well', async t => {
  const model = createModel([one, { address: two, backup: true }, { address: three, backup: true }]);
  model.upstream.publish();
  t.same(model.takers(), [1]);
  t.match(model.status(two), { state: 'standby', backup: true, takesSessions: false });
  model.upstream.news.setHealthy(one, false, 'refused');
  await model.turn();
  t.same(model.told(), [`backend:down ${one} refused`, `upstream:backups ${two},${three}`]);
  t.same(model.takers(), [2, 3]);
  t.match(model.status(two), { state: 'up', takesSessions: true });
  model.upstream.news.setHealthy(one, true, 'passed');
  await model.turn();
  t.same(model.told(), [`backend:up ${one} passed`, 'upstream:backupsEnded']);
  t.same(model.takers(), [1]);
});

void t.test(
  'one that waits for its first check gets no session, even in panic, and its verdict is told',
  async t => {
    const model = createModel(3, { health: { initial: 'checked' }, panicBelow: 50 });
    model.upstream.publish();
    t.same([model.told(), model.takers()], [[], []], 'that it waits is nothing to be told of');
    t.match(model.status(one), { state: 'down', health: 'unchecked' });
    model.upstream.news.noteProbe(one, undefined);
    model.upstream.news.setHealthy(one, true, '1 health check passed');
    model.upstream.news.noteProbe(two, 'refused');
    await model.turn();
    t.same(model.told(), [
      `backend:up ${one} 1 health check passed`,
      `backend:down ${two} its first health check failed: refused`,
    ]);
    t.same(model.takers(), [1]);
    model.upstream.news.noteProbe(three, 'refused');
    await model.turn();
    t.same(model.told(), [
      `backend:down ${three} its first health check failed: refused`,
      'upstream:panic 1 3',
    ]);
  },
);

void t.test('a name that is resolved is up, one that cannot be is not', async t => {
  const model = createModel(['a.test:80', one]);
  t.match(model.status('a.test:80'), { state: 'unresolved' });
  model.upstream.news.reportUnresolved('a.test:80', 'no such name');
  model.upstream.news.setAddresses('a.test:80', [{ kind: 'tcp', host: '10.1.1.1', port: 80 }]);
  model.upstream.news.setAddresses('a.test:80', [{ kind: 'tcp', host: '10.1.1.2', port: 80 }]);
  await model.turn();
  t.same(model.told(), ['backend:down a.test:80 no such name', 'backend:up a.test:80 name resolved']);
  t.match(model.find('a.test:80'), { eligible: true, addresses: [{ host: '10.1.1.2' }] });
});

void t.test('drain and maint are told once each, and the stricter of operator and agent counts', async t => {
  const model = createModel(2);
  model.upstream.news.setOperatorState(one, 'drain');
  model.upstream.news.setOperatorState(one, 'drain');
  model.upstream.news.hearAgent(one, { state: 'maint' });
  t.same(model.told(), [`backend:stateSet ${one} drain operator`, `backend:stateSet ${one} maint agent`]);
  t.match(model.status(one), { state: 'maint', operator: 'drain', agent: { state: 'maint' } });
  model.upstream.news.hearAgent(one, { state: 'ready' });
  t.match(model.status(one), { state: 'drain' });
  await model.turn();
  t.same(model.takers(), [2]);
  model.upstream.news.setOperatorState(one, 'ready');
  await model.turn();
  t.same(model.takers(), [1, 2]);
});

void t.test('what is in maint comes back as never checked and never ejected', async t => {
  const model = createModel(4);
  model.upstream.news.setHealthy(one, false, 'refused');
  model.fail(two);
  model.told();
  model.upstream.news.setOperatorState(one, 'maint');
  model.upstream.news.setOperatorState(two, 'maint');
  t.same(model.told(), [
    `backend:stateSet ${one} maint operator`,
    `backend:stateSet ${two} maint operator`,
    `backend:restored ${two} it is in maint`,
  ]);
  model.upstream.news.setOperatorState(one, 'ready');
  t.match(model.status(one), { state: 'up', health: 'unchecked' });
  model.upstream.news.setHealthy(one, false, 'refused');
  t.same(model.told().slice(1), [`backend:down ${one} refused`], 'and is found out anew');
});

void t.test('an agent that says down is told with its reason, and up again', async t => {
  const model = createModel(2);
  model.upstream.news.hearAgent(one, { health: 'down', why: 'disk full' });
  model.upstream.news.hearAgent(one, { health: 'down', why: 'disk full' });
  model.upstream.news.hearAgent(one, { health: 'up' });
  t.same(model.told(), [
    `backend:down ${one} its agent says down: disk full`,
    `backend:up ${one} its agent says up`,
  ]);
});

void t.test(
  'what the agent and the operator leave of weight and limit is published in proportion',
  async t => {
    const model = createModel([{ address: one, weight: 2, maxSessions: 100 }, two]);
    model.upstream.news.hearAgent(one, { percent: 75, maxSessions: 30 });
    model.upstream.news.hearAgent(one, { percent: 75 });
    t.same(model.told(), [`backend:shareSet ${one} 2 75 30 agent`]);
    await model.turn();
    t.match(model.find(one), { weight: 3, maxSessions: 30 });
    t.match(model.find(two), { weight: 2, maxSessions: undefined });
    t.match(model.status(one), { share: 0.75, weight: 2, agent: { percent: 75, maxSessions: 30 } });
    model.upstream.news.hearAgent(one, { maxSessions: 200 });
    model.upstream.news.setWeight(one, 4);
    model.upstream.news.setWeight(one, 4);
    await model.turn();
    t.same(model.told(), [
      `backend:shareSet ${one} 2 75 100 agent`,
      `backend:shareSet ${one} 4 75 100 operator`,
    ]);
    t.match(model.find(one), { weight: 3, maxSessions: 100 });
    t.match(model.find(two), { weight: 1 });
    model.upstream.news.hearAgent(one, { percent: 0 });
    await model.turn();
    t.match(model.find(one), { eligible: false, weight: 0 });
    t.match(model.status(one), { state: 'drain' });
  },
);

void t.test('an answer that says nothing new publishes nothing', async t => {
  const model = createModel(2);
  model.upstream.news.hearAgent(one, { percent: 50 });
  await model.turn();
  model.upstream.news.hearAgent(one, { percent: 50, health: 'up' });
  await model.turn();
  t.equal(model.published.length, 1);
  t.equal(model.told().length, 1);
});

void t.test('sessions are to be reset where it is down by check or agent, or in maint', async t => {
  const model = createModel(6, { whenDown: 'reset' });
  model.upstream.news.setHealthy(one, false, 'refused');
  model.upstream.news.hearAgent(two, { health: 'down' });
  model.upstream.news.setOperatorState(three, 'maint');
  model.upstream.news.setOperatorState(four, 'drain');
  model.fail(id(5));
  await model.turn();
  t.same(
    model.published.at(-1)?.backends.map(({ resetSessions }) => resetSessions),
    [true, true, true, false, false, false],
  );
});

void t.test('whoever gets sessions in panic keeps those it has', async t => {
  const model = createModel(2, { whenDown: 'reset' });
  model.upstream.news.setHealthy(one, false, 'refused');
  model.upstream.news.setHealthy(two, false, 'refused');
  await model.turn();
  t.match(model.find(one), { eligible: true, resetSessions: false });
  const early = createModel(2, { whenDown: 'reset', health: { initial: 'checked' } });
  early.upstream.publish();
  t.match(early.find(one), { eligible: false, resetSessions: false }, 'as has one that was never checked');
  const keep = createModel(2);
  keep.upstream.news.setHealthy(one, false, 'refused');
  await keep.turn();
  t.match(keep.find(one), { eligible: false, resetSessions: false }, 'and by default all do');
});

void t.test(
  'a removed backend leaves the snapshot, is shown while it has sessions, and adopts them again',
  async t => {
    const model = createModel(2);
    model.shared.counts.take(model.slotOf(one), undefined);
    model.upstream.remove(one, { resetSessions: false });
    await model.turn();
    t.same(model.told(), [`backend:removed ${one} 1`]);
    t.equal(model.find(one), undefined);
    t.match(model.status(one), { state: 'removed', sessions: 1, takesSessions: false });
    model.upstream.add(backendOf(one));
    await model.turn();
    t.same(model.told(), [`backend:added ${one}`]);
    t.match(model.find(one), { slot: model.slotOf(one), eligible: true });
    t.equal(model.upstream.status().backends.length, 2);
    model.upstream.remove(one, { resetSessions: false });
    model.shared.counts.release(model.slotOf(one));
    t.equal(model.status(one), undefined, 'without sessions there is nothing left to show');
  },
);

void t.test('one that is to lose its sessions stays in the snapshot until it has none', async t => {
  const model = createModel(2);
  model.shared.counts.take(model.slotOf(one), undefined);
  model.upstream.remove(one, { resetSessions: true });
  await model.turn();
  t.match(model.find(one), { eligible: false, resetSessions: true });
  t.match(model.status(one), { state: 'removed' });
  model.upstream.news.setWeight(two, 2);
  await model.turn();
  t.same(model.clock.delaysMs, [200]);
  model.shared.counts.release(model.slotOf(one));
  model.clock.advance(200);
  await model.turn();
  t.equal(model.find(one), undefined);
  t.same(model.clock.delaysMs, [], 'and nobody looks any more');
});

void t.test(
  'a backend that was removed keeps its slot until it has no session and every data plane knows',
  async t => {
    const model = createModel(2);
    const held = model.shared.slotsHeld;
    model.shared.counts.take(model.slotOf(one), undefined);
    let settle = (): void => undefined;
    model.data.settled = () => new Promise(resolve => (settle = resolve));
    model.upstream.remove(one, { resetSessions: false });
    await model.turn();
    model.shared.counts.release(model.slotOf(one));
    model.clock.advance(1_000);
    t.equal(model.shared.slotsHeld, held, 'a worker that is late may still pick it');
    settle();
    await model.turn();
    t.equal(model.shared.slotsHeld, held - 1);
  },
);

void t.test('the next owner of a slot finds it empty', async t => {
  const model = createModel(2);
  const slot = model.slotOf(one);
  model.fail(one, 'connect', 3);
  model.shared.elsewhere.set(slot, 9);
  model.shared.failures.offerTrial(slot);
  model.upstream.remove(one, { resetSessions: false });
  await model.turn();
  model.upstream.add(backendOf('10.0.0.9:80'));
  t.equal(model.slotOf('10.0.0.9:80'), slot);
  t.equal(model.shared.failures.inARow(slot, 'connect'), 0);
  t.equal(model.shared.elsewhere.count(slot), 0);
  t.notOk(model.shared.failures.isTrialOnOffer(slot));
});

void t.test('a backend that comes back before it was forgotten keeps its slot', async t => {
  const model = createModel(2);
  const slot = model.slotOf(one);
  model.shared.counts.take(slot, undefined);
  model.upstream.remove(one, { resetSessions: false });
  await model.turn();
  model.upstream.add(backendOf(one));
  model.shared.counts.release(slot);
  model.clock.advance(1_000);
  await model.turn();
  t.match(model.find(one), { slot });
});

void t.test('backends that come and go for ever need no more slots than live at once', async t => {
  const model = createModel(1);
  for (let i = 0; i < 2_000; i++) {
    const id = `10.1.${i >> 8}.${i & 255}:80`;
    model.upstream.add(backendOf(id));
    model.upstream.remove(id, { resetSessions: i % 2 === 0 });
    await model.turn();
  }
  t.ok(model.shared.slotsUsed <= 4, `${model.shared.slotsUsed}`);
});

void t.test('the last backend may go: the upstream is down then', async t => {
  const model = createModel(1);
  model.upstream.remove(one, { resetSessions: false });
  await model.turn();
  t.same(model.told(), [`backend:removed ${one} 0`, 'upstream:down']);
  model.upstream.add(backendOf(two));
  await model.turn();
  t.same(model.told(), [`backend:added ${two}`, 'upstream:up']);
});

void t.test('queueing is told once for all data planes, and its end when nobody waits anywhere', async t => {
  const model = createModel(1, { queue: { max: 7 } });
  const slot = model.shared.slotOfQueue('app');
  model.shared.counts.take(slot, undefined);
  model.queueing(true);
  model.queueing(true);
  model.queueing(false);
  t.same(model.told(), ['upstream:queueing'], 'another worker still has one that waits');
  t.match(model.upstream.status().queue, { waiting: 1, max: 7, longestMs: 0 });
  const { queue } = model.shared.upstream('app');
  for (const ms of [20, 700.4, 30]) queue.noteWait(ms);
  t.match(model.upstream.status().queue, { longestMs: 700 });
  model.shared.counts.release(slot);
  model.clock.advance(1_700);
  model.queueing(false);
  t.same(model.told(), ['upstream:queueingEnded 1700 700']);
  model.queueing(true);
  t.match(model.upstream.status().queue, { longestMs: 0 }, 'each time anew');
});

void t.test('reports that come late are heard by nobody', async t => {
  const model = createModel(2);
  model.upstream.remove(one, { resetSessions: false });
  await model.turn();
  model.told();
  model.fail(one);
  model.upstream.news.setHealthy(one, false, 'late');
  model.upstream.news.hearAgent(one, { health: 'down' });
  model.upstream.news.noteProbe(one, undefined);
  model.connectFailed(one, 'timeout', 'ETIMEDOUT');
  model.trialEnded(one);
  model.upstream.stop();
  model.upstream.news.setHealthy(two, false, 'late');
  const { length } = model.published;
  await model.turn();
  t.same(model.told(), []);
  t.equal(model.published.length, length);
  t.same(model.upstream.addressesOf(one), []);
});
