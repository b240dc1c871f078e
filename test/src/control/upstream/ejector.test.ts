/** Ejection as an upstream lives through it: reports, timers, trials, and what data planes find in shared memory. */
import t from 'tap';
import { createModel, id } from '../../../harness/upstream-model.ts';

const [one, two, three] = [id(1), id(2), id(3)];

void t.test('ejected, tried, restored: one event and one snapshot each', async t => {
  const model = createModel(2);
  const { failures } = model.shared;
  const slot = model.slotOf(one);
  model.connectFailed(one, 'timeout', 'ETIMEDOUT');
  model.connectFailed(one, 'refused', 'ECONNREFUSED');
  model.fail(one);
  await model.turn();
  t.same(model.told(), [
    `backend:ejected ${one} 5 connects in a row failed, the last: refused (ECONNREFUSED) 5000 1`,
  ]);
  t.match(model.find(one), { eligible: false, trial: false, resetSessions: false });
  t.match(model.status(one), { state: 'ejected', ejection: { times: 1, forMs: 5_000 } });
  t.equal(failures.inARow(slot, 'connect'), 0, 'failures are forgotten');

  model.clock.advance(4_999);
  t.same(model.told(), []);
  failures.failed(slot, 'connect');
  model.clock.advance(1);
  await model.turn();
  t.same(model.told(), [`backend:trial ${one}`]);
  t.match(model.find(one), { eligible: false, trial: true });
  t.match(model.status(one), { state: 'trial' });
  t.equal(failures.inARow(slot, 'connect'), 0, 'also those of sessions that had begun before');
  t.ok(failures.isTrialOnOffer(slot));

  t.ok(failures.takeTrial(slot));
  model.trialEnded(one);
  await model.turn();
  t.same(model.told(), [`backend:restored ${one} the session that tried it went well`]);
  t.match(model.find(one), { eligible: true, trial: false });
  t.equal(model.status(one)?.ejection, undefined);
  t.notOk(failures.isTrialOnOffer(slot));
});

void t.test('a trial that fails ejects for longer; an answer that comes twice counts once', async t => {
  const model = createModel(2);
  model.fail(one);
  model.clock.advance(5_000);
  model.told();
  model.trialEnded(one, 'refused (ECONNREFUSED)');
  model.trialEnded(one);
  t.same(model.told(), [
    `backend:ejected ${one} the session that tried it failed: refused (ECONNREFUSED) 10000 2`,
  ]);
  t.notOk(model.shared.failures.isTrialOnOffer(model.slotOf(one)));
  model.clock.advance(10_000);
  await model.turn();
  t.same(model.told(), [`backend:trial ${one}`]);
});

void t.test(
  'a trial is announced once sessions may have it, not while checks hold the backend down',
  async t => {
    const model = createModel(2);
    model.fail(one, 'earlyClose');
    model.upstream.news.setHealthy(one, false, 'no answer');
    await model.turn();
    model.told();
    model.clock.advance(5_000);
    await model.turn();
    t.same(model.told(), [], 'its time is over');
    t.match(model.find(one), { eligible: false, trial: false });
    model.upstream.news.setHealthy(one, true, 'well');
    await model.turn();
    t.same(model.told(), [`backend:up ${one} well`, `backend:trial ${one}`]);
    t.match(model.find(one), { trial: true });
    model.upstream.news.setHealthy(two, false, 'no answer');
    await model.turn();
    t.notOk(
      model.told().some(event => event.startsWith('backend:trial')),
      'and only once',
    );
  },
);

void t.test('failures while it is out already, or that a success has undone, eject nobody', async t => {
  const model = createModel(2);
  model.fail(one);
  model.told();
  model.fail(one);
  model.clock.advance(5_000);
  model.fail(one);
  await model.turn();
  t.same(model.told(), [`backend:trial ${one}`]);
  model.shared.failures.failed(model.slotOf(two), 'connect');
  model.fail(two, 'connect', 0);
  t.same(model.told(), [], 'there is one in a row by now');
});

