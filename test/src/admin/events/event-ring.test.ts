/** The events that are kept for clients of the admin API: numbers, ids, what is left out, what is held back. */
import t from 'tap';
import { EventRing, MOST_EVENTS, STREAMED_NAMES } from '../../../../src/admin/events/event-ring.ts';
import { EVENT_NAMES, Events } from '../../../../src/model/events.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

function createRing(startedAtMs = 1_000_000) {
  const source = new Events();
  const clock = new FakeClock();
  const ring = new EventRing({
    source,
    setTimer: clock.setTimer,
    uptimeMs: clock.now,
    wallClock: () => startedAtMs + clock.now(),
  });
  const fail = (): void => {
    const event = { upstream: 'app', backend: 'b:1', reason: 'refused', code: 'ECONNREFUSED', times: 1 };
    source.emit('backend:connectFailed', event);
  };
  const up = (upstream: string): void => source.emit('upstream:up', { upstream });
  return { source, clock, ring, fail, up };
}

void t.test('it takes every event except those of single sessions', async t => {
  t.same(
    EVENT_NAMES.filter(name => !STREAMED_NAMES.some(each => each === name)),
    ['session:closed', 'session:unrecorded'],
  );
  const { source, ring } = createRing();
  t.notOk(source.isWanted('session:closed'), 'no record of a session is made for it');
  for (const name of STREAMED_NAMES) t.ok(source.isWanted(name), name);
  ring.end();
  for (const name of STREAMED_NAMES) t.notOk(source.isWanted(name), `${name}, after the end`);
});

void t.test('the latest thousand are kept, and the number of those that are gone is known', async t => {
  const { ring, up } = createRing();
  for (let i = 1; i <= MOST_EVENTS + 5; i++) up(`u${i}`);
  t.equal(ring.last, MOST_EVENTS + 5);
  const all = ring.after(0);
  t.equal(all.missed, 5);
  t.equal(all.events.length, MOST_EVENTS);
  t.match(all.events[0], { number: 6, fields: { upstream: 'u6' } });
  t.match(all.events.at(-1), { number: MOST_EVENTS + 5, fields: { upstream: `u${MOST_EVENTS + 5}` } });
  const rest = ring.after(MOST_EVENTS + 3);
  t.same([rest.missed, rest.events.map(({ number }) => number)], [0, [MOST_EVENTS + 4, MOST_EVENTS + 5]]);
  t.same(ring.after(ring.last), { missed: 0, events: [] });
});

void t.test('an id is known only to the process that gave it, and only once it was given', async t => {
  const { ring, up } = createRing();
  up('app');
  t.equal(ring.numberOf(ring.idOf(1)), 1);
  t.equal(ring.numberOf(ring.idOf(2)), undefined, 'from the future');
  const { ring: next, up: upAgain } = createRing(1_000_001);
  upAgain('app');
  t.equal(next.numberOf(ring.idOf(1)), undefined, 'of another process');
  for (const id of ['', '1', '-1', 'x-', `${'z'.repeat(40)}-1`, '\u0000', ring.idOf(1) + '9'.repeat(30)])
    t.equal(ring.numberOf(id), undefined, JSON.stringify(id));
});

void t.test(
  'failed connects are one event in ten seconds for each cause, and none is lost from the sum',
  async t => {
    const { ring, clock, fail, up } = createRing();
    for (let i = 0; i < 100_000; i++) fail();
    up('app');
    t.same(
      ring.after(0).events.map(({ name }) => name),
      ['backend:connectFailed', 'upstream:up'],
    );
    clock.advance(10_000);
    const times = ring.after(0).events.map(({ fields }) => ('times' in fields ? fields.times : 0));
    t.same(times, [1, 0, 99_999]);
  },
);
