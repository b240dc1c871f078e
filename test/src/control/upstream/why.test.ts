/** What a snapshot says of a backend that is out: why, and for how long. */
import t from 'tap';
import { createModel, id } from '../../../harness/upstream-model.ts';

const one = id(1);

void t.test('a backend that is down says what its checks and its agent have answered', async t => {
  const model = createModel(3);
  const { news } = model.upstream;
  model.upstream.publish();
  t.match(model.status(one), { state: 'up', why: undefined, stateForMs: 0 });
  news.noteProbe(one, 'connection refused');
  news.setHealthy(one, false, '3 health checks failed, the last: connection refused');
  await model.turn();
  model.clock.advance(4_000);
  t.match(model.status(one), {
    ...{ state: 'down', stateForMs: 4_000 },
    why: '3 health checks failed, the last: connection refused',
  });
  news.noteProbe(one, 'HTTP 503');
  news.hearAgent(one, { health: 'down', why: 'disk full' });
  t.equal(
    model.status(one)?.why,
    '3 health checks failed, the last: connection refused; now: HTTP 503; its agent says down: disk full',
  );
  news.noteProbe(one, undefined);
  news.setHealthy(one, true, '2 health checks passed');
  t.equal(model.status(one)?.why, 'its agent says down: disk full', 'what is over is not repeated');
  news.hearAgent(one, { health: 'up' });
  await model.turn();
  t.match(model.status(one), { state: 'up', why: undefined, stateForMs: 0 });
});

void t.test('an ejected backend says how its sessions failed, and so does one on trial', async t => {
  const model = createModel(3);
  model.connectFailed(one, 'refused', 'ECONNREFUSED');
  model.fail(one);
  const why = '5 connects in a row failed, the last: refused (ECONNREFUSED)';
  t.match(model.status(one), { state: 'ejected', why });
  await model.turn();
  model.clock.advance(60_000);
  t.match(model.status(one), { state: 'trial', why });
});

void t.test('drain and maint say by whose hand', async t => {
  const model = createModel(3);
  const { news } = model.upstream;
  news.setOperatorState(one, 'maint');
  t.match(model.status(one), { state: 'maint', why: 'set by an operator' });
  news.setOperatorState(one, 'ready');
  news.setWeight(one, 0);
  t.match(model.status(one), { state: 'drain', why: 'its weight is 0' });
  news.setWeight(one, 1);
  news.hearAgent(one, { state: 'drain' });
  t.match(model.status(one), { state: 'drain', why: 'set by its agent' });
  news.hearAgent(one, { state: 'ready', percent: 0 });
  t.match(model.status(one), { state: 'drain', why: 'its agent leaves it no weight' });
});

void t.test('one without a verdict, or without an address, says what it waits for', async t => {
  const model = createModel([one, 'a.test:80'], { health: { initial: 'checked' } });
  t.match(model.status(one), { state: 'down', why: 'it waits for its first health check' });
  t.equal(model.status('a.test:80')?.why, 'its name has not been resolved yet');
  model.upstream.news.reportUnresolved('a.test:80', 'no such name');
  t.match(model.status('a.test:80'), { state: 'unresolved', why: 'no such name' });
});
