/** The alerts and the dashboard in deploy/, and docs/metrics.md, name metrics that exist, and are what Prometheus takes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { metricNames } from '../../scripts/metrics-doc.ts';
import { runProgram, skipWithout } from '../harness/programs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const RULES = 'deploy/prometheus/lb4-rules.yml';

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

const rules = (parse(read(RULES)) as Rules).groups.flatMap(group => group.rules);
const dashboard = JSON.parse(read('deploy/grafana/lb4.json')) as Dashboard;
const asked = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

const known = new Set(
  metricNames().flatMap(name => [name, ...['_bucket', '_sum', '_count'].map(end => name + end)]),
);
const namesIn = (text: string): string[] =>
  [...text.matchAll(/\b(?:lb4|process)_\w+/g)].map(([name]) => name);

void t.test('alerts, dashboard and the table for users of HAProxy ask for metrics that exist', t => {
  const panels = /## A panel of HAProxy(.*?)\n## /s.exec(read('docs/metrics.md'))?.[1] ?? '';
  t.ok(namesIn(panels).length > 20);
  for (const text of [...rules.map(({ expr }) => expr), ...asked, panels])
    t.strictSame(
      namesIn(text).filter(name => !known.has(name)),
      [],
    );
  t.end();
});

void t.test('no two panels of the dashboard overlap', t => {
  const cells = dashboard.panels.flatMap(({ title, gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => ({
      at: `${x + (i % w)} ${y + Math.floor(i / w)}`,
      title,
      right: x + w,
    })),
  );
  t.equal(new Set(cells.map(({ at }) => at)).size, cells.length);
  t.ok(cells.every(({ right }) => right <= 24));
  t.end();
});

void t.test(
  'promtool accepts the alerts, and every query of the dashboard',
  { skip: skipWithout('promtool') },
  async t => {
    const folder = temporaryFolder(t);
    const alerts = await runProgram('promtool', ['check', 'rules', join(root, RULES)]);
    t.equal(alerts.code, 0, alerts.stderr);
    const records = asked.map((expr, i) => ({
      record: `panel:${i}`,
      // What Grafana fills in.
      expr: expr
        .replaceAll('$__rate_interval', '1m')
        .replaceAll('$instance', '.*')
        .replaceAll('$upstream', '.*'),
    }));
    const queries = join(folder, 'queries.yml');
    writeFileSync(queries, stringify({ groups: [{ name: 'dashboard', rules: records }] }));
    const checked = await runProgram('promtool', ['check', 'rules', queries]);
    t.equal(checked.code, 0, checked.stderr);
  },
);

void t.test(
  'the alerts fire when they should, and not otherwise',
  { skip: skipWithout('promtool') },
  async t => {
    const folder = temporaryFolder(t);
    const series = (name: string, values: string) => ({ series: name, values });
    const ended = (words: string) => `lb4_upstream_sessions_total{instance="a",upstream="app",${words}}`;
    const at = (alert: string, time: string, labels?: Record<string, string>) => ({
      ...{ eval_time: time, alertname: alert },
      exp_alerts: labels === undefined ? [] : [{ exp_labels: labels }],
    });
    const file = {
      rule_files: [join(root, RULES)],
      evaluation_interval: '15s',
      tests: [
        {
          interval: '15s',
          input_series: [
            series(ended('by="backend",phase="relay",reason="closed"'), '0+100x60'),
            series(ended('by="balancer",phase="connect",reason="noBackend"'), '0+0x20 0+10x40'),
            series(ended('by="client",phase="queue",reason="reset"'), '0+50x60'),
            series('lb4_upstream_state{instance="a",upstream="app",state="down"}', '0x20 1x40'),
            series('lb4_reload_last_ok{instance="a"}', '1x20 0x40'),
            series('lb4_source_ports_limit{instance="a"}', '28232x60'),
            series('lb4_backend_source_ports{instance="a",upstream="app",backend="b"}', '19000x20 20000x40'),
            series('lb4_backend_source_ports{instance="a",upstream="app",backend="c"}', '10x60'),
            series('lb4_upstream_retry_budget_left{instance="a",upstream="app"}', '100x20 0x40'),
            series('lb4_log_lines_lost_total{instance="a",log="access"}', '0x20 0+5x40'),
            series('lb4_log_lines_lost_total{instance="a",log="log"}', '0x60'),
          ],
          alert_rule_test: [
            at('Lb4SessionsRefused', '5m'),
            at('Lb4UpstreamDown', '5m'),
            at('Lb4ReloadFailed', '5m'),
            at('Lb4SourcePortsNearLimit', '5m'),
            at('Lb4RetryBudgetSpent', '5m'),
            at('Lb4LogLinesLost', '5m'),
          ],
          promql_expr_test: [
            {
              expr: 'count(ALERTS{alertstate="firing",alertname=~"Lb4SessionsRefused|Lb4UpstreamDown|Lb4ReloadFailed|Lb4SourcePortsNearLimit|Lb4RetryBudgetSpent|Lb4LogLinesLost"})',
              eval_time: '14m',
              exp_samples: [{ labels: '{}', value: 6 }],
            },
          ],
        },
      ],
    };
    const path = join(folder, 'test.yml');
    writeFileSync(path, stringify(file));
    const { code, stdout, stderr } = await runProgram('promtool', ['test', 'rules', path]);
    t.equal(code, 0, stdout + stderr);
  },
);
