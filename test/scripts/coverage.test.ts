/** The coverage of the data path: what its table names, and what fails it. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

interface Row {
  readonly file: string;
  readonly lines: number;
  readonly branches: number;
}
type Floors = Readonly<Record<string, { readonly branches: number; readonly why: string }>>;
const script: string = fileURLToPath(new URL('../../../scripts/coverage.mjs', import.meta.url));
const { judged } = (await import(script)) as {
  readonly judged: (rows: readonly Row[], floors: Floors) => { table: string; wrong: string[] };
};

const row = (file: string, branches: number): Row => ({ file, lines: 100, branches });

void t.test('a file below 90 % of its branches is named, with why; below its floor it fails', async t => {
  const floors = { 'b.ts': { branches: 50, why: 'Windows' }, 'c.ts': { branches: 80, why: 'luck' } };
  const { table, wrong } = judged(
    [row('a.ts', 100), row('b.ts', 50), row('c.ts', 79.9), row('d.ts', 84), row('e.ts', 86)],
    floors,
  );
  const [, named = ''] = table.split('below 90 % of the branches:\n');
  t.same(
    named.split('\n').map(line => line.trim().replaceAll(/ +/g, ' ')),
    ['b.ts 100.0 50.0 Windows', 'c.ts 100.0 79.9 luck', 'd.ts 100.0 84.0', 'e.ts 100.0 86.0'],
  );
  t.same(wrong, ['c.ts: 79.9 % of its branches, floor 80 %', 'd.ts: 84 % of its branches, floor 85 %']);
});

void t.test('a file that no test loads has no branch, and fails', async t => {
  t.same(judged([row('a.ts', 0)], {}).wrong, ['a.ts: 0 % of its branches, floor 85 %']);
});

void t.test('a floor for a file that has moved fails', async t => {
  const { wrong } = judged([row('a.ts', 100)], { 'old.ts': { branches: 50, why: 'luck' } });
  t.same(wrong, ['test/coverage-floors.json names old.ts, which is no file of the data path']);
});

void t.test(
  'the floors of the repository are for files that are there, each below the usual one with a reason',
  async t => {
    const root = new URL('../../../', import.meta.url);
    const floors = JSON.parse(readFileSync(new URL('test/coverage-floors.json', root), 'utf8')) as Floors;
    for (const [file, { branches, why }] of Object.entries(floors)) {
      t.ok(existsSync(new URL(file, root)), `${file} moved: its floor moves along`);
      t.ok(branches <= 85 && why.length > 10, file);
    }
  },
);
