/** `GET /metrics`: both formats, filters, hostile names, who may ask, and what promtool says of it. */
import t from 'tap';
import { BACKEND } from '../../../src/model/counter-view.ts';
import { BLOCK_CELLS } from '../../../src/shared-memory/counters/layout.ts';
import { portOf, startAdmin } from '../../harness/admin.ts';
import {
  backendView,
  countersOf,
  FakeBalancer,
  snapshotWith,
  upstreamView,
} from '../../harness/fake-balancer.ts';
import { runProgram, skipWithout } from '../../harness/programs.ts';
import { Scraped } from '../../harness/scraped.ts';

const HOSTILE = 'a"} 1\nlb4_forged{x="\\';

const snapshot = snapshotWith({
  sessionsEver: 7,
  workers: [
    { worker: 1, engine: 'epoll', state: 'running', sessions: 2, sessionsEver: 7, silentMs: 1_500 },
    { worker: 2, engine: 'epoll', state: 'restarting', sessions: 0, sessionsEver: 0 },
  ],
  upstreams: [
    upstreamView('app', [
      backendView('10.0.0.1:80', {
        state: 'down',
        stateForMs: 90_000,
        sessions: 2,
        maxSessions: 9,
        connections: 2,
      }),
      backendView('unix:/run/a b.sock'),
    ]),
    upstreamView(HOSTILE, [backendView(HOSTILE)]),
  ],
  mirror: {
    instance: HOSTILE,
    upstreams: [{ upstream: 'app', mode: 'shared', trouble: undefined, ageMs: 1_500, others: ['b', 'c'] }],
  },
});

/** One session of 600 ms to connect, at each backend. */
function cells(): Float64Array {
  const cells = new Float64Array(BLOCK_CELLS);
  const { ended, bytes, connect } = BACKEND;
  cells[ended.at] = 1;
  cells[bytes.at + 1] = 2 ** 53 - 1;
  cells[connect.sumAt] = 0.6;
  cells[connect.at + connect.shown.length] = 0;
  // Between 2^-0.75 and 2^-0.625.
  cells[connect.at + (-1 - connect.range.lowest) * 8 + 3] = 1;
  return cells;
}

const balancer = Object.assign(new FakeBalancer(), {
  snapshot: () => snapshot,
  counters: () => countersOf(snapshot, cells),
});
const figures = () => ({
  ...{
    startedAtMs: 1_000,
    cpuSeconds: 2.5,
    residentBytes: 4_096,
    openDescriptors: 12,
    descriptorLimit: Infinity,
  },
  reloads: { done: 2, failed: 1, last: { atMs: 5_000, ok: false } },
  sourcePorts: 28_232,
  logs: [
    { log: 'log', linesLost: 3, isBroken: false },
    { log: 'access', linesLost: 70, isBroken: true },
  ] as const,
});

void t.test('it shows what the snapshot and the counters say', async t => {
  const { ask } = await startAdmin(t, { port: portOf(balancer, { figures }) });
  const { status, headers, text } = await ask('GET', '/metrics');
  t.equal(status, 200);
  t.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  const scraped = new Scraped(text);
  const backend = '10.0.0.1:80';
  t.equal(scraped.sum('lb4_sessions_started_total'), 7);
  t.equal(scraped.sum('lb4_backend_state', { backend, state: 'down' }), 1);
  t.equal(scraped.sum('lb4_backend_state', { backend }), 1, 'one state at a time');
  const since = scraped.sum('lb4_backend_state_since_timestamp_seconds', { backend });
  t.ok(Math.abs(Date.now() / 1000 - 90 - since) < 30);
  t.equal(scraped.sum('lb4_backend_sessions_limit', { backend }), 9);
  t.equal(scraped.samples.filter(({ name }) => name === 'lb4_backend_sessions_limit').length, 1);
  t.equal(scraped.sum('lb4_backend_bytes_total', { backend, by: 'backend' }), 2 ** 53 - 1);
  t.equal(scraped.sum('lb4_backend_sessions_total', { backend, by: 'client', phase: 'relay' }), 1);
  t.equal(scraped.sum('lb4_backend_connect_seconds_bucket', { backend, le: '0.5' }), 0);
  t.equal(scraped.sum('lb4_backend_connect_seconds_bucket', { backend, le: '2.0' }), 1);
  t.equal(scraped.sum('lb4_backend_connect_seconds_bucket', { backend, le: '+Inf' }), 1);
  t.equal(scraped.sum('lb4_backend_connect_seconds_sum', { backend }), 0.6);
  t.equal(scraped.sum('lb4_mirror_age_seconds', { upstream: 'app' }), 1.5);
  t.equal(scraped.sum('lb4_reload_last_ok'), 0);
  t.equal(scraped.sum('process_max_fds'), Infinity);
  t.equal(scraped.sum('lb4_source_ports_limit'), 28_232);
  t.equal(scraped.sum('lb4_backend_source_ports', { backend }), 2);
  t.notOk(
    scraped.samples.some(
      ({ name, labels }) => name === 'lb4_backend_source_ports' && labels['backend']?.startsWith('unix:'),
    ),
  );
  t.equal(scraped.sum('lb4_log_lines_lost_total', { log: 'access' }), 70);
  t.equal(scraped.sum('lb4_log_broken'), 1);
  t.equal(scraped.sum('lb4_worker_state', { worker: '1', state: 'running' }), 1);
  t.same(
    scraped.samples
      .filter(({ name }) => name === 'lb4_worker_heartbeat_age_seconds')
      .map(({ labels, value }) => [labels['worker'], value]),
    [['1', 1.5]],
    'a worker that is started again has none',
  );
  t.equal(scraped.sum('lb4_upstream_sessions_active', { upstream: 'app' }), 2);
});

