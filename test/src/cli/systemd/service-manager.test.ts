import t, { type Test } from 'tap';
import {
  createServiceManager,
  monotonicUs,
  type ServiceManagerDeps,
} from '../../../../src/cli/systemd/service-manager.ts';
import { loadLibc } from '../../../../src/linux/libc.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';
import { notifySocket } from '../../../harness/notify-socket.ts';
import { until } from '../../../harness/until.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;
const NO_LIBC = { ok: false, reason: 'there is none' } as const;

function create(deps: Partial<ServiceManagerDeps> = {}) {
  const timers = new FakeTimers();
  const failed: string[] = [];
  const manager = createServiceManager({
    env: {},
    loadLibc: () => loaded,
    setTimer: timers.setTimer,
    monotonicUs: () => 1_234_567n,
    onFailed: reason => failed.push(reason),
    ...deps,
  });
  return { manager, timers, failed };
}

function withSocket(t: Test, path?: string) {
  if (!loaded.ok) throw new Error(loaded.reason);
  const socket = notifySocket(t, loaded.libc, path);
  return { socket, ...create({ env: { NOTIFY_SOCKET: socket.path } }) };
}

for (const [kind, path] of [
  ['a path', undefined],
  ['an abstract name', `@lb4-notify-${process.pid}`],
] as const) {
  void t.test(`each report is one datagram to ${kind}, in the order of the calls`, { skip }, t => {
    const { socket, manager, failed } = withSocket(t, path);
    manager.ready('running');
    manager.reloading();
    manager.ready('running\nwith a second line');
    manager.status('3 sessions');
    manager.alive();
    manager.stopping('draining');
    t.same(socket.reports(), [
      'READY=1\nSTATUS=running',
      'RELOADING=1\nMONOTONIC_USEC=1234567',
      'READY=1\nSTATUS=running\\nwith a second line',
      'STATUS=3 sessions',
      'WATCHDOG=1',
      'STOPPING=1\nSTATUS=draining',
    ]);
    t.same(failed, []);
    t.end();
  });
}

void t.test('after it has handed over it is silent: the successor is the service', { skip }, t => {
  const { socket, manager } = withSocket(t);
  manager.handOver(4711);
  manager.stopping('draining');
  manager.alive();
  t.same(socket.reports(), ['MAINPID=4711']);
  t.end();
});

void t.test('without NOTIFY_SOCKET nothing is loaded, and nothing is sent', t => {
  for (const env of [{}, { NOTIFY_SOCKET: '' }]) {
    const { manager, failed } = create({
      env,
      loadLibc: () => {
        throw new Error('loaded for nothing');
      },
      notify: () => Promise.reject(new Error('sent for nothing')),
    });
    manager.ready('running');
    manager.reloading();
    manager.alive();
    manager.handOver(1);
    t.same(failed, []);
  }
  t.end();
});

void t.test('reports wait for a receiver that has no room, in their order', { skip }, t => {
  const { socket, manager, timers, failed } = withSocket(t);
  // Nothing is read meanwhile: the queue of a datagram socket is short (net.unix.max_dgram_qlen).
  for (let i = 0; timers.pending === 0; i++) {
    if (i === 10_000) throw new Error('the queue has no end');
    manager.status(`before ${i}`);
  }
  manager.alive();
  manager.ready('late');
  const before = socket.reports().length;
  t.ok(before > 0);
  t.notOk(socket.reports().some(report => report.startsWith('READY')));
  timers.fireAll();
  const after = socket.reports().slice(before);
  t.match(after.at(-1), /^READY=1\nSTATUS=late$/);
  t.notOk(after.includes('WATCHDOG=1'), 'a sign of life is of use only at its time');
  t.same(failed, []);
  t.end();
});

void t.test('a socket that is gone is reported once, and stops nothing', { skip }, t => {
  const { manager, failed, timers } = create({ env: { NOTIFY_SOCKET: '/nowhere/notify' } });
  manager.ready('running');
  manager.stopping('draining');
  t.same(failed, ['ENOENT']);
  t.equal(timers.pending, 0);
  t.end();
});

for (const [why, deps] of [
  ['without the C library', { env: { NOTIFY_SOCKET: '/run/notify' }, loadLibc: () => NO_LIBC }],
  ['for a socket of a kind it does not know', { env: { NOTIFY_SOCKET: 'vsock:2:9999' } }],
  ['for a path that is too long', { env: { NOTIFY_SOCKET: `/${'x'.repeat(200)}` } }],
] as const) {
  void t.test(`${why} systemd-notify sends the reports, one after the other`, async t => {
    const calls: (readonly string[])[] = [];
    let running = 0;
    const { manager, failed } = create({
      ...deps,
      notify: async args => {
        t.equal((running += 1), 1);
        calls.push(args);
        await new Promise(resolve => setImmediate(resolve));
        running -= 1;
      },
    });
    manager.reloading();
    manager.ready('running');
    await until('both were sent', () => calls.length === 2);
    t.same(calls, [
      ['RELOADING=1', 'MONOTONIC_USEC=1234567'],
      ['READY=1', 'STATUS=running'],
    ]);
    t.same(failed, []);
  });
}

void t.test('a systemd-notify that fails is reported once', async t => {
  const { manager, failed } = create({
    env: { NOTIFY_SOCKET: '/run/notify' },
    loadLibc: () => NO_LIBC,
    notify: () => Promise.reject(new Error('spawn systemd-notify ENOENT')),
  });
  manager.ready('running');
  manager.stopping('draining');
  await until('it was reported', () => failed.length > 0);
  await new Promise(resolve => setImmediate(resolve));
  t.same(failed, ['spawn systemd-notify ENOENT']);
});

void t.test(
  "the monotonic time is the system's own, as systemd compares it",
  { skip: process.platform !== 'linux' },
  t => {
    const uptimeUs = process.uptime() * 1e6;
    const now = Number(monotonicUs());
    t.ok(now > uptimeUs, 'it counts from the boot');
    t.ok(Number(monotonicUs()) >= now);
    t.end();
  },
);
