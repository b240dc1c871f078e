/** One client's way through the gates. */
import t from 'tap';
import { Admission, LIMIT_BYTES } from '../../../../src/data/admission/admission.ts';
import { enterAll, type Gate, type Place, type Verdict } from '../../../../src/data/admission/gate.ts';
import type { Termination } from '../../../../src/model/termination.ts';
import { Passage } from '../../../../src/data/admission/passage.ts';
import { FakeConnection } from '../../../harness/fake-engine.ts';
import { Deadlines } from '../../../../src/support/deadlines.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';

const PASS: Verdict<string> = { kind: 'pass' };

/** Reads a line, takes it, and sends the client where it says. */
const byLine: Gate<string> = (facts, { bytes, isAll }) => {
  const end = Buffer.from(bytes).indexOf('\n');
  if (end >= 0) {
    const upstream = Buffer.from(bytes).toString('utf8', 0, end);
    return { kind: 'pass', facts: { ...facts, upstream }, take: end + 1 };
  }
  return isAll ? { kind: 'refuse', reason: 'badProxyHeader' } : { kind: 'more', bytes: 100 };
};

async function start(...gates: readonly Gate<string>[]) {
  const client = new FakeConnection('192.0.2.1');
  const timers = new FakeTimers();
  let nowMs = 0;
  const now = (): number => nowMs;
  const deadlines = new Deadlines(now, timers.setTimer);
  /** Longer than any gate waits. */
  const wait = (): void => {
    nowMs += 60_000;
    timers.fireAll();
  };
  const ends: unknown[] = [];
  const counted: string[] = [];
  const facts = { clientAddress: client.peerAddress, clientPort: client.peerPort, upstream: 'app' };
  const passage = new Passage(gates, facts, { count: reason => void counted.push(reason) });
  const admission = new Admission(
    client,
    passage,
    { deadlines, now },
    {
      onAdmitted: admitted => ends.push(admitted.upstream),
      onRefused: (termination: Termination) => ends.push(termination),
    },
  );
  admission.start();
  await Promise.resolve();
  return { client, timers, wait, ends, counted, admission };
}

void t.test('gates that need no bytes are passed in order, and read nothing', async t => {
  const seen: string[] = [];
  const { client, ends, admission } = await start(
    facts => {
      seen.push(facts.upstream);
      return { kind: 'pass', facts: { ...facts, upstream: 'other' } };
    },
    facts => {
      seen.push(facts.upstream);
      return PASS;
    },
  );
  t.same(ends, ['other']);
  t.same(seen, ['app', 'other']);
  t.same(
    client.calls.filter(call => call.startsWith('peek')),
    [],
  );
  t.equal(admission.timeoutMs, 0, 'no time is counted');
});

void t.test('a client that is too late is counted once, as its gate says', async t => {
  const late: Gate<string> = (_, { bytes }) =>
    bytes.length < 3 ? { kind: 'more', bytes: 3, late: 'noProxyHeader' } : PASS;
  const { client, wait, ends, counted } = await start(late, () => ({ kind: 'more', bytes: 9 }));
  client.show('ab');
  wait();
  t.match(ends, [{ by: 'balancer', phase: 'admission', reason: 'timeout' }]);
  t.same(counted, ['noProxyHeader']);
  const other = await start(late, (_, { bytes }) => (bytes.length > 8 ? PASS : { kind: 'more', bytes: 9 }));
  other.client.show('abc');
  other.wait();
  t.match(other.ends, [{ reason: 'timeout' }]);
  t.same(other.counted, [], 'the later gate does not count');
});

void t.test(
  'a gate gets its bytes as they come, one by one, and what it takes is gone for the next',
  async t => {
    const { client, ends } = await start(byLine, byLine);
    client.show('o');
    client.show('on');
    client.show('one\n');
    t.same(client.calls, ['peek:100', 'take:4', 'peek:100'], 'one look is enough for all pieces');
    client.show('');
    client.show('two\nrest');
    t.same(ends, ['two']);
    t.equal(client.calls.at(-1), 'unwatch', 'what is left is the relay’s');
  },
);

