import t from 'tap';
import { readTargets } from '../../../../src/control/discovery/targets.ts';

/** Address, weight, limit and backup of each. */
const shown = (text: string): unknown => {
  const targets = readTargets(text);
  if (!targets.ok) return targets.reason;
  return targets.backends.map(({ id, weight, maxSessions, backup }) => [id, weight, maxSessions, backup]);
};

void t.test('a list is as in `backends`, in YAML and in JSON', t => {
  const list =
    '- 10.0.0.1:80\n- 10.0.0.2:80@3\n- { address: db.internal:5432, maxSessions: 9, backup: true }\n';
  const expected = [
    ['10.0.0.1:80', 1, undefined, false],
    ['10.0.0.2:80', 3, undefined, false],
    ['db.internal:5432', 1, 9, true],
  ];
  t.same(shown(list), expected);
  t.same(
    shown(
      '["10.0.0.1:80", "10.0.0.2:80@3", {"address": "db.internal:5432", "maxSessions": 9, "backup": true}]',
    ),
    expected,
  );
  t.end();
});

void t.test("groups are those of Prometheus' file_sd; of labels only those of lb4 count", t => {
  const groups = [
    {
      targets: ['10.0.0.1:80', '10.0.0.2:80'],
      labels: { job: 'web', lb4_weight: '5', lb4_max_sessions: '20' },
    },
    { targets: ['10.0.0.3:80'], labels: { lb4_backup: 'true' } },
    { targets: ['10.0.0.4:80'], labels: { __meta_x: 'y' } },
    { targets: [] },
  ];
  t.same(shown(JSON.stringify(groups)), [
    ['10.0.0.1:80', 5, 20, false],
    ['10.0.0.2:80', 5, 20, false],
    ['10.0.0.3:80', 1, undefined, true],
    ['10.0.0.4:80', 1, undefined, false],
  ]);
  t.end();
});

void t.test('no backends are a list without any, and an empty file is none', t => {
  t.same(shown('[]'), []);
  t.match(shown(''), /^is empty; no backends are written as \[\]$/);
  t.match(shown('\n  \n'), /^is empty/);
  t.match(shown('# nothing yet\n'), /^line 1: expected a list of backends/);
  t.end();
});

void t.test('what is wrong is named with its line, and then nothing of the file counts', t => {
  const cases: [text: string, reason: RegExp][] = [
    ['- 10.0.0.1:80\n- 10.0.0.2\n', /^line 2: expected .*port.*"10\.0\.0\.2"/],
    [
      '- 10.0.0.1:80\n- { address: 10.0.0.2:80, weigth: 2 }\n',
      /^line 2: unknown key "weigth"; did you mean "weight"\?/,
    ],
    ['- 10.0.0.1:80\n- 10.0.0.2:80\n- 10.0.0.1:80\n', /^line 3: 10\.0\.0\.1:80 stands twice$/],
    ['backends: [10.0.0.1:80]\n', /^line 1: expected a list of backends/],
    [
      '- targets: [10.0.0.1:80]\n  labels: { lb4_weight: many }\n',
      /^line 1: expected an integer from 0 to 256, got "many"$/,
    ],
    ['- targets: 10.0.0.1:80\n', /^line 1: /],
    ['[{"targets": ["10.0.0.1:80"', /^line 1: /],
    ['- "10.0.0.1:80\n', /^line [12]: /],
    ['- ${HOSTS}\n', /^line 1: .*HOSTS/],
    [`- ${'x'.repeat(5_000)}:80\n`, /^line 1: /],
  ];
  for (const [text, reason] of cases) t.match(shown(text), reason, text.slice(0, 60));
  t.end();
});

void t.test('there are at most 10,000', t => {
  const list = (count: number): string =>
    Array.from({ length: count }, (_, i) => `- 10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:80\n`).join('');
  t.equal((shown(list(10_000)) as unknown[]).length, 10_000);
  t.match(shown(list(10_001)), /^line 10001: more than 10000 backends$/);
  t.end();
});
