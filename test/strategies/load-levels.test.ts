import t from 'tap';
import { LoadLevels } from '../../strategies/load-levels.ts';
import type { Place } from '../../strategies/load-levels.ts';
import { seeded } from './fakes.ts';

function places(count: number): Place<number>[] {
  return Array.from({ length: count }, (_, value) => ({ value, level: undefined, index: 0 }));
}

await t.test('has no lowest level while it is empty', t => {
  t.equal(new LoadLevels<number>(3).lowest(), undefined);
  t.end();
});

await t.test('the lowest level holds exactly the entries with the least load: 20,000 random moves', t => {
  const random = seeded(1);
  const all = places(12);
  const loads = all.map(() => 0);
  const levels = new LoadLevels<number>(all.length);
  for (const place of all) levels.move(place, 0);
  for (let i = 0; i < 20_000; i += 1) {
    const place = all[Math.floor(random() * all.length)]!;
    const load = Math.floor(random() * 30) / (1 + Math.floor(random() * 5));
    loads[place.value] = load;
    levels.move(place, load);
    const least = Math.min(...loads);
    const expected = all.filter(({ value }) => loads[value] === least).map(({ value }) => value);
    const bag = levels.lowest()!.bag.map(({ value }) => value);
    if (bag.sort((a, b) => a - b).join() !== expected.join()) t.fail('another level');
  }
  t.end();
});

await t.test('levels left behind never number more than twice the entries and 64', t => {
  const all = places(3);
  const levels = new LoadLevels<number>(all.length);
  for (const place of all) levels.move(place, 0);
  let most = 0;
  for (let load = 1; load <= 10_000; load += 1) {
    levels.move(all[load % 2]!, load);
    most = Math.max(most, levels.size);
  }
  t.equal(most, 2 * 3 + 64);
  t.strictSame(
    levels.lowest()?.bag.map(({ value }) => value),
    [2],
  );
  levels.move(all[2]!, 20_000);
  t.equal(levels.lowest()?.load, 9_999);
  t.end();
});

await t.test('a level that was set aside comes back', t => {
  const [a, b] = places(2);
  const levels = new LoadLevels<number>(2);
  levels.move(a!, 1);
  levels.move(b!, 2);
  const lowest = levels.lowest()!;
  levels.takeLowest();
  t.equal(levels.lowest()?.load, 2);
  levels.putBack(lowest);
  t.equal(levels.lowest()?.load, 1);
  t.end();
});
