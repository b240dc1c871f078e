import { EventEmitter } from 'node:events';
import t from 'tap';
import type { FromWorker, ToWorker, WorkerStart } from '../../../src/host/messages.ts';
import { WORKER_TIMES, WorkerThread, type Thread } from '../../../src/host/worker-thread.ts';
import { FakeTimers } from '../../harness/fake-timers.ts';

/** A thread whose life the test plays. */
class FakeThread extends EventEmitter implements Thread {
  readonly posted: ToWorker[] = [];

  postMessage(message: ToWorker): void {
    this.posted.push(message);
  }

  terminate(): Promise<number> {
    this.emit('exit', 1);
    return Promise.resolve(1);
  }

  says(message: FromWorker): void {
    this.emit('message', message);
  }
}

/** One that blocks in a system call: it cannot be ended. */
class StuckThread extends FakeThread {
  override terminate(): Promise<number> {
    return new Promise(() => undefined);
  }
}

function create(make: () => FakeThread = () => new FakeThread(), times = WORKER_TIMES) {
  const timers = new FakeTimers();
  const threads: FakeThread[] = [];
  const seen: string[] = [];
  const world = { nowMs: 0, beats: 0, wakes: 0, endings: 0, leftBehind: 0 };
  const thread = new WorkerThread(
    {
      times,
      now: () => world.nowMs,
      setTimer: timers.setTimer,
      beats: () => world.beats,
      wake: () => (world.wakes += 1),
      spawn: () => {
        const made = make();
        threads.push(made);
        return made;
      },
    },
    {
      // A fake thread does not look at it.
      startWith: () => ({}) as WorkerStart,
      onMessage: ({ kind }) => seen.push(kind),
      onExit: (reason, restartInMs) => seen.push(`exit ${reason} ${restartInMs ?? 'for good'}`),
      onEnding: () => (world.endings += 1),
      onLeftBehind: () => (world.leftBehind += 1),
      onRestarted: () => seen.push('restarted'),
      onStalled: forMs => seen.push(`stalled ${forMs}`),
      onResumed: () => seen.push('resumed'),
    },
  );
  const latest = (): FakeThread => {
    const last = threads.at(-1);
    if (last === undefined) throw new RangeError('no thread was started');
    return last;
  };
  const begin = async (): Promise<void> => {
    const started = thread.start();
    latest().says({ kind: 'ready' });
    await started;
  };
  return { thread, timers, threads, seen, world, latest, begin };
}

/** Promises that are resolved have had their say. */
const settled = () => new Promise(resolve => setImmediate(resolve));