void t.test('no more are out at a time than maxPercent, and never the last one', async t => {
  const model = createModel(4);
  for (const backend of [one, two, three, id(4)]) model.fail(backend);
  await model.turn();
  t.same(model.takers(), [3, 4]);
  t.equal(model.told().length, 2);
  const alone = createModel(1, { panicBelow: 'off', ejection: { maxPercent: 100 } });
  alone.fail(one);
  t.same(alone.told(), []);
  const last = createModel(4, { ejection: { maxPercent: 100 } });
  for (const backend of [one, two, three, id(4)]) last.fail(backend);
  await last.turn();
  t.same(last.takers(), [4], 'also where there is no panic before');
});

void t.test('in panic nobody is ejected, and what is ejected gets sessions', async t => {
  const model = createModel(4, { panicBelow: 50 });
  model.fail(one);
  for (const backend of [two, three]) model.upstream.news.setHealthy(backend, false, 'refused');
  await model.turn();
  model.told();
  t.same(model.takers(), [1, 2, 3, 4]);
  model.fail(id(4));
  t.same(model.told(), []);
  model.clock.advance(5_000);
  await model.turn();
  t.match(model.find(one), { eligible: true, trial: false }, 'nor is anybody on trial');
  model.upstream.news.setHealthy(two, true, 'passed');
  await model.turn();
  t.match(model.find(one), { eligible: false, trial: true }, 'before it is over');
});

void t.test('a health check that passes ends an ejection for failed connects', async t => {
  const model = createModel(2);
  model.fail(one);
  model.told();
  model.upstream.news.noteProbe(one, 'refused');
  t.same(model.told(), []);
  model.upstream.news.noteProbe(one, undefined);
  t.same(model.told(), [`backend:restored ${one} a health check has passed`]);
  t.same(model.clock.delaysMs, [], 'and its timer');
  model.upstream.news.noteProbe(one, undefined);
  t.same(model.told(), []);
});

void t.test('one for silence only where the check makes the backend speak', async t => {
  const early = { ejection: { earlyClose: '100ms' } };
  const tcp = createModel(2, early);
  tcp.fail(one, 'earlyClose');
  t.same(tcp.told(), [`backend:ejected ${one} 5 sessions in a row ended within 100ms without a byte 5000 1`]);
  tcp.upstream.news.noteProbe(one, undefined);
  t.same(tcp.told(), []);
  for (const health of [
    { type: 'http' as const },
    { type: 'sendExpect' as const, preset: 'redis' as const },
  ]) {
    const model = createModel(2, { ...early, health });
    model.fail(one, 'earlyClose');
    model.told();
    model.upstream.news.noteProbe(one, undefined);
    t.same(model.told(), [`backend:restored ${one} a health check has passed`]);
  }
});

void t.test('a single failure is told as one', async t => {
  const model = createModel(4, { ejection: { failures: 1, earlyClose: '1s' } });
  model.connectFailed(one, 'timeout', 'ETIMEDOUT');
  model.fail(one, 'connect', 1);
  model.fail(two, 'earlyClose', 1);
  t.same(model.told(), [
    `backend:ejected ${one} a connect failed: timeout (ETIMEDOUT) 5000 1`,
    `backend:ejected ${two} a session ended within 1s without a byte 5000 1`,
  ]);
});

void t.test('with ejection off nobody is ejected', async t => {
  const model = createModel(2, { ejection: 'off' });
  model.fail(one, 'connect', 1_000);
  t.same(model.told(), []);
});

void t.test('whoever is removed leaves no timer and no trial behind', async t => {
  const model = createModel(3, { ejection: { maxPercent: 100 } });
  model.fail(one);
  model.clock.advance(5_000);
  model.fail(two);
  model.told();
  model.upstream.remove(one, { resetSessions: false });
  model.upstream.remove(two, { resetSessions: false });
  t.notOk(model.shared.failures.isTrialOnOffer(model.slotOf(one)));
  t.same(model.clock.delaysMs, []);
  model.fail(three);
  model.upstream.stop();
  t.same(model.clock.delaysMs, []);
});
