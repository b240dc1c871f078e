import t from 'tap';
import { SpreadResets } from '../../../../src/data/session/spread-resets.ts';
import type { Termination } from '../../../../src/model/termination.ts';
import { seeded } from '../../../../src/sim/seeded.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

const TIME_IS_UP: Termination = { by: 'balancer', phase: 'drain', reason: 'drainTimeout' };

class FakeSession {
  readonly name: string;
  readonly #end: (session: FakeSession) => void;
  lastActivityMs: number | undefined;

  constructor(name: string, lastActivityMs: number, end: (session: FakeSession) => void) {
    this.name = name;
    this.lastActivityMs = lastActivityMs;
    this.#end = end;
  }

  abort(termination: Termination): void {
    if (termination === TIME_IS_UP) this.end();
  }

  end(): void {
    this.lastActivityMs = undefined;
    this.#end(this);
  }
}

/** Sessions with these times of their last byte, and what becomes of them in 10 s from 1000 s on. */
function spread(activeMs: readonly number[], random = (): number => 0.5) {
  const clock = new FakeClock(1_000_000);
  const left = new Set<FakeSession>();
  const ends: { name: string; atMs: number }[] = [];
  let resets = 0;
  const sessions = activeMs.map(
    (atMs, i) =>
      new FakeSession(String(i), atMs, session => {
        left.delete(session);
        ends.push({ name: session.name, atMs: clock.now() - 1_000_000 });
      }),
  );
  for (const session of sessions) left.add(session);
  const resetting = new SpreadResets({
    setTimer: clock.setTimer,
    now: clock.now,
    random,
    running: () => left.size,
    onReset: () => (resets += 1),
  });
  resetting.begin(sessions, 10_000, TIME_IS_UP);
  return { clock, sessions, ends, left, resetting, resets: () => resets };
}

const names = (ends: readonly { name: string }[]): string => ends.map(({ name }) => name).join(' ');

void t.test('the session that has been silent for longest goes first', async t => {
  const { clock, ends } = spread([500, Infinity, 100, 900, 300]);
  clock.advance(10_000);
  t.equal(names(ends), '2 4 0 3 1');
});

void t.test('they go one after the other over the whole time, not in one moment', async t => {
  const { clock, ends, resets } = spread(Array.from({ length: 100 }, (_, i) => i));
  clock.advance(10_000);
  t.equal(ends.length, 100);
  t.equal(resets(), 100);
  for (const part of [0.25, 0.5, 0.75]) {
    const gone = ends.filter(({ atMs }) => atMs <= part * 10_000).length;
    t.ok(Math.abs(gone - part * 100) <= 2, `${gone} of 100 after ${part} of the time`);
  }
});

void t.test('gaps are random: two instances with the same sessions do not keep time', async t => {
  const [one, other] = [1, 2].map(seed => {
    const random = seeded(seed);
    const { clock, ends } = spread(
      Array.from({ length: 50 }, (_, i) => i),
      random,
    );
    clock.advance(10_000);
    return ends.map(({ atMs }) => atMs);
  });
  t.ok((one?.length ?? 0) >= 48, 'nearly all before the end');
  const same = one?.filter(atMs => other?.includes(atMs)).length;
  t.ok(same !== undefined && same < 3, `${same} moments in common`);
  const gaps = one?.slice(1).map((atMs, i) => Math.round(atMs - (one[i] ?? 0)));
  t.ok(new Set(gaps).size > 25, 'few gaps are equal');
});

void t.test('a session in which bytes move when its turn comes is put off', async t => {
  const { clock, sessions, ends } = spread([100, 200, 300]);
  const [first] = sessions;
  if (first !== undefined) first.lastActivityMs = clock.now();
  clock.advance(10_000);
  t.equal(names(ends), '1 2 0');
});

void t.test('where bytes move in all of them, they go all the same', async t => {
  const { clock, sessions, ends } = spread([100, 200, 300, 400]);
  for (let i = 0; i < 100; i++) {
    for (const session of sessions)
      if (session.lastActivityMs !== undefined) session.lastActivityMs = clock.now();
    clock.advance(100);
  }
  t.equal(ends.length, 4);
});

void t.test('sessions that end by themselves leave their time to the others', async t => {
  const { clock, sessions, ends, resets } = spread(Array.from({ length: 100 }, (_, i) => i));
  for (const session of sessions.slice(0, 50)) session.end();
  clock.advance(5_000);
  const gone = ends.length - 50;
  t.ok(gone >= 23 && gone <= 27, `${gone} of the 50 others after half of the time`);
  clock.advance(5_000);
  t.equal(resets(), 50);
});

void t.test('many sessions go several at a time, with at most a timer per 10 ms', async t => {
  const { clock, ends, left } = spread(Array.from({ length: 20_000 }, (_, i) => i));
  clock.advance(10_000);
  t.ok(clock.delays.length <= 1_000, `${clock.delays.length} timers`);
  t.ok(left.size < 200, `${left.size} are left for the end`);
  t.ok(ends.filter(({ atMs }) => atMs < 5_000).length < 11_000);
});

void t.test('nothing is pending before it begins, after its end, or once no session is left', async t => {
  const { clock, sessions, resetting, resets } = spread([1, 2, 3]);
  t.equal(clock.pending, 1);
  resetting.end();
  t.equal(clock.pending, 0);
  resetting.begin([], 10_000, TIME_IS_UP);
  clock.advance(1);
  for (const session of sessions) session.end();
  clock.advance(10_000);
  t.equal(clock.pending, 0);
  t.equal(resets(), 0);
});
