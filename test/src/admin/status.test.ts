/** Questions to the admin API, over its real server: what is alive, what is ready, what is going on. */
import t from 'tap';
import type { ConfigChange, ReloadReport } from '../../../src/model/reload-report.ts';
import * as z from 'zod';
import { status, upstream } from '../../../src/admin/schemas.ts';
import type { LoadBalancerState } from '../../../src/model/snapshot.ts';
import { fakePort, startAdmin } from '../../harness/admin.ts';
import { backendView, snapshotWith, upstreamView } from '../../harness/fake-balancer.ts';

void t.test('a process that answers is alive, whatever it is doing', async t => {
  for (const state of ['starting', 'running', 'draining'] as const) {
    const { ask } = await startAdmin(t, { port: fakePort(() => snapshotWith({ state, ready: false })) });
    const answer = await ask('GET', '/healthz');
    t.same([answer.status, answer.json], [200, { status: 'ok' }], state);
  }
});

void t.test('it is ready while it takes clients, and not while it starts, leaves or drains', async t => {
  let state: LoadBalancerState = 'running';
  const port = fakePort(() => snapshotWith({ state, ready: state === 'running' }));
  const { ask } = await startAdmin(t, { port });
  t.equal((await ask('GET', '/readyz')).status, 200);
  for (state of ['starting', 'leaving', 'draining'] as const) {
    const { status, json, headers } = await ask('GET', '/readyz');
    t.same([status, json['detail']], [503, `lb4 is ${state}`]);
    t.match(headers['content-type'], /^application\/problem\+json/);
  }
});

void t.test('it is not ready while all its listeners have stopped with their upstreams', async t => {
  const listener = { addresses: [], paused: false, pausedMs: undefined, engine: 'epoll', sessions: 0 };
  const stopped = { ...listener, name: 'web', stopped: true };
  let listeners = [stopped, { ...stopped, name: 'mail' }];
  const { ask } = await startAdmin(t, { port: fakePort(() => snapshotWith({ listeners })) });
  const { status: answered, json } = await ask('GET', '/readyz');
  t.same([answered, json['detail']], [503, 'no listener listens, because their upstreams have no backend']);
  t.ok(status.parse((await ask('GET', '/api/v1/status')).json));
  listeners = [stopped, { ...stopped, name: 'mail', stopped: false }];
  t.equal((await ask('GET', '/readyz')).status, 200);
});

void t.test('a process that drains after an upgrade reports its successor as ready', async t => {
  let isHandedOver = false;
  const port = fakePort(() => snapshotWith({ state: 'draining', ready: false }), {
    isHandedOver: () => isHandedOver,
  });
  const { ask } = await startAdmin(t, { port });
  t.equal((await ask('GET', '/readyz')).status, 503);
  isHandedOver = true;
  t.same((await ask('GET', '/readyz')).json, { status: 'ready' });
});

void t.test(
  'with readyNeeds: upstream it is ready when every upstream has a backend that takes sessions',
  async t => {
    const down = backendView('10.0.0.1:80', { state: 'down', takesSessions: false });
    let other = upstreamView('other', [down]);
    const port = fakePort(
      () => snapshotWith({ upstreams: [upstreamView('app', [down, backendView('10.0.0.2:80')]), other] }),
      { readyNeeds: 'upstream' },
    );
    const { ask } = await startAdmin(t, { port });
    const { status, json } = await ask('GET', '/readyz');
    t.same([status, json['detail']], [503, 'no backend takes sessions in other']);
    other = upstreamView('other', [backendView('10.0.0.3:80')]);
    t.equal((await ask('GET', '/readyz')).status, 200);
  },
);

void t.test('the status has the logs of the process, and lacks them where it has none', async t => {
  const logs = [
    { log: 'log', destination: 'standard error', linesLost: 0 },
    { log: 'access', destination: 'syslog udp:logs:514', linesLost: 7, brokenAs: 'ECONNREFUSED' },
  ] as const;
  const { ask } = await startAdmin(t, { port: fakePort(undefined, { logs: () => logs }) });
  const { json } = await ask('GET', '/api/v1/status');
  t.ok(status.parse(json));
  t.strictSame(json['logs'], logs);
  const without = await startAdmin(t);
  t.notOk('logs' in (await without.ask('GET', '/api/v1/status')).json);
});

