import { EventEmitter } from 'node:events';
import t from 'tap';
import { Crash } from '../../../src/cli/crash.ts';
import type { LoadBalancerState } from '../../../src/model/snapshot.ts';
import { recordingLog, type Entry } from '../../harness/admin.ts';
import { snapshotWith } from '../../harness/fake-balancer.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

interface Setting {
  readonly state?: LoadBalancerState;
  readonly workers?: number;
  readonly upgrade?: Promise<unknown>;
  readonly logFails?: boolean;
}

/** A process whose balancer notes what is done to it; `over` ends the drain. */
function create({ state = 'running', workers = 1, upgrade, logFails = false }: Setting = {}) {
  const clock = new FakeClock();
  const calls: string[] = [];
  const entries: Entry[] = [];
  const process = new EventEmitter();
  let over = (): void => undefined;
  let exited: (code: number) => void = () => undefined;
  const exit = new Promise<number>(resolve => (exited = resolve));
  const view = { worker: 1, engine: 'epoll', state: 'running', sessions: 0, sessionsEver: 0 } as const;
  const snapshot = { ...snapshotWith(), state, workers: workers === 0 ? [] : [view] };
  const log = recordingLog(entries);
  const crash = new Crash({
    log: logFails
      ? {
          ...log,
          write: () => {
            throw new Error('no log');
          },
        }
      : log,
    balancer: {
      state,
      snapshot: () => snapshot,
      retire: () => {
        calls.push('retire');
        return { ended: new Promise<void>(resolve => (over = resolve)), withinMs: 60_000 };
      },
      stop: () => {
        calls.push('stop');
        return Promise.resolve();
      },
    },
    upgrade: () => upgrade,
    onCrash: () => void calls.push('reported'),
    onStartFailed: lines => {
      calls.push(`start failed: ${lines.join()}`);
      return Promise.resolve();
    },
    endLogs: () => {
      calls.push('logs');
      return Promise.resolve();
    },
    exit: exited,
    setTimer: clock.setTimer,
    process: process as unknown as NodeJS.Process,
  });
  const raise = (error: unknown): boolean => process.emit('uncaughtException', error);
  return { clock, crash, calls, entries, exit, raise, process, over: () => over() };
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

void t.test('sessions have their time, then everything ends with 1', async t => {
  const { calls, entries, exit, raise, over } = create();
  raise(new Error('a defect'));
  await turn();
  t.same(calls, ['reported', 'retire']);
  over();
  t.equal(await exit, 1);
  t.same(calls, ['reported', 'retire', 'stop', 'logs']);
  t.match(entries, [
    { level: 'error', event: 'crashed', message: /^a defect ends lb4: Error: a defect at / },
  ]);
});

void t.test('a drain that never ends is ended a second after its time', async t => {
  const { calls, exit, raise, clock } = create();
  raise(new Error('a defect'));
  await turn();
  clock.advance(60_999);
  await turn();
  t.same(calls, ['reported', 'retire']);
  clock.advance(1);
  t.equal(await exit, 1);
  t.equal(clock.pending, 0);
});

void t.test('without workers there is no drain', async t => {
  const { calls, exit, raise } = create({ workers: 0 });
  raise(new Error('a defect'));
  t.equal(await exit, 1);
  t.same(calls, ['reported', 'stop', 'logs']);
});

void t.test('a start ends, and whoever waits for it learns why', async t => {
  const { calls, exit, process } = create({ state: 'starting' });
  process.emit('unhandledRejection', 'no error, only a text');
  t.equal(await exit, 1);
  t.same(calls, ['reported', 'start failed: a defect: no error, only a text', 'stop', 'logs']);
});

void t.test('an upgrade may end first', async t => {
  let upgraded = (): void => undefined;
  const { calls, raise } = create({ upgrade: new Promise<void>(resolve => (upgraded = resolve)) });
  raise(new Error('a defect'));
  await turn();
  t.same(calls, ['reported']);
  upgraded();
  await turn();
  t.same(calls, ['reported', 'retire']);
});

void t.test('errors from one place are one defect, up to a thousand of them', async t => {
  const { calls, entries, exit, raise } = create();
  const again = (i: number): boolean => raise(new Error(`at ${i}`));
  for (let i = 0; i < 1_000; i++) again(i);
  await turn();
  t.same(calls, ['reported', 'retire']);
  t.equal(entries.length, 1);
  again(1_000);
  again(1_001);
  t.equal(await exit, 1);
  t.same(calls.slice(2), ['stop', 'logs']);
  t.match(entries.slice(1), [
    { event: 'crashedAgain', message: /the same error has come 1000 times$/ },
    { event: 'crashRepeated', fields: { repeats: 1_000 } },
  ]);
});

for (const [what, errors, why] of [
  [
    'another error',
    [new Error('a defect'), new TypeError('another')],
    /another error: TypeError: another at /,
  ],
  ['no memory', [new RangeError('Array buffer allocation failed')], /memory is used up/],
  [
    'no memory, as a stream says it',
    [Object.assign(new RangeError('Failed to allocate memory'), { code: 'ERR_MEMORY_ALLOCATION_FAILED' })],
    /memory is used up/,
  ],
] as const) {
  void t.test(`${what}: everything ends at once`, async t => {
    const { calls, entries, exit, raise } = create();
    for (const error of errors) raise(error);
    t.equal(await exit, 1);
    t.same(calls.slice(-2), ['stop', 'logs']);
    t.match(entries.at(-1), { event: 'crashedAgain', message: why });
  });
}

void t.test('a log with the defect does not stop the end', async t => {
  const { calls, exit, raise } = create({ workers: 0, logFails: true });
  raise(new Error('this line is expected on standard error'));
  t.equal(await exit, 1);
  t.same(calls, ['reported', 'stop', 'logs']);
});

void t.test('it listens until lb4 has ended, unless there was a defect', t => {
  const well = create();
  well.crash.stopListening();
  t.notOk(well.process.listenerCount('uncaughtException'));
  t.notOk(well.process.listenerCount('unhandledRejection'));
  const ill = create();
  ill.raise(new Error('a defect'));
  ill.crash.stopListening();
  t.ok(ill.crash.hasBegun);
  t.ok(ill.process.listenerCount('uncaughtException'));
  t.end();
});
