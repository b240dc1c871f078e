import { readFileSync } from 'node:fs';
import t from 'tap';
import { STRATEGY_NAMES } from '../../strategies/index.ts';

/** A file of the repository, seen from dist/test/strategies/. */
const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const guide = read('docs/strategies.md');
const readme = read('strategies/README.md');

/** The names in the rows of a document's tables, and how many tables have them. */
function rows(text: string, row: RegExp): Map<string, number> {
  const names = new Map<string, number>();
  for (const [, name = ''] of text.matchAll(row)) names.set(name, (names.get(name) ?? 0) + 1);
  return names;
}

await t.test('every table of the documents has each strategy, and no other', t => {
  const sorted = [...STRATEGY_NAMES].sort();
  const namesOf = (map: Map<string, number>): string[] => [...map.keys()].sort();
  const inGuide = rows(guide, /^\| `(\w+)` \|/gm);
  t.strictSame(namesOf(inGuide), sorted);
  t.ok([...inGuide.values()].every(count => count === 2));
  t.strictSame(namesOf(rows(readme, /^\| `[\w-]+\.ts` \| `(\w+)` \|/gm)), sorted);
  const measured = rows(readme, /^\| (\w+) \| [\d. /:]+ \|/gm);
  t.strictSame(namesOf(measured), sorted);
  t.ok([...measured.values()].every(count => count === 2));
  t.end();
});

await t.test('the guide explains each strategy', t => {
  for (const name of STRATEGY_NAMES) t.match(guide, new RegExp(`^\\*\\*\`${name}\``, 'm'), name);
  t.end();
});

await t.test('the code in the guide is the example that the tests run', t => {
  const code = /```js\n(.*?)```/s.exec(guide)?.[1];
  t.ok(code !== undefined && read('deploy/examples/my-strategy.js').endsWith(code));
  t.end();
});
