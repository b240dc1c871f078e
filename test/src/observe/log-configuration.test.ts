import t from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { logConfiguration, sourceOf } from '../../../src/observe/log-configuration.ts';
import { createLog, type LogFormat } from '../../../src/observe/log.ts';
import { keepLines } from '../../harness/log-lines.ts';

function logged(format: LogFormat): string[] {
  const parsed = parseConfig({
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        strategy: 'leastconn',
        backends: [
          '10.0.0.1:80',
          { address: '10.0.0.2:80', weight: 2, maxSessions: 100 },
          { address: '10.0.0.3:80', backup: true },
        ],
        health: { type: 'http', path: '/health', interval: '5s' },
      },
      {
        name: 'many',
        backends: Array.from({ length: 300 }, (_, i) => `10.0.1.${i % 250}:${80 + i}`),
        health: 'off',
      },
    ],
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  const { lines, written } = keepLines();
  logConfiguration(
    parsed.config,
    sourceOf('lb4.yaml', ['--workers', '--workers']),
    createLog({ level: 'info', format, lines }),
  );
  return written;
}

void t.test('one line per upstream says what is balanced, how, and where that is configured', async t => {
  const [app = '', many = ''] = logged('text');
  t.match(
    app,
    /info {2}upstream app: leastconn over 3 backends: 10\.0\.0\.1:80, 10\.0\.0\.2:80 \(weight 2, at most 100 sessions\), 10\.0\.0\.3:80 \(backup\); checked by http GET \/health every 5s; from lb4\.yaml with --workers$/,
  );
  t.match(many, /over 300 backends: .*, and 280 more; not checked; from/);
  t.ok(many.length < 1_000, 'and stays readable with many backends');
});

void t.test('as JSON all backends are there', async t => {
  const entries = logged('json').map(line => JSON.parse(line) as Record<string, unknown>);
  t.match(entries[0], {
    event: 'upstreamConfigured',
    upstream: 'app',
    strategy: 'leastconn',
    source: 'lb4.yaml with --workers',
  });
  t.equal(String(entries[1]?.['backends']).split(', ').length, 300);
});

void t.test('a configuration comes from a file, from options, or from both', async t => {
  t.equal(sourceOf('a.yaml', []), 'a.yaml');
  t.equal(sourceOf(undefined, ['--backends', 'LB4_STRATEGY']), '--backends, LB4_STRATEGY');
  t.equal(sourceOf('a.yaml', ['--strategy']), 'a.yaml with --strategy');
});