void t.test('a gate that needs more than it thought is shown more', async t => {
  const asked: number[] = [];
  const { client, ends } = await start((_facts, { bytes }) => {
    asked.push(bytes.length);
    return bytes.length < 5
      ? { kind: 'more', bytes: 5 }
      : bytes.length < 9
        ? { kind: 'more', bytes: 9 }
        : PASS;
  });
  client.show('12345', 'full');
  client.show('12345');
  client.show('123456789', 'full');
  t.same(asked, [0, 5, 9]);
  t.same(ends, ['app']);
});

void t.test(
  'who has finished sending is judged by what there is; who sends too little is refused',
  async t => {
    const ended = await start(byLine);
    ended.client.show('one', 'end');
    t.same(ended.ends, [{ by: 'balancer', phase: 'admission', reason: 'badProxyHeader' }]);
    const never: Gate<string> = () => ({ kind: 'more', bytes: 10 });
    const greedy = await start(never);
    greedy.client.show('one', 'end');
    t.same(greedy.ends, [{ by: 'client', phase: 'admission', reason: 'closed' }]);
    const reset = await start(byLine);
    reset.client.show('on', 'reset');
    t.same(reset.ends, [{ by: 'client', phase: 'admission', reason: 'reset' }]);
  },
);

void t.test('it is bounded in bytes and in time', async t => {
  const endless = await start((_facts, { isAll }) =>
    isAll ? { kind: 'refuse', reason: 'noProxyHeader' } : { kind: 'more', bytes: 1e9 },
  );
  t.same(endless.client.calls, [`peek:${LIMIT_BYTES}`]);
  endless.client.show(Buffer.alloc(LIMIT_BYTES), 'full');
  t.match(endless.ends, [{ reason: 'noProxyHeader' }]);
  const silent = await start(() => ({ kind: 'more', bytes: 1 }));
  silent.wait();
  t.same(silent.ends, [{ by: 'balancer', phase: 'admission', reason: 'timeout' }]);
  silent.client.show('one\n');
  t.equal(silent.ends.length, 1, 'and nothing follows');
});

void t.test(
  'when the time is over a gate decides by what there is, and the next one has a time of its own',
  async t => {
    const late: Gate<string> = (_facts, { isAll }) => (isAll ? PASS : { kind: 'more', bytes: 9 });
    const { client, wait, ends } = await start(late);
    client.show('one');
    wait();
    t.same(ends, ['app']);
    const shown: unknown[] = [];
    const two = await start(late, (_facts, { bytes, isAll }) => {
      shown.push([bytes.length, isAll]);
      return { kind: 'more', bytes: 9, withinMs: 70 };
    });
    two.client.show('one');
    two.wait();
    t.same(two.ends, []);
    t.same(two.timers.delays, [5_000, 70]);
    two.client.show('ones');
    two.wait();
    t.same(two.ends, [{ by: 'balancer', phase: 'admission', reason: 'timeout' }]);
    t.same(shown, [
      [3, false],
      [4, false],
      [4, true],
    ]);
    const hurried = await start(late, late, () => ({ kind: 'more', bytes: 9 }));
    hurried.admission.hurry();
    t.same(
      hurried.ends,
      [{ by: 'balancer', phase: 'admission', reason: 'timeout' }],
      'unless it is hurried, because others wait for its place',
    );
    const ended = await start(late, late);
    ended.client.show('one', 'end');
    t.same(ended.ends, ['app'], 'but an end is one for all gates');
  },
);

void t.test('after a cancel nothing is said, and no timer is left', async t => {
  const { client, admission, ends } = await start(byLine);
  admission.giveUp();
  client.show('one\n');
  t.same(ends, []);
  t.equal(admission.timeoutMs, 0, 'no time is counted');
});

void t.test('a client that finds one of several places taken has none', async t => {
  const place = (free: number): Place & { taken: number } => ({
    taken: 0,
    get isFull() {
      return false;
    },
    enter() {
      if (this.taken >= free) return false;
      this.taken += 1;
      return true;
    },
    enterAnyway() {
      this.taken += 1;
    },
    leave() {
      this.taken -= 1;
    },
  });
  const places = [place(2), place(1), place(2)];
  t.ok(enterAll(places));
  t.notOk(enterAll(places));
  t.same(
    places.map(({ taken }) => taken),
    [1, 1, 1],
  );
});