void t.test('names cannot forge lines or labels', async t => {
  const { ask } = await startAdmin(t, { port: portOf(balancer) });
  for (const accept of ['text/plain', 'application/openmetrics-text; version=1.0.0']) {
    const { text } = await ask('GET', '/metrics', { headers: { accept } });
    const { samples } = new Scraped(text);
    t.notOk(samples.some(({ name }) => name === 'lb4_forged'));
    t.ok(
      samples.some(({ labels }) => labels['backend'] === HOSTILE),
      'they come out as they went in',
    );
  }
});

void t.test('OpenMetrics is spoken where it is accepted', async t => {
  const { ask } = await startAdmin(t, { port: portOf(balancer, { figures }) });
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
  const { headers, text } = await ask('GET', '/metrics', { headers: { accept } });
  t.match(headers['content-type'], /^application\/openmetrics-text; version=1\.0\.0/);
  t.ok(text.endsWith('\n# EOF\n'));
  t.match(
    text,
    /\n# TYPE lb4_backend_bytes counter\n# UNIT lb4_backend_bytes bytes\nlb4_backend_bytes_total\{/,
  );
  t.match(
    text,
    /\n# TYPE lb4_backend_connect_seconds histogram\n# UNIT lb4_backend_connect_seconds seconds\n/,
  );
  t.notMatch(text, /\n\n/, 'no empty line');
});

void t.test('filters leave out upstreams and metrics', async t => {
  const { ask } = await startAdmin(t, { port: portOf(balancer, { figures }) });
  const one = new Scraped((await ask('GET', '/metrics?upstream=app')).text);
  t.strictSame([...new Set(one.samples.flatMap(({ labels }) => labels['upstream'] ?? []))], ['app']);
  t.ok(one.samples.some(({ name }) => name === 'lb4_listener_bytes_total'));
  const less = new Scraped((await ask('GET', '/metrics?exclude=lb4_backend_*,lb4_ready')).text);
  t.notOk(less.samples.some(({ name }) => name.startsWith('lb4_backend_') || name === 'lb4_ready'));
  t.ok(less.samples.some(({ name }) => name === 'lb4_upstream_state'));
  t.match(await ask('GET', '/metrics?upstream=none'), {
    status: 404,
    json: { detail: /no upstream is named "none"/ },
  });
  t.match(await ask('GET', '/metrics?upstreams=app'), {
    status: 400,
    json: { detail: /there are upstream, exclude/ },
  });
});

void t.test('with a token it takes that; before the start there is nothing', async t => {
  const { ask } = await startAdmin(t, { port: portOf(balancer), tcp: true, rules: { token: 'secret' } });
  t.match(await ask('GET', '/metrics'), { status: 401 });
  t.match(await ask('GET', '/metrics', { headers: { authorization: 'Bearer secret' } }), { status: 200 });
  const starting = Object.assign(new FakeBalancer(), { counters: () => undefined });
  t.match(await (await startAdmin(t, { port: portOf(starting) })).ask('GET', '/metrics'), { status: 503 });
});

void t.test('promtool finds no fault with it', { skip: skipWithout('promtool') }, async t => {
  const { ask } = await startAdmin(t, { port: portOf(balancer, { figures }) });
  const { text } = await ask('GET', '/metrics');
  const checked = await runProgram('promtool', ['check', 'metrics'], { input: text });
  t.strictSame([checked.code, checked.stdout + checked.stderr], [0, '']);
});
