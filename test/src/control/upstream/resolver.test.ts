import t from 'tap';
import { NameError, type Found } from '../../../../src/names/names.ts';
import { Resolver } from '../../../../src/control/upstream/resolver.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';

function failure(code: string): Error {
  return new NameError('db.internal', code);
}

/** A resolver that answers each lookup from `answers`, the last one for ever. */
function create(answers: (readonly string[] | Found | Error)[]) {
  const timers = new FakeTimers();
  const resolved: (readonly string[])[] = [];
  const unresolved: string[] = [];
  let lookups = 0;
  const resolver = new Resolver('db.internal', {
    setTimer: timers.setTimer,
    lookup: async () => {
      const answer = answers[Math.min(lookups++, answers.length - 1)] ?? [];
      if (answer instanceof Error) throw answer;
      return 'addresses' in answer ? answer : { addresses: answer };
    },
    onResolved: hosts => resolved.push(hosts),
    onUnresolved: reason => unresolved.push(reason),
  });
  const again = async () => {
    timers.fireNext();
    await new Promise(resolve => setImmediate(resolve));
  };
  return { resolver, resolved, unresolved, delays: timers.delays, timers, again };
}

void t.test('all addresses are taken, and looked up again every 10 s', async t => {
  const { resolver, resolved, delays } = create([['192.0.2.1', '192.0.2.2']]);
  await resolver.start();
  t.same(resolved, [['192.0.2.1', '192.0.2.2']]);
  t.same(delays, [10_000]);
});

void t.test(
  'an address keeps its place as long as the name has it; only what comes or goes is told',
  async t => {
    const { resolver, resolved, again } = create([
      ['192.0.2.1', '192.0.2.2'],
      ['192.0.2.2', '192.0.2.1'],
      ['192.0.2.9', '192.0.2.2', '192.0.2.1'],
      ['192.0.2.9', '192.0.2.2'],
    ]);
    await resolver.start();
    await again();
    t.same(resolved, [['192.0.2.1', '192.0.2.2']]);
    await again();
    await again();
    t.same(resolved.slice(1), [
      ['192.0.2.1', '192.0.2.2', '192.0.2.9'],
      ['192.0.2.2', '192.0.2.9'],
    ]);
  },
);

void t.test('a name that cannot be resolved is told once and tried again, less and less often', async t => {
  const { resolver, resolved, unresolved, delays, again } = create([
    ...Array.from({ length: 6 }, () => failure('ENOTFOUND')),
    ['192.0.2.1'],
  ]);
  await resolver.start();
  for (let i = 0; i < 6; i++) await again();
  t.same(unresolved, ['name db.internal cannot be resolved (ENOTFOUND, there is no such name)']);
  t.same(delays, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  t.same(resolved, [['192.0.2.1']]);
});

void t.test('the last good addresses are kept while the name server fails', async t => {
  const { resolver, resolved, unresolved, again } = create([
    ['192.0.2.1'],
    failure('ETIMEOUT'),
    ['192.0.2.1'],
  ]);
  await resolver.start();
  await again();
  await again();
  t.same(unresolved, []);
  t.same(resolved, [['192.0.2.1']]);
});

void t.test('addresses of a family that the name servers say nothing of stay as they were', async t => {
  const { resolver, resolved, again } = create([
    ['fd00::1', '192.0.2.1'],
    { addresses: ['192.0.2.2'], unknown: 6 },
    { addresses: ['192.0.2.2'], unknown: undefined },
  ]);
  await resolver.start();
  await again();
  await again();
  t.same(resolved, [['fd00::1', '192.0.2.1'], ['fd00::1', '192.0.2.2'], ['192.0.2.2']]);
});

void t.test('an address that does not do becomes the last one, round and round', async t => {
  const { resolver, resolved, again } = create([
    ['192.0.2.1', '192.0.2.2'],
    ['192.0.2.1', '192.0.2.2'],
    ['192.0.2.1'],
  ]);
  await resolver.start();
  resolver.tryNext();
  t.same(resolved.at(-1), ['192.0.2.2', '192.0.2.1']);
  await again();
  t.equal(resolved.length, 2, 'and stays there as long as the other one does');
  resolver.tryNext();
  t.same(resolved.at(-1), ['192.0.2.1', '192.0.2.2']);
  await again();
  t.same(resolved.at(-1), ['192.0.2.1']);
  resolver.tryNext();
  t.equal(resolved.length, 4, 'a name with one address has no other');
});

void t.test('a stopped resolver says nothing more', async t => {
  const { resolver, resolved, delays } = create([['192.0.2.1']]);
  const started = resolver.start();
  resolver.stop();
  await started;
  t.same(resolved, []);
  t.same(delays, []);
});
