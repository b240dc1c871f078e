/** lb4's ratios against its goals, from results whose ratios are known by hand. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { markdownTable } from '../../bench/format.ts';
import { goalTables, goalsInWords, standingOf } from '../../bench/goals.ts';
import { CALLS_PREFIX } from '../../bench/result-file.ts';
import { renderSummary, renderText } from '../../bench/report.ts';
import { peerWith, resultWith, scenarioWith } from './results.ts';

const SMALL = 'CPU per small keep-alive request';
const CONNECT = 'CPU per new connection';
const CALLS = 'system calls per short session';

const small = scenarioWith('small', 'cpuUsPerRequest', [
  peerWith('lb4', 'subject', 'cpuUsPerRequest', [9, 30, 10]),
  peerWith('lb4-node', 'subject', 'cpuUsPerRequest', [32]),
  peerWith('haproxy', 'rival', 'cpuUsPerRequest', [21, 20, 19]),
  peerWith('nginx', 'rival', 'cpuUsPerRequest', [16]),
  peerWith('direct', 'control', 'cpuUsPerRequest', [1]),
]);

void t.test('the ratio is of medians, to the better rival; the control is no rival', async t => {
  const result = resultWith([small]);
  t.match(standingOf(result, SMALL, 'lb4'), { value: 10 / 16, goal: 1, met: true });
  t.match(standingOf(result, SMALL, 'lb4-node'), { value: 2, goal: 1.4, met: false });
});

void t.test('every row of the issue has its goals', async t => {
  const rows: [label: string, scenario: string, figure: string, lb4: number, node: number][] = [
    [SMALL, 'small', 'cpuUsPerRequest', 1, 1.4],
    ['CPU per GB of bulk', 'bulk', 'cpuMsPerGb', 0.35, 1],
    [CONNECT, 'connect', 'cpuUsPerConnection', 1.1, 2.2],
    ['CPU per first connection of a fresh process', 'cold', 'cpuUsPerConnection', 1.3, 3.5],
    ['memory per idle session', 'idle', 'kibibytesPerSession', 0.5, 3],
    ['p99 latency at half of peak', 'latency', 'p99Ms', 1, 1.5],
  ];
  for (const [label, scenario, figure, lb4, node] of rows) {
    const result = resultWith([
      scenarioWith(scenario, figure, [
        peerWith('lb4', 'subject', figure, [1]),
        peerWith('lb4-node', 'subject', figure, [1]),
        peerWith('nginx', 'rival', figure, [1]),
      ]),
    ]);
    t.equal(standingOf(result, label, 'lb4')?.goal, lb4, label);
    t.equal(standingOf(result, label, 'lb4-node')?.goal, node, label);
  }
});

void t.test('the documentation has the same goals', async t => {
  const page = readFileSync(new URL('../../../docs/performance.md', import.meta.url), 'utf8');
  t.match(page, `\n${markdownTable(goalsInWords())}\n`);
});

void t.test('a goal is met at the figure that is printed, and missed a hundredth above', async t => {
  const at = (value: number) =>
    standingOf(
      resultWith([
        scenarioWith('connect', 'cpuUsPerConnection', [
          peerWith('lb4', 'subject', 'cpuUsPerConnection', [value]),
          peerWith('nginx', 'rival', 'cpuUsPerConnection', [100]),
        ]),
      ]),
      CONNECT,
      'lb4',
    );
  t.equal(at(110)?.met, true);
  t.equal(at(110.4)?.met, true);
  t.equal(at(110.6)?.met, false);
});

void t.test('where nginx does less, the goal is a ratio to HAProxy alone', async t => {
  const key = 'cpuUsPerConnection';
  const result = resultWith([
    scenarioWith('connect', key, [
      peerWith('lb4', 'subject', key, [54]),
      peerWith('haproxy', 'rival', key, [54]),
      peerWith('nginx', 'rival', key, [45]),
    ]),
  ]);
  t.match(standingOf(result, CONNECT, 'lb4'), { value: 1.2, goal: 1.1, met: false });
  t.match(standingOf(result, `${CONNECT}, to HAProxy`, 'lb4'), { value: 1, goal: 1, met: true });
});

void t.test('system calls are held to a number, not to a ratio', async t => {
  const result = resultWith([
    scenarioWith(
      'syscalls',
      'callsPerSession',
      [
        peerWith('lb4', 'subject', 'callsPerSession', [13.04]),
        peerWith('lb4-node', 'subject', 'callsPerSession', [27.5]),
        peerWith('haproxy', 'rival', 'callsPerSession', [18.8]),
      ],
      '',
    ),
  ]);
  t.match(standingOf(result, CALLS, 'lb4'), { value: 13.04, goal: 13, met: true });
  t.match(standingOf(result, CALLS, 'lb4-node'), { value: 27.5, goal: undefined, met: undefined });
  t.match(goalTables(result)[0]?.[1], [CALLS, '18.8', '13.0', '27.5', '0.69 (13 calls: met)', '1.46']);
});

void t.test('without a rival, or without lb4, nothing is claimed', async t => {
  const alone = resultWith([
    scenarioWith('small', 'cpuUsPerRequest', [peerWith('lb4', 'subject', 'cpuUsPerRequest', [1])]),
  ]);
  t.equal(standingOf(alone, SMALL, 'lb4'), undefined);
  t.same(goalTables(alone)[0]?.[1], [`${SMALL}, µs`, '1.0', '–']);
  t.equal(standingOf(alone, SMALL, 'lb4-node'), undefined);
  t.equal(standingOf(alone, CONNECT, 'lb4'), undefined);
  t.same(goalTables(resultWith([])), []);
});

void t.test('the goal stands beside the figure, as text and in Markdown', async t => {
  const text = renderText(resultWith([small]));
  t.match(text, /lb4 against its goals/);
  t.match(text, /0\.63 \(1\.00: met\) +2\.00 \(1\.40: missed\)/);
  const markdown = renderSummary(resultWith([small]));
  t.match(markdown, '|  | haproxy | nginx | lb4 | lb4-node | lb4 / better rival (goal) | lb4-node');
  t.match(markdown, `| ${SMALL}, µs | 20.0 | 16.0 | 10.0 | 32.0 | 0.63 (1.00: met) | 2.00 (1.40: missed) |`);
});

void t.test('scenarios with other balancers get a table of their own', async t => {
  const two = scenarioWith('small-2w', 'cpuUsPerRequest', [
    peerWith('lb4-2w', 'subject', 'cpuUsPerRequest', [12]),
    peerWith('nginx-2w', 'rival', 'cpuUsPerRequest', [16]),
  ]);
  const markdown = renderSummary(resultWith([small, two]));
  t.match(markdown, '| balancer | small: figure (µs) |');
  t.match(markdown, '| balancer | small-2w: figure (µs) |');
  t.match(markdown, '| **lb4-2w / better rival** | **0.75** |');
});

void t.test('the goals of two workers stand in a table of their own', async t => {
  const key = 'megabytes';
  const start = scenarioWith('start', key, [peerWith('lb4-2w', 'subject', key, [79.94])], 'MB');
  t.same(
    goalTables(resultWith([small, start])).map(rows => rows.at(-1)),
    [
      [`${SMALL}, µs`, '20.0', '16.0', '10.0', '32.0', '0.63 (1.00: met)', '2.00 (1.40: missed)'],
      ['resident memory after the start, two workers, MB', '79.9', '– (80 MB: met)'],
    ],
  );
});

void t.test('calls by name are told, rare ones left out', async t => {
  const peer = peerWith('lb4', 'subject', 'callsPerSession', [5]);
  Object.assign(peer.samples[0]?.figures ?? {}, {
    [`${CALLS_PREFIX}read`]: 1,
    [`${CALLS_PREFIX}send`]: 4,
    [`${CALLS_PREFIX}mmap`]: 0.01,
  });
  t.match(
    renderText(resultWith([scenarioWith('syscalls', 'callsPerSession', [peer], '')])),
    'lb4: send 4.00, read 1.00\n',
  );
});
