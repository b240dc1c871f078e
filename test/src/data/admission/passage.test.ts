/** What gates hold for a client is given back exactly once, and each refusal is counted once. */
import t from 'tap';
import type { Gate } from '../../../../src/data/admission/gate.ts';
import { dryRun } from '../../../../src/data/admission/gates.ts';
import { Passage } from '../../../../src/data/admission/passage.ts';

const FACTS = { clientAddress: '192.0.2.1', clientPort: 50_000, upstream: 'app' };
const refuses: Gate<string> = () => ({ kind: 'refuse', reason: 'noProxyHeader' });
const waits: Gate<string> = (_facts, { bytes }) =>
  bytes.length < 2 ? { kind: 'more', bytes: 2 } : { kind: 'pass' };

function pass(...gates: readonly Gate<string>[]) {
  const seen: string[] = [];
  const holds =
    (name: string): Gate<string> =>
    () => ({ kind: 'pass', leave: isUndone => seen.push(`${isUndone ? 'undid' : 'left'} ${name}`) });
  const passage = new Passage([holds('a'), holds('b'), ...gates], FACTS, {
    count: (reason, client, isDryRun) => seen.push(`${reason} ${client} ${isDryRun}`),
  });
  return { passage, seen };
}

void t.test('what gates hold is given back once, however often the client leaves', t => {
  const { passage, seen } = pass();
  t.equal(passage.askAtOnce(), undefined);
  t.equal(passage.isThrough, true);
  passage.leave();
  passage.leave();
  t.same(seen, ['left a', 'left b']);
  t.end();
});

void t.test('a client that finds no place costs the gates that it has passed nothing', t => {
  const { passage, seen } = pass(waits);
  t.match(passage.askAtOnce(), { kind: 'more' });
  passage.undo();
  passage.leave();
  t.same(seen, ['undid a', 'undid b']);
  t.end();
});

void t.test('a refusal costs earlier gates what they had before a gate waited, and no more', t => {
  const { passage, seen } = pass(
    waits,
    () => ({ kind: 'pass', leave: isUndone => seen.push(`${isUndone ? 'undid' : 'left'} c`) }),
    refuses,
  );
  t.match(passage.askAtOnce(), { kind: 'more' });
  t.match(passage.ask({ bytes: Buffer.from('ab'), isAll: false }), { kind: 'pass' });
  t.match(passage.askAtOnce(), { kind: 'refuse' });
  t.same(seen, ['left a', 'left b', 'undid c', 'noProxyHeader 192.0.2.1 false']);
  t.end();
});

void t.test('a refusal gives back what earlier gates hold, and is counted', t => {
  const { passage, seen } = pass(refuses);
  t.match(passage.askAtOnce(), { kind: 'refuse', reason: 'noProxyHeader' });
  passage.leave();
  t.same(seen, ['undid a', 'undid b', 'noProxyHeader 192.0.2.1 false']);
  t.equal(passage.isThrough, false);
  t.end();
});

void t.test('a gate that wants bytes is asked again, and those before it are not', t => {
  const { passage, seen } = pass(waits, facts => ({ kind: 'pass', facts: { ...facts, upstream: 'b' } }));
  t.match(passage.askAtOnce(), { kind: 'more', bytes: 2 });
  t.equal(passage.isThrough, false);
  t.match(passage.ask({ bytes: Buffer.from('ab'), isAll: false }), { kind: 'pass' });
  t.equal(passage.askAtOnce(), undefined);
  t.equal(passage.facts.upstream, 'b');
  passage.leave();
  t.same(seen, ['left a', 'left b']);
  t.end();
});

void t.test('a client that is too late is counted as its gate says, or not at all', t => {
  const late: Gate<string> = () => ({ kind: 'more', bytes: 2, late: 'noProxyHeader' });
  for (const [gate, seen] of [
    [late, ['noProxyHeader 192.0.2.1 false']],
    [waits, []],
  ] as const) {
    const passed = pass(gate);
    passed.passage.askAtOnce();
    passed.passage.late();
    t.same(passed.seen, seen);
  }
  t.end();
});

void t.test('a dry run lets a client in and counts the first gate that would have refused it', t => {
  const { passage, seen } = pass(dryRun(refuses), dryRun(refuses), dryRun(waits));
  t.match(passage.askAtOnce(), { kind: 'more' }, 'another answer is passed on');
  t.same(seen, ['noProxyHeader 192.0.2.1 true']);
  t.end();
});