void t.test('a worker that keeps dying is started again ever later, up to ten seconds', async t => {
  const { timers, threads, latest, begin } = create();
  await begin();
  for (let deaths = 0; deaths < 9; deaths++) {
    latest().emit('exit', 1);
    timers.fireNext();
  }
  t.same(timers.delays, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  t.equal(threads.length, 10);
});

void t.test('one that has lived for long begins with the shortest delay again', async t => {
  const { timers, latest, begin, world, seen } = create();
  await begin();
  latest().emit('exit', 1);
  timers.fireNext();
  latest().says({ kind: 'ready' });
  world.nowMs += 29_999;
  latest().emit('exit', 1);
  timers.fireNext();
  latest().says({ kind: 'ready' });
  world.nowMs += 30_000;
  latest().emit('error', new Error('out of memory'));
  latest().emit('exit', 1);
  t.same(timers.delays, [100, 200, 100]);
  t.same(seen, [
    'exit exit code 1 100',
    'restarted',
    'exit exit code 1 200',
    'restarted',
    'exit out of memory 100',
  ]);
});

void t.test('one that dies while it starts for the first time is an error, and not tried again', async t => {
  const { thread, timers, latest } = create();
  const started = thread.start();
  latest().emit('error', Object.assign(new Error('no such file'), { code: 'LB4_STRATEGY_INVALID' }));
  latest().emit('exit', 1);
  await t.rejects(started, { name: 'Lb4Error', code: 'LB4_STRATEGY_INVALID', message: 'no such file' });
  t.equal(timers.pending, 0);
  const silent = create();
  const failed = silent.thread.start();
  silent.latest().emit('exit', 9);
  await t.rejects(failed, /exit code 9/);
});

void t.test('every question is answered, by the worker or by its death', async t => {
  const { thread, latest, begin, world } = create();
  await begin();
  const stopped = thread.ask({ what: 'stopListening' });
  const empty = thread.ask({ what: 'whenEmpty' });
  t.match(latest().posted, [
    { kind: 'ask', id: 0, question: { what: 'stopListening' } },
    { kind: 'ask', id: 1, question: { what: 'whenEmpty' } },
  ]);
  t.equal(world.wakes, 2, 'each message wakes it');
  latest().says({ kind: 'answer', id: 0, answer: undefined });
  await stopped;
  latest().emit('exit', 1);
  await empty;
  await thread.ask({ what: 'whenEmpty' });
  t.pass('nobody waits for a dead worker');
});

void t.test('silence for two seconds is told once, and so is the next beat', async t => {
  const { thread, begin, world, seen } = create();
  await begin();
  world.beats = 1;
  for (let i = 0; i < 6; i++) thread.checkBeat(500);
  t.same(seen, ['stalled 2000']);
  t.same([thread.state, thread.silentMs], ['stalled', 2_500]);
  world.beats = 2;
  t.equal(thread.silentMs, 0, 'seen before the next look');
  for (let i = 0; i < 4; i++) thread.checkBeat(500);
  t.same(seen, ['stalled 2000', 'resumed']);
  t.equal(thread.state, 'running');
});

void t.test('a worker that is to give up its sessions is ended only if it does not beat', async t => {
  const { thread, timers, begin, world, seen } = create();
  await begin();
  await thread.stopRestarting();
  thread.endIfStalled();
  world.beats += 1;
  timers.fireNext();
  t.same(seen, [], 'it lives');
  timers.fireNext();
  t.same(seen, ['exit exit code 1 for good']);
});

void t.test('ending waits for the thread, but not for long', async t => {
  const { thread, timers, latest, begin, seen } = create();
  await begin();
  let ended = false;
  const end = thread.end().then(() => (ended = true));
  await settled();
  t.match(latest().posted, [{ kind: 'end' }]);
  t.notOk(ended);
  timers.fireNext();
  await end;
  t.same(seen, ['exit exit code 1 for good']);
});

void t.test('a worker that waits to be started again is not, once it must not be', async t => {
  const { thread, timers, threads, latest, begin } = create();
  await begin();
  latest().emit('exit', 1);
  await thread.stopRestarting();
  t.equal(timers.pending, 0);
  await thread.end();
  t.equal(threads.length, 1);
});

void t.test('a worker that has not moved for 30 seconds is ended and started again', async t => {
  const { thread, threads, timers, begin, seen } = create();
  await begin();
  for (let i = 0; i < 59; i++) thread.checkBeat(500);
  t.same(seen, ['stalled 2000'], 'not before');
  t.equal(threads.length, 1);
  thread.checkBeat(500);
  t.same(seen, ['stalled 2000', 'exit it had not moved for 30 s and was ended 100']);
  await settled();
  timers.fireNext();
  threads[1]?.says({ kind: 'ready' });
  for (let i = 0; i < 3; i++) thread.checkBeat(500);
  t.equal(thread.state, 'running', 'the new one has its own time');
});

void t.test('one beat is enough, and without a limit nothing is ended', async t => {
  const { thread, begin, world, seen } = create();
  await begin();
  for (let i = 0; i < 59; i++) thread.checkBeat(500);
  world.beats += 1;
  for (let i = 0; i < 60; i++) thread.checkBeat(500);
  t.same(seen, ['stalled 2000', 'resumed', 'stalled 2000']);
  const unlimited = create(undefined, { ...WORKER_TIMES, endedAfterMs: Infinity });
  await unlimited.begin();
  for (let i = 0; i < 10_000; i++) unlimited.thread.checkBeat(500);
  t.same(unlimited.seen, ['stalled 2000']);
});

void t.test('one that does not come back from a restart is ended and started again, too', async t => {
  const { thread, threads, timers, latest, begin, seen } = create();
  await begin();
  latest().emit('exit', 1);
  timers.fireNext();
  for (let i = 0; i < 60; i++) thread.checkBeat(500);
  t.same(seen, ['exit exit code 1 100', 'exit it had not started after 30 s and was ended 200']);
  await settled();
  timers.fireNext();
  t.equal(threads.length, 3);
});

void t.test(
  'a thread that cannot be ended is left behind after a second; what it says then is not heard',
  async t => {
    const { thread, threads, timers, latest, begin, seen } = create(() => new StuckThread());
    await begin();
    const answered = thread.ask({ what: 'whenEmpty' });
    for (let i = 0; i < 60; i++) thread.checkBeat(500);
    t.same(seen, ['stalled 2000'], 'it has a second to end');
    timers.fireNext();
    await answered;
    t.match(
      seen[1],
      /^exit it had not moved for 30 s and was ended; its thread blocks in a system call.* 100$/,
    );
    const stuck = latest();
    timers.fireNext();
    t.equal(threads.length, 2, 'another one takes its place');
    stuck.says({ kind: 'ready' });
    stuck.emit('exit', 1);
    t.equal(seen.length, 2);
    t.equal(thread.state, 'starting');
    latest().says({ kind: 'ready' });
    t.same(seen.slice(2), ['restarted']);
    t.equal(thread.state, 'running');
  },
);

void t.test('ending does not wait for a thread that cannot be ended', async t => {
  const { thread, timers, begin, seen } = create(() => new StuckThread());
  await begin();
  const end = thread.end();
  await settled();
  timers.fireNext();
  timers.fireNext();
  await end;
  t.match(seen, [/for good$/]);
});

void t.test('a restart for which the system has no thread is tried again', async t => {
  let threadsLeft = 1;
  const { thread, timers, latest, begin, seen } = create(() => {
    if (threadsLeft-- > 0) return new FakeThread();
    throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
  });
  await begin();
  latest().emit('exit', 1);
  timers.fireNext();
  timers.fireNext();
  threadsLeft = 1;
  timers.fireNext();
  latest().says({ kind: 'ready' });
  t.same(seen, [
    'exit exit code 1 100',
    'exit the system gives it no thread: EAGAIN 200',
    'exit the system gives it no thread: EAGAIN 400',
    'restarted',
  ]);
  await thread.stopRestarting();
});
