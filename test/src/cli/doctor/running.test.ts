/** `lb4 doctor --live`: each verdict about what a running lb4 reports. */
import t from 'tap';
import { judgeRunning, planOf } from '../../../../src/cli/doctor/running.ts';
import { reportText } from '../../../../src/cli/doctor/report.ts';
import type { StatusAnswer } from '../../../../src/cli/client/status.ts';
import type { LoadBalancerSnapshot, UpstreamView } from '../../../../src/model/snapshot.ts';
import { backendView, snapshotWith, upstreamView } from '../../../harness/fake-balancer.ts';
import { troubles } from './made-up-machine.ts';

function status(parts: Partial<LoadBalancerSnapshot> = {}): StatusAnswer {
  return { name: 'default', version: '0.1.0', pid: 77, uptimeMs: 61_000, ...snapshotWith(parts) };
}
const process = (used: number) => ({
  read: (path: string) =>
    path === '/proc/77/limits'
      ? 'Max open files            100                200                files\n'
      : '',
  descriptors: used,
});
const trouble = (parts: Partial<LoadBalancerSnapshot>) => troubles(judgeRunning(status(parts), process(1)));
const upstreams = (parts: Partial<UpstreamView>, ...backends: UpstreamView['backends']) => ({
  upstreams: [{ ...upstreamView('app', backends), ...parts }],
});

void t.test('an instance that is well has no trouble', async t => {
  t.same(trouble({}), []);
});

void t.test('its descriptors are read from its own limits', async t => {
  const of = (used: number) => troubles(judgeRunning(status(), process(used)));
  t.same(of(79), []);
  t.same(of(80), ['warn its descriptors: 80 of 100 in use']);
  t.same(troubles(judgeRunning(status(), undefined)), [
    'unknown its descriptors: process 77 cannot be seen from here',
  ]);
});

void t.test('sessions at the limit, paused listeners and workers that stand fail', async t => {
  t.same(trouble({ sessions: 80, maxSessions: 100 }), ['warn its sessions: 80 of 100']);
  t.same(trouble({ sessions: 100, maxSessions: 100 }), ['fail its sessions: 100 of 100: new clients wait']);
  const paused = { name: 'web', addresses: [], paused: true, pausedMs: 61_000, engine: 'epoll', sessions: 9 };
  t.same(trouble({ listeners: [paused] }), [
    'fail listener web: new clients wait for 1m 1s, with 9 sessions',
  ]);
  t.same(trouble({ listeners: [{ ...paused, stopped: true }] }), [
    'fail listener web: does not listen: its upstream has no backend',
  ]);
  const workers = [{ worker: 1, engine: 'epoll', state: 'stalled', sessions: 0, sessionsEver: 0 } as const];
  t.same(trouble({ workers }), ['fail workers: worker 1 is stalled']);
  t.match(trouble({ ready: false, state: 'draining' }), [/^warn state: draining, .*: not ready$/]);
});

void t.test('backends that are out warn; none left, panic and all full fail', async t => {
  const [up, down] = [backendView('10.0.0.1:80'), backendView('10.0.0.2:80', { state: 'down' })];
  t.same(trouble(upstreams({}, up, down)), ['warn upstream app: 1 of 2 backends out: 10.0.0.2:80 (down)']);
  t.match(trouble(upstreams({ mode: 'down' }, down)), [/^fail upstream app: no backend gets sessions/]);
  t.match(trouble(upstreams({ mode: 'panic' }, down)), [
    /^fail upstream app: no backend or too few are well/,
  ]);
  t.match(trouble(upstreams({ mode: 'backups' }, up)), ['warn upstream app: backups stand in']);
  const full = backendView('10.0.0.1:80', { sessions: 5, maxSessions: 5 });
  t.match(trouble(upstreams({}, full)), [/^fail upstream app: every backend is at its maxSessions/]);
  const limit = { sessions: 7, max: 7 };
  t.match(trouble(upstreams({ limit }, up)), [
    'fail upstream app: 7 of 7 sessions: clients wait in the queue',
  ]);
});

void t.test('a queue warns, and fails when it is full', async t => {
  const up = backendView('10.0.0.1:80');
  const queue = (waiting: number) =>
    trouble(upstreams({ queue: { waiting, max: 10, longestMs: 2_000 } }, up));
  t.same(queue(9), ['warn queue app: 9 of 10 wait, up to 2s']);
  t.same(queue(10), ['fail queue app: 10 of 10 wait, up to 2s']);
});

void t.test('counts that are not shared fail with the reason; changes by operators warn', async t => {
  const view = { upstream: 'app', mode: 'local', ageMs: undefined, others: [] } as const;
  const mirror = {
    instance: 'a',
    upstreams: [{ ...view, trouble: { reason: 'denied', message: 'NOAUTH' } as const }],
  };
  t.same(trouble({ mirror }), ['fail counts of app: not shared: NOAUTH']);
  const overrides = [{ backend: '10.0.0.1:80', what: 'weight', configured: 1, now: 5 } as const];
  t.match(trouble(upstreams({ overrides }, backendView('10.0.0.1:80'))), [
    /1 change by operators: weight 10\.0\.0\.1:80/,
  ]);
});

void t.test('the machine is judged by what the instance has', async t => {
  const [first, ...others] = upstreams({}, backendView('10.0.0.1:80', { maxSessions: 7 })).upstreams;
  t.same(
    [others.length, planOf(status({ upstreams: first === undefined ? [] : [first], maxSessions: 50 }))],
    [
      0,
      {
        maxSessions: 50,
        workers: 0,
        workersForTls: 0,
        listeners: [{ name: 'web', addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 80 }] }],
        upstreams: [
          {
            name: 'app',
            backends: [{ address: { kind: 'tcp', host: '10.0.0.1', port: 80 }, maxSessions: 7 }],
          },
        ],
      },
    ],
  );
});

void t.test('a hostile name cannot move the cursor, and lines keep to the width', async t => {
  const hostile = backendView('\u001b[2J\u202eevil', { state: 'down' });
  const text = reportText('lb4', judgeRunning(status(upstreams({}, hostile)), undefined), 80);
  t.notMatch(text.replaceAll('\n', ''), /\p{Cc}|\p{Cf}/u);
  for (const line of text.split('\n')) t.ok(line.length <= 80, line);
  t.match(text, /^\d+ fail, \d+ warn, \d+ ok, \d+ unknown$/m);
});
