/** The index of the helpers names every one of them, and nothing else. */
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';

const folder = new URL('../../../../test/harness/', import.meta.url);

void t.test('test/harness/README.md names each helper once', async t => {
  const index = readFileSync(new URL('README.md', folder), 'utf8');
  const [, ...rows] = index.split('\n').filter(line => line.startsWith('|'));
  const named = rows.flatMap(row =>
    Array.from(row.split('|')[2]?.matchAll(/`([\w-]+\.ts)`/g) ?? [], ([, name]) => name),
  );
  const files = readdirSync(folder).filter(name => name.endsWith('.ts'));
  t.same(named.toSorted(), files.toSorted());
});
