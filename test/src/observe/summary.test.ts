/** One sentence about an instance: what is out, since when, and whether clients notice. */
import t from 'tap';
import { clockAt, summaryOf, type Summarised } from '../../../src/observe/summary.ts';

const NOW = Date.UTC(2026, 0, 2, 15, 0);
const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);

type Upstream = Summarised['upstreams'][number];
type State = Upstream['backends'][number]['state'];

function backend(state: State = 'up', minutes = 100): Upstream['backends'][number] {
  return { state, stateForMs: minutes * 60_000, takesSessions: state === 'up' || state === 'trial' };
}

function upstream(backends: Upstream['backends'], parts: Partial<Upstream> = {}): Upstream {
  return { name: 'app', mode: 'normal', queue: { waiting: 0 }, backends, ...parts };
}

function summary(upstreams: readonly Upstream[], parts: Partial<Summarised> = {}) {
  return summaryOf({ state: 'running', sessions: 7, listeners: [], upstreams, ...parts }, NOW, clock);
}

void t.test('all is well', async t => {
  t.same(summary([upstream([backend(), backend('standby')]), upstream([backend()])]), {
    tone: 'good',
    text: 'all 3 backends up, panic off, clients unaffected',
  });
  t.equal(summary([upstream([backend()])]).text, 'the one backend is up, panic off, clients unaffected');
  t.equal(
    summary([upstream([backend(), backend(), backend('removed')])]).text,
    'all 2 backends up, panic off, clients unaffected',
    'one that was removed is none',
  );
});

void t.test('some are down: how many of how many, and since when it is that many', async t => {
  const backends = [backend('down', 90), backend('unresolved', 58), backend(), backend(), backend()];
  t.same(summary([upstream(backends)]), {
    tone: 'warn',
    text: '2 of 5 backends down since 14:02, panic off, clients unaffected',
  });
});

void t.test('ejected ones, and those that an operator has set, are counted apart', async t => {
  const some = [backend('down', 10), backend('ejected', 1), backend('trial', 2), backend('maint'), backend()];
  t.same(summary([upstream(some)]), {
    tone: 'warn',
    text: '1 of 5 backends down since 14:50, 2 ejected since 14:59, 1 in maint, panic off, clients unaffected',
  });
  t.same(summary([upstream([backend('drain'), backend()])]), {
    tone: 'good',
    text: '1 of 2 backends draining, panic off, clients unaffected',
  });
});

void t.test('clients that are refused, wait, or are sent to the unwell come last, and are bad', async t => {
  const down = upstream([backend('down', 1)], { name: 'db', mode: 'down' });
  t.same(summary([down, upstream([backend()])]), {
    tone: 'bad',
    text: '1 of 2 backends down since 14:59, panic off, clients of db are refused',
  });
  const tried = { ...backend('down', 1), takesSessions: true };
  t.equal(
    summary([upstream([tried], { mode: 'panic' })]).text,
    '1 of 1 backend down since 14:59, panic in app, clients of app are sent to backends that are not well',
  );
  t.same(summary([upstream([backend()], { queue: { waiting: 3 } })]), {
    tone: 'bad',
    text: 'the one backend is up, panic off, clients of app wait for a backend with room',
  });
  t.equal(
    summary([upstream([backend()])], { listeners: [{ name: 'web', paused: true }] }).text,
    'the one backend is up, panic off, clients wait at web, which is at its limit',
  );
  const many = ['a', 'b', 'c', 'd', 'e'].map(name => upstream([backend('down', 1)], { name, mode: 'down' }));
  t.match(summary(many).text, /, clients of a, b, c and 2 more are refused$/);
});

void t.test('an instance that does not run says what it does', async t => {
  const texts = (['starting', 'leaving', 'draining', 'stopped'] as const).map(
    state => summary([upstream([backend()])], { state }).text,
  );
  t.same(texts, [
    'lb4 is starting',
    'lb4 is about to drain: it still takes clients, and 7 sessions run',
    'lb4 drains: it takes no new clients, and 7 sessions are to end',
    'lb4 has stopped',
  ]);
});

void t.test('no backends at all is nothing good', async t => {
  t.same(summary([upstream([], { mode: 'down' })]), {
    tone: 'bad',
    text: 'no backends, panic off, clients of app are refused',
  });
});

void t.test('the clock names the day of another day', async t => {
  const noon = new Date(2026, 2, 4, 12, 0).getTime();
  const say = clockAt(noon);
  t.equal(say(new Date(2026, 2, 4, 9, 5).getTime()), '09:05');
  t.equal(say(new Date(2026, 2, 3, 23, 59).getTime()), '2026-03-03 23:59');
});
