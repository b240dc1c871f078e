import t from 'tap';
import type { ServiceManager } from '../../../../src/cli/systemd/service-manager.ts';
import { reportService, serviceOf, statusOf } from '../../../../src/cli/systemd/service-reports.ts';
import { createLoadBalancer } from '../../../../src/index.ts';
import { Events } from '../../../../src/model/events.ts';
import type { LoadBalancerSnapshot, WorkerView } from '../../../../src/model/snapshot.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

const SNAPSHOT = createLoadBalancer({
  listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
  upstreams: [{ name: 'app', backends: ['127.0.0.1:1'] }],
}).snapshot();

function create(options: { env?: NodeJS.ProcessEnv; stallTimeoutMs?: number } = {}) {
  const clock = new FakeClock();
  const events = new Events();
  const sent: string[] = [];
  const state: { snapshot: LoadBalancerSnapshot } = { snapshot: { ...SNAPSHOT, state: 'running' } };
  const manager: ServiceManager = {
    ready: status => void sent.push(`ready: ${status}`),
    reloading: () => void sent.push('reloading'),
    stopping: status => void sent.push(`stopping: ${status}`),
    status: status => void sent.push(`status: ${status}`),
    alive: () => void sent.push('alive'),
    handOver: pid => void sent.push(`handOver: ${pid}`),
  };
  const balancer = {
    on: events.on.bind(events),
    snapshot: () => state.snapshot,
  };
  const end = reportService(balancer, manager, {
    env: { NOTIFY_SOCKET: '/run/notify', ...options.env },
    pid: 42,
    setTimer: clock.setTimer,
    stallTimeoutMs: options.stallTimeoutMs ?? 30_000,
  });
  const workers = (...states: WorkerView['state'][]): void => {
    const views = states.map((each, i) => ({
      worker: i + 1,
      engine: 'epoll',
      state: each,
      sessions: 0,
      sessionsEver: 0,
    }));
    state.snapshot = { ...state.snapshot, workers: views };
  };
  const alive = (): number => sent.filter(each => each === 'alive').length;
  const service = serviceOf(balancer, manager);
  return { clock, events, sent, state, end, workers, alive, service };
}

void t.test('a drain is reported when it begins, with and without a delay', t => {
  const { events, sent, state } = create();
  state.snapshot = { ...state.snapshot, state: 'leaving' };
  events.emit('drain:delayed', { delayMs: 1_000 });
  state.snapshot = { ...state.snapshot, state: 'draining', sessions: 3 };
  events.emit('drain:started', { sessions: 3, timeoutMs: 1_000 });
  t.match(sent, [/^stopping: leaving, /, /^stopping: draining, .* 3 sessions/]);
  t.end();
});

void t.test('a reload is reported from its beginning to its end, and none once it leaves', t => {
  const { sent, state, service } = create();
  service.started();
  service.reloading();
  service.reloaded();
  t.match(sent, [/^ready: running, /, /^reloading$/, /^ready: running, /]);
  sent.length = 0;
  state.snapshot = { ...state.snapshot, state: 'leaving' };
  service.reloading();
  service.reloaded();
  t.same(sent, []);
  service.handOver(43);
  service.failed('cannot listen');
  t.same(sent, ['handOver: 43', 'status: cannot listen']);
  t.end();
});

void t.test('the status is sent every ten seconds when it has changed', t => {
  const { clock, sent, state } = create();
  clock.advance(35_000);
  t.equal(sent.length, 1);
  state.snapshot = { ...state.snapshot, sessions: 7 };
  clock.advance(10_000);
  t.match(sent.at(-1), /^status: running, .*, 7 sessions, /);
  t.end();
});

void t.test('the status says what a person wants to know', t => {
  t.equal(
    statusOf({ ...SNAPSHOT, state: 'running' }),
    'running, 0 listeners, 0 sessions, 0 of 0 backends take sessions',
  );
  t.end();
});

void t.test('it is alive twice as often as WATCHDOG_USEC asks for, and without it never', t => {
  const { clock, alive } = create({ env: { WATCHDOG_USEC: '3000000' } });
  clock.advance(9_000);
  t.equal(alive(), 6);
  for (const env of [{}, { WATCHDOG_USEC: '3000000', WATCHDOG_PID: '43' }, { WATCHDOG_USEC: 'x' }]) {
    const other = create({ env });
    other.clock.advance(60_000);
    t.equal(other.alive(), 0);
  }
  const mine = create({ env: { WATCHDOG_USEC: '3000000', WATCHDOG_PID: '42' } });
  mine.clock.advance(3_000);
  t.equal(mine.alive(), 2);
  t.end();
});

for (const [name, states, stallTimeoutMs, isAlive] of [
  ['all workers move', ['running', 'running'], 0, true],
  ['its only worker stands still', ['stalled'], 30_000, false],
  ['all workers stand still', ['stalled', 'stalled'], 30_000, false],
  ['one stands still, which lb4 ends by itself', ['stalled', 'running'], 30_000, true],
  ['one stands still, and lb4 is not to end it', ['stalled', 'running'], 0, false],
  ['one is started again', ['restarting', 'running'], 0, true],
  ['none is there', ['restarting', 'restarting'], 30_000, false],
  ['there are no workers at all', [], 0, true],
] as const) {
  void t.test(`${isAlive ? 'alive' : 'not alive'} while ${name}`, t => {
    const { clock, workers, alive } = create({ env: { WATCHDOG_USEC: '2000000' }, stallTimeoutMs });
    workers(...states);
    clock.advance(5_000);
    t.equal(alive(), isAlive ? 5 : 0);
    workers('running', 'running');
    clock.advance(1_000);
    t.equal(alive(), isAlive ? 6 : 1);
    t.end();
  });
}

void t.test('without a service manager there is no timer, and after the end none is left', t => {
  const { clock, end, events, sent } = create({ env: { WATCHDOG_USEC: '2000000' } });
  t.equal(clock.pending, 2);
  end();
  t.equal(clock.pending, 0);
  events.emit('drain:started', { sessions: 0, timeoutMs: 0 });
  t.same(sent, []);
  t.equal(create({ env: { NOTIFY_SOCKET: '' } }).clock.pending, 0);
  t.end();
});
