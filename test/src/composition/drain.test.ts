import t from 'tap';
import { Delay, endSessions, soonOver } from '../../../src/composition/drain.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

/** A host that notes what it is asked for, and when; it is empty when the test says so. */
function fakeHost(clock: FakeClock) {
  const calls: string[] = [];
  const note = (what: string): void => void calls.push(`${clock.now()} ${what}`);
  let empty = (): void => undefined;
  const isEmpty = new Promise<void>(resolve => (empty = resolve));
  return {
    calls,
    empty,
    host: {
      stopListening: () => {
        note('stopListening');
        return Promise.resolve();
      },
      closePools: () => note('closePools'),
      whenEmpty: () => isEmpty,
      spreadResets: ({ reason }: { reason: string }, withinMs: number) =>
        note(`spread ${reason} over ${withinMs}`),
      abortSessions: ({ reason }: { reason: string }) => note(`abort ${reason}`),
    },
  };
}

const turn = () => new Promise(resolve => setImmediate(resolve));

void t.test('sessions are reset over the last part of the time, and what is left at its end', async t => {
  const clock = new FakeClock();
  const { host, calls, empty } = fakeHost(clock);
  const ended = endSessions(host, { timeoutMs: 30_000, spread: 0.2 }, Promise.resolve(), clock.setTimer);
  await turn();
  clock.advance(60_000);
  t.same(calls, [
    '0 stopListening',
    '0 closePools',
    '24000 spread drainTimeout over 6000',
    '30000 abort drainTimeout',
  ]);
  empty();
  await ended;
});

for (const [name, times, expected] of [
  ['spread 0: all at the end', { timeoutMs: 10_000, spread: 0 }, ['10000 abort drainTimeout']],
  ['spread 1: from the start on', { timeoutMs: 10_000, spread: 1 }, ['0 spread drainTimeout over 10000']],
  ['no time at all: at once', { timeoutMs: 0, spread: 0.2 }, ['0 abort drainTimeout']],
  ['no limit: none is reset', { timeoutMs: Infinity, spread: 0.2 }, []],
] as const) {
  void t.test(name, async t => {
    const clock = new FakeClock();
    const { host, calls, empty } = fakeHost(clock);
    const ended = endSessions(host, times, Promise.resolve(), clock.setTimer);
    await turn();
    clock.advance(10_000);
    const resets = calls.filter(call => !/stopListening|closePools/.test(call));
    t.same(resets.slice(0, expected.length), expected);
    t.ok(expected.length > 0 || resets.length === 0);
    empty();
    await ended;
  });
}

void t.test('when the last session has ended the drain has, and no timer is left', async t => {
  const clock = new FakeClock();
  const { host, empty } = fakeHost(clock);
  const ended = endSessions(host, { timeoutMs: 30_000, spread: 0.2 }, Promise.resolve(), clock.setTimer);
  t.equal(clock.pending, 2);
  empty();
  await ended;
  t.equal(clock.pending, 0);
});

void t.test('a configuration that is being taken over comes first, and the time runs meanwhile', async t => {
  const clock = new FakeClock();
  const { host, calls, empty } = fakeHost(clock);
  let applied = (): void => undefined;
  const applying = new Promise<void>(resolve => (applied = resolve));
  const ended = endSessions(host, { timeoutMs: 1_000, spread: 0 }, applying, clock.setTimer);
  clock.advance(1_000);
  t.same(calls, ['1000 abort drainTimeout']);
  applied();
  empty();
  await ended;
  t.same(calls.slice(1), ['1000 stopListening', '1000 closePools']);
});

void t.test('a delay ends with its time, or is cut short, also before it has begun', async t => {
  const clock = new FakeClock();
  const whole = new Delay();
  const waited = whole.wait(5_000, clock.setTimer);
  clock.advance(5_000);
  await waited;
  t.notOk(whole.isCut);

  const cut = new Delay();
  const cutShort = cut.wait(5_000, clock.setTimer);
  cut.cut();
  await cutShort;
  await cut.wait(5_000, clock.setTimer);
  t.ok(cut.isCut);
  t.equal(clock.pending, 0);
});

void t.test('work that a defect has broken is waited for for a second', async t => {
  const clock = new FakeClock();
  await soonOver(Promise.resolve(), clock.setTimer);
  const broken = soonOver(new Promise<void>(() => undefined), clock.setTimer);
  clock.advance(1_000);
  await broken;
  t.equal(clock.pending, 0);
});
