/** How many entries of a file have come and gone between two readings of it. */
import t from 'tap';
import { accessSteps } from '../../../src/composition/access-lists.ts';
import { listChanges, listEntries } from '../../../src/composition/list-entries.ts';
import { parsedConfig } from '../../../src/composition/parsed.ts';
import { atOnce } from '../../../src/support/slices.ts';

const { listeners } = parsedConfig({
  listeners: [
    { name: 'web', bind: ':80', upstream: 'app', access: { deny: ['file:a', '192.0.2.1', 'file:b'] } },
    { name: 'mail', bind: ':25', upstream: 'app', access: { deny: 'file:a' } },
  ],
  upstreams: [{ name: 'app', backends: ['10.0.0.1:80'] }],
});

const entriesOf = (files: Record<string, string>) =>
  atOnce(
    listEntries(
      atOnce(accessSteps(listeners, { baseDir: '/', readFile: path => files[path] ?? '# none\n' })),
    ),
  );

const texts = (before: Record<string, string>, after: Record<string, string>): string[] =>
  atOnce(listChanges(entriesOf(before), entriesOf(after))).map(({ text }) => text);

void t.test('entries that have come and gone are counted once for each file', t => {
  const [before, after] = [{ '/a': '10.0.0.0/8\n::1\nall\n' }, { '/a': '10.0.0.0/9\nunix\n::1\n10.0.0.1\n' }];
  t.same(atOnce(listChanges(entriesOf(before), entriesOf(after))), [
    {
      ...{ kind: 'changed', what: 'key', path: ['listeners', 'web', 'access', 'file:a'] },
      ...{ from: '3 entries', to: '4 entries' },
      text: 'list file:a: 3 entries added, 2 entries removed, 4 now',
    },
  ]);
  t.same(texts({ '/b': '::1\n' }, { '/b': '::1\n::2\n' }), ['list file:b: 1 entry added, 2 now']);
  t.same(texts({ '/b': '::1\n' }, {}), ['list file:b: 1 entry removed, 0 now']);
  t.end();
});

void t.test('another order, comments and repeated lines are no change', t => {
  t.same(texts({ '/a': '10.0.0.0/8\n::1\n' }, { '/a': '# c\n::1\n10.0.0.0/8\n::1\n' }), []);
  t.end();
});

void t.test('of 100,000 entries each one counts', t => {
  const lines = Array.from(
    { length: 50_000 },
    (_, i) => `10.${i >> 8}.${i & 255}.0/24\n2001:db8:${i.toString(16)}::/48\n`,
  );
  const one = lines.map((line, i) => (i === 40_000 ? '10.1.1.1\n' : line));
  t.same(texts({ '/a': lines.join('') }, { '/a': one.join('') }), [
    'list file:a: 1 entry added, 2 entries removed, 99999 now',
  ]);
  t.end();
});
