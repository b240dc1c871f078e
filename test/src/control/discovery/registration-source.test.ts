import t from 'tap';
import type { BackendConfig } from '../../../../src/config/schema/schema.ts';
import { parseBackend } from '../../../../src/config/source/parse.ts';
import { RegistrationSource } from '../../../../src/control/discovery/registration-source.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

const backend = (text: string): BackendConfig => {
  const parsed = parseBackend(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.backend;
};
const ONE = backend('10.0.0.1:80');
const TWO = backend('10.0.0.2:80');

async function start(max = 10) {
  const clock = new FakeClock(1_000);
  const source = new RegistrationSource({ ttl: 60_000, max }, clock);
  const reports: string[] = [];
  source.start({
    found: named =>
      reports.push(
        named.map(each => `${each.id.slice(7, 8)}${each.drains === true ? ' drains' : ''}`).join(),
      ),
    failed: reason => t.fail(reason),
  });
  t.same(reports, [], 'nothing is reported before it has started');
  await Promise.resolve();
  return { clock, source, reports };
}

void t.test('without a heartbeat a backend drains after its time, and goes after twice its time', async t => {
  const { clock, source, reports } = await start();
  t.equal(source.register(ONE, 10_000), 'new');
  t.equal(source.register(TWO, 15_000), 'new');
  clock.advance(9_999);
  t.equal(source.register(TWO, 15_000), 'known');
  t.same(reports, ['', '1', '1,2'], 'a heartbeat is no news');
  clock.advance(1);
  t.equal(reports.at(-1), '1 drains,2');
  clock.advance(10_000);
  t.equal(reports.at(-1), '2');
  clock.advance(30_000);
  t.equal(reports.at(-1), '');
  t.equal(clock.pending, 0);
});

void t.test('a late heartbeat brings a backend back', async t => {
  const { clock, source, reports } = await start();
  source.register(ONE, 10_000);
  clock.advance(15_000);
  t.equal(reports.at(-1), '1 drains');
  t.equal(source.register(ONE, 10_000), 'known');
  t.equal(reports.at(-1), '1');
  clock.advance(9_999);
  t.equal(reports.at(-1), '1');
});

void t.test('a heartbeat may change weight and limit', async t => {
  const { source, reports } = await start();
  source.register(ONE, 10_000);
  source.register({ ...ONE, weight: 5 }, 10_000);
  t.equal(reports.length, 3);
});

void t.test('one that leaves is gone at once, and forgotten', async t => {
  const { source, reports } = await start();
  source.register(ONE, 10_000);
  t.ok(source.unregister(ONE.id));
  t.notOk(source.unregister(ONE.id));
  t.equal(reports.at(-1), '');
  t.notOk(source.has(ONE.id));
});

void t.test('a million names find no more places than there are', async t => {
  const { clock, source } = await start(100);
  const outcomes = { new: 0, known: 0, full: 0 };
  for (let i = 0; i < 1_000_000; i++) outcomes[source.register({ ...ONE, id: `h${i}:80` }, 10_000)]++;
  t.same(outcomes, { new: 100, known: 0, full: 999_900 });
  t.equal(source.register({ ...ONE, id: 'h0:80' }, 10_000), 'known', 'those that have one keep it');
  clock.advance(20_000);
  t.equal(source.register(TWO, 10_000), 'new', 'places are free when heartbeats have stayed away');
});

void t.test('nothing runs on after a stop', async t => {
  const { clock, source, reports } = await start();
  source.register(ONE, 10_000);
  source.stop();
  source.register(TWO, 10_000);
  clock.advance(60_000);
  t.equal(reports.length, 2);
  t.equal(clock.pending, 0);
});
