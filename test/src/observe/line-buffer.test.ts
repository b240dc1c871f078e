import t from 'tap';
import { LineBuffer, type Loss } from '../../../src/observe/line-buffer.ts';
import type { Output, Written } from '../../../src/observe/output.ts';

const ALL: Written = { taken: Infinity };
const STOPPED: Written = { taken: 0, code: 'EAGAIN' };
const FULL: Written = { taken: 0, code: 'ENOSPC' };
/** A kilobyte each, with a number in front. */
const line = (n: number): string => `${String(n).padStart(8, '0')}${'x'.repeat(1015)}\n`;

interface Timer {
  readonly callback: () => void;
  readonly delayMs: number;
}

function create({ isAsync = false, isFile = false } = {}) {
  const state = { answer: ALL, text: '', nowMs: 0 };
  const losses: Loss[] = [];
  const sparing: boolean[] = [];
  const timers = new Set<Timer>();
  const waiting: (() => void)[] = [];
  const take = (bytes: Buffer): Written => {
    const { answer } = state;
    const taken = Math.min(answer.taken, bytes.length);
    state.text += bytes.toString('utf8', 0, taken);
    return answer.code === undefined ? { taken } : { ...answer, taken };
  };
  const output: Output = {
    isFile,
    write: (bytes, done) => {
      if (isAsync) waiting.push(() => done(take(bytes)));
      else done(take(bytes));
    },
    writeNow: bytes => void take(bytes),
    endProcess: () => undefined,
  };
  const buffer = new LineBuffer(output, {
    now: () => state.nowMs,
    setTimer: (callback, delayMs) => {
      const timer = { callback, delayMs };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    lossLine: loss => {
      losses.push(loss);
      return `lost ${loss.lines}\n`;
    },
    onSparing: isSparing => sparing.push(isSparing),
  });
  return {
    ...{ buffer, state, losses, sparing, timers, waiting },
    lines: () => state.text.split('\n').slice(0, -1),
    /** Runs the timer that is due first; resolves when its consequences are over. */
    fire: async () => {
      const [first] = [...timers].sort((a, b) => a.delayMs - b.delayMs);
      if (first === undefined) throw new Error('no timer is set');
      timers.delete(first);
      first.callback();
      await Promise.resolve();
    },
  };
}

void t.test('lines of one turn go out together, and nothing waits', async t => {
  const { buffer, state, timers, waiting } = create({ isAsync: true });
  buffer.write('a\n');
  buffer.write('b\n');
  await Promise.resolve();
  t.equal(waiting.length, 1);
  waiting.pop()?.();
  t.equal(state.text, 'a\nb\n');
  t.equal(timers.size, 0);
});

void t.test('one write is under way at a time, and what comes meanwhile follows in order', async t => {
  const { buffer, state, waiting } = create({ isAsync: true });
  buffer.write('a\n');
  await Promise.resolve();
  buffer.write('b\n');
  await Promise.resolve();
  t.equal(waiting.length, 1);
  waiting.pop()?.();
  t.equal(waiting.length, 1);
  waiting.pop()?.();
  t.equal(state.text, 'a\nb\n');
});

void t.test('a line of which a part was taken is finished before anything else is written', async t => {
  const { buffer, state, fire } = create();
  state.answer = { taken: 3, code: 'ENOSPC' };
  buffer.write('first\n');
  await Promise.resolve();
  buffer.write('second\n');
  state.answer = ALL;
  await fire();
  t.equal(state.text, 'first\nsecond\n');
});

void t.test('a reader that stands still is tried again, at growing distances up to 100 ms', async t => {
  const { buffer, state, timers, fire } = create();
  state.answer = STOPPED;
  buffer.write('a\n');
  await Promise.resolve();
  const delays: number[] = [];
  for (let i = 0; i < 9; i++) {
    delays.push([...timers][0]?.delayMs ?? 0);
    await fire();
  }
  t.same(delays, [1, 2, 4, 8, 16, 32, 64, 100, 100]);
  state.answer = ALL;
  await fire();
  t.equal(state.text, 'a\n');
  state.answer = STOPPED;
  buffer.write('b\n');
  await Promise.resolve();
  t.equal([...timers][0]?.delayMs, 1, 'and soon again once it has taken something');
});

void t.test('what is broken is tried again every second', async t => {
  const { buffer, state, timers, fire } = create();
  state.answer = FULL;
  buffer.write('a\n');
  await Promise.resolve();
  for (let i = 0; i < 3; i++) {
    t.equal([...timers][0]?.delayMs, 1_000);
    await fire();
  }
});

void t.test(
  'lines that do not fit are lost, and one line says how many once all others are written',
  async t => {
    const { buffer, state, losses, fire, lines } = create();
    state.answer = FULL;
    buffer.write(line(0));
    await Promise.resolve();
    for (let n = 1; n < 3_000; n++) buffer.write(line(n));
    state.nowMs = 12_345;
    state.answer = ALL;
    await fire();
    t.equal(lines().length, 1_024, 'a megabyte was kept');
    buffer.write(line(3_000));
    t.same(losses, [], 'what is lost at the end may not be known yet');
    await fire();
    t.same(losses, [{ lines: 3_001 - 1_024, forMs: 12_345, code: 'ENOSPC' }]);
    buffer.write('and on\n');
    await Promise.resolve();
    t.same(lines().slice(-2), [`lost ${3_001 - 1_024}`, 'and on']);
    t.same(
      lines()
        .slice(0, -2)
        .map(each => Number(each.slice(0, 8))),
      Array.from({ length: 1_024 }, (_, n) => n),
      'whole and in order',
    );
  },
);

void t.test('10,000 lines of one turn are kept until the output can be given them', async t => {
  for (const isAsync of [false, true]) {
    const { buffer, state, waiting } = create({ isAsync });
    const text = Array.from({ length: 10_000 }, (_, n) => `${n}${'x'.repeat(300)}\n`);
    for (const each of text) buffer.write(each);
    await Promise.resolve();
    while (waiting.length > 0) waiting.shift()?.();
    t.equal(buffer.lostEver, 0);
    t.ok(state.text === text.join(''));
  }
});

void t.test('a loss has its true reason: the reader, or more lines at once than are kept', async t => {
  const lossOf = async (isFile: boolean, isAsync: boolean, answer: Written, first: number) => {
    const { buffer, state } = create({ isAsync, isFile });
    state.answer = answer;
    for (let n = 0; n < first; n++) buffer.write(line(n));
    await Promise.resolve();
    for (let n = first; n < 5_000; n++) buffer.write(line(n));
    return buffer.untold?.code;
  };
  t.equal(await lossOf(false, false, STOPPED, 1), 'EAGAIN', 'a pipe that is full');
  t.equal(await lossOf(false, true, ALL, 1), 'EAGAIN', 'a socket whose reader does not take the first line');
  t.equal(await lossOf(true, true, ALL, 1), 'ENOBUFS', 'a file, while the disk writes');
  t.equal(await lossOf(false, false, ALL, 5_000), 'ENOBUFS', 'all within one turn');
});

void t.test('lines that can be spared are lost first: the others have the last quarter', async t => {
  const { buffer, state, sparing, fire, lines } = create();
  state.answer = STOPPED;
  for (let n = 0; n < 2_000; n++) buffer.write(line(n), true);
  t.same(sparing, [true]);
  t.ok(buffer.isLosing(true));
  t.notOk(buffer.isLosing());
  buffer.write('important\n');
  await Promise.resolve();
  state.answer = ALL;
  await fire();
  t.same(
    sparing,
    [true, false],
    'they are made again before the loss is told, so that none is missing twice',
  );
  t.equal(lines().length, 769);
  t.equal(lines().at(-1), 'important');
});

void t.test('what nobody has made is counted as well', async t => {
  const { buffer, losses, fire } = create();
  buffer.lose(true, 5, 'EBUSY');
  buffer.lose(true, 7);
  await Promise.resolve();
  await fire();
  t.same(losses, [{ lines: 12, forMs: 0, code: 'EBUSY' }]);
});

void t.test('at the end everything is written that can be, with what is missing', async t => {
  const { buffer, state, losses, timers } = create();
  state.answer = STOPPED;
  for (let n = 0; n < 5_000; n++) buffer.write(line(n));
  await Promise.resolve();
  state.answer = ALL;
  t.ok(await buffer.end(1_000));
  t.equal(losses.length, 1);
  t.equal(timers.size, 0, 'nothing keeps the process alive');
});

void t.test('at the end a reader that stands still is given up after the time', async t => {
  const { buffer, state, timers } = create();
  state.answer = STOPPED;
  buffer.write('a\n');
  await Promise.resolve();
  const ended = buffer.end(1_000);
  for (const timer of timers) if (timer.delayMs === 1_000) timer.callback();
  t.notOk(await ended);
  t.notOk(
    [...timers].some(({ delayMs }) => delayMs < 1_000),
    'and is not tried again',
  );
});

void t.test('at the end nobody waits for a full disk', async t => {
  const { buffer, state, timers } = create();
  state.answer = FULL;
  buffer.write('a\n');
  await Promise.resolve();
  t.notOk(await buffer.end(1_000));
  t.equal(timers.size, 0);
});

void t.test('a process that ends at once writes what the system takes', async t => {
  const { buffer, state } = create();
  buffer.write('a\n');
  buffer.flushNow();
  t.equal(state.text, 'a\n');
  await Promise.resolve();
  t.equal(state.text, 'a\n', 'and nothing twice');
});

void t.test('what is kept when it closes is lost, and what no line reports can be asked for', async t => {
  const { buffer, state, losses } = create();
  state.answer = { taken: 3, code: 'ENOSPC' };
  for (let n = 0; n < 4_102; n++) buffer.write(line(n));
  await Promise.resolve();
  t.notOk(await buffer.end(1_000));
  t.equal(buffer.lostEver, 6, 'what found no room');
  buffer.close();
  t.equal(buffer.lostEver, 4_102, 'a line of which a part was written is one of them');
  t.match(buffer.untold, { lines: 4_102, code: 'ENOSPC' });
  t.same(losses, []);
  buffer.close();
  buffer.write('late\n');
  t.equal(
    buffer.lostEver,
    4_103,
    'a line that comes later is lost as well, and those before are counted once',
  );
});

void t.test('nothing is untold when all lines are written, or a line says how many are lost', async t => {
  const { buffer, state, fire } = create();
  state.answer = STOPPED;
  for (let n = 0; n < 4_102; n++) buffer.write(line(n));
  await Promise.resolve();
  state.answer = ALL;
  await fire();
  await fire();
  t.ok(await buffer.end(1_000));
  buffer.close();
  t.equal(buffer.lostEver, 6);
  t.equal(buffer.untold, undefined);
});

void t.test('a line that reports a loss and is lost itself leaves the loss untold', async t => {
  const { buffer, state, fire } = create();
  state.answer = FULL;
  for (let n = 0; n < 4_102; n++) buffer.write(line(n));
  await Promise.resolve();
  state.answer = ALL;
  await fire();
  state.answer = FULL;
  await fire();
  buffer.write('after it\n');
  t.notOk(await buffer.end(1_000));
  buffer.close();
  t.equal(buffer.lostEver, 7, 'it is none of the lines that were to be written');
  t.match(buffer.untold, { lines: 7 });
});

void t.test('a process that ends at once writes how many lines are lost', async t => {
  const { buffer, state, lines } = create();
  state.answer = STOPPED;
  for (let n = 0; n < 4_102; n++) buffer.write(line(n));
  await Promise.resolve();
  state.answer = ALL;
  buffer.flushNow();
  t.equal(lines().length, 4_097);
  t.equal(lines().at(-1), 'lost 6');
});
