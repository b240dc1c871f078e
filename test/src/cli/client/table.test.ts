/** Tables of the client commands: they fit the terminal, and nothing that matters is cut off. */
import t from 'tap';
import { formatAge, formatBytes, formatTable } from '../../../../src/cli/client/table.ts';
import { fc } from '../../../harness/properties.ts';

const COLUMNS = [
  { name: 'UPSTREAM', mayShrink: true },
  { name: 'BACKEND', mayShrink: true },
  { name: 'STATE' },
  { name: 'SESSIONS', isNumber: true },
] as const;

void t.test('columns are as wide as their cells, numbers stand on the right', async t => {
  const text = formatTable(COLUMNS, [
    ['app', '10.0.0.1:80', 'up', 5],
    ['other', '10.0.0.200:8080', 'maint', 12345],
  ]);
  t.equal(
    text,
    [
      'UPSTREAM  BACKEND          STATE  SESSIONS',
      'app       10.0.0.1:80      up            5',
      'other     10.0.0.200:8080  maint     12345',
      '',
    ].join('\n'),
  );
});

void t.test('a table without rows has its heading', async t => {
  t.equal(formatTable(COLUMNS, []), 'UPSTREAM  BACKEND  STATE  SESSIONS\n');
});

void t.test('whatever is in it, it fits 80 columns, and an address keeps its port', async () => {
  const word = fc.string({ maxLength: 200, unit: fc.constantFrom('a', 'b', '.', ':', '-', '1') });
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word, fc.nat()), { maxLength: 5 }), rows => {
      const cells = rows.map(([name, host, count]) => [name, `${host}:8080`, 'unresolved', count]);
      const lines = formatTable(COLUMNS, cells).split('\n').slice(1, -1);
      return lines.every(line => line.length <= 80 && line.includes(':8080 '));
    }),
  );
});

void t.test('control characters in names are escaped', async t => {
  t.notMatch(formatTable([{ name: 'A' }], [['\u001b[31mred\n']]), /\u001b|red\n\n/);
});

void t.test('times and sizes are short', async t => {
  t.same([0, 999, 59_000, 61_000, 3_600_000, 11_100_000, 90_000_000].map(formatAge), [
    '0s',
    '0s',
    '59s',
    '1m 1s',
    '1h',
    '3h 5m',
    '1d 1h',
  ]);
  t.same([0, 512, 1024, 3_500, 20 * 2 ** 20, 5 * 2 ** 40].map(formatBytes), [
    '0B',
    '512B',
    '1KiB',
    '3.4KiB',
    '20MiB',
    '5TiB',
  ]);
});