void t.test(
  'the status names the file, the first changes of the last reload, and why there can be none',
  async t => {
    const changes = Array.from({ length: 12 }, (_, i) => ({
      ...{ kind: 'added', what: 'backend', path: [] },
      text: `backend ${i} added`,
    })) satisfies readonly ConfigChange[];
    const done = {
      at: new Date().toISOString(),
      trigger: 'watch',
      dryRun: false,
      ok: true,
      changes,
      warnings: [],
    };
    const { ask } = await startAdmin(t, {
      port: fakePort(undefined, {
        ...{ file: '/etc/lb4.yaml', lastReload: () => done as ReloadReport },
        reload: () => Promise.resolve(done as ReloadReport),
      }),
    });
    const { json } = await ask('GET', '/api/v1/status');
    t.ok(status.parse(json));
    t.same(json['configuration'], { file: '/etc/lb4.yaml' });
    const changed = changes.slice(0, 10).map(({ text }) => text);
    t.match(json['lastReload'], { ok: true, changes: 12, changed, problems: [] });
    const without = await startAdmin(t);
    t.same((await without.ask('GET', '/api/v1/status')).json['configuration'], {
      noReload: 'the program that runs it offers no reload',
    });
    const demo = await startAdmin(t, { port: fakePort(undefined, { noReload: 'it is a demo' }) });
    t.same((await demo.ask('GET', '/api/v1/status')).json['configuration'], { noReload: 'it is a demo' });
    const refused = await demo.ask('POST', '/api/v1/reload', { body: {} });
    t.same(
      [refused.status, refused.json['detail']],
      [404, 'this lb4 cannot reload its configuration: it is a demo'],
    );
  },
);

void t.test('status and upstreams are the snapshot, and have the documented shape', async t => {
  const { ask } = await startAdmin(t);
  const all = await ask('GET', '/api/v1/status');
  t.ok(status.parse(all.json));
  t.match(all.json, { name: 'default', version: '0.1.0', state: 'running', ready: true, engine: 'epoll' });
  const upstreams = await ask('GET', '/api/v1/upstreams');
  t.ok(z.strictObject({ upstreams: z.array(upstream) }).parse(upstreams.json));
  const one = await ask('GET', '/api/v1/upstreams/app');
  t.same([one.json], all.json['upstreams']);
});

void t.test('an upstream that does not exist is the same 404 of all routes', async t => {
  const { ask } = await startAdmin(t);
  const problem = (name: string) => ({
    ...{ status: 404, title: 'Not Found' },
    detail: `no upstream is named ${JSON.stringify(name)}; there are app`,
  });
  const at = '/api/v1/upstreams/ap%22p';
  for (const answer of [
    await ask('GET', at),
    await ask('GET', `${at}/backends/10.0.0.1:80`),
    await ask('PUT', `${at}/backends/10.0.0.1:80`, { body: {} }),
    await ask('PATCH', `${at}/backends/10.0.0.1:80`, { body: { weight: 2 } }),
    await ask('DELETE', `${at}/backends/10.0.0.1:80`),
    await ask('GET', '/metrics?upstream=ap%22p'),
    await ask('GET', '/api/v1/events?upstream=ap%22p'),
  ])
    t.same([answer.status, answer.json], [404, problem('ap"p')]);
  const { json } = await ask('GET', `/api/v1/upstreams/${'x'.repeat(400)}`);
  t.same(json, problem(`${'x'.repeat(300)}…`), 'a long name is cut');
});

void t.test('HEAD is GET without the body', async t => {
  const { ask } = await startAdmin(t);
  const [get, head] = [await ask('GET', '/api/v1/upstreams'), await ask('HEAD', '/api/v1/upstreams')];
  t.same([head.status, head.text], [200, '']);
  t.equal(head.headers['content-length'], get.headers['content-length']);
});
