/** The command warns when source ports run low, once for each pair of addresses. */
import t from 'tap';

import { createLog } from '../../../src/observe/log.ts';
import { watchPorts } from '../../../src/cli/port-watch.ts';
import type { PortUse } from '../../../src/linux/source-port-use.ts';
import { FakeTimers } from '../../harness/fake-timers.ts';
import { keepLines } from '../../harness/log-lines.ts';
import { until } from '../../harness/until.ts';

interface Machine {
  /** TCP sockets in use and in TIME_WAIT. */
  sockets: readonly [number, number];
  reuse: number;
  use: readonly PortUse[];
  walks: (readonly number[])[];
}

const pair = (used: number, resting = 0, of: Partial<PortUse> = {}): PortUse => ({
  ...{ from: '10.0.0.100', to: '10.0.0.1', port: 80, used, resting },
  ...of,
});

function scene(backends: readonly string[] = ['10.0.0.1:80']) {
  const machine: Machine = { sockets: [0, 0], reuse: 0, use: [], walks: [] };
  const timers = new FakeTimers();
  const kept = keepLines();
  const log = createLog({ level: 'info', format: 'json', lines: kept.lines });
  const files: Record<string, () => string> = {
    '/proc/sys/net/ipv4/ip_local_port_range': () => '1000\t1999\n',
    '/proc/sys/net/ipv4/ip_local_reserved_ports': () => '\n',
    '/proc/sys/net/ipv4/tcp_tw_reuse': () => `${machine.reuse}\n`,
    '/proc/net/sockstat': () =>
      `sockets: used 9\nTCP: inuse ${machine.sockets[0]} orphan 0 tw ${machine.sockets[1]} alloc 9 mem 1\n`,
  };
  const stop = watchPorts({
    log,
    backends: () => backends.map(backend => ({ upstream: 'app', backend })),
    read: path => {
      const text = files[path]?.();
      if (text === undefined) throw new Error(path);
      return text;
    },
    setTimer: timers.setTimer,
    use: async ports => {
      machine.walks.push(ports);
      return machine.use;
    },
  });
  /** The lines of one look. */
  const look = async (change: Partial<Machine> = {}): Promise<readonly unknown[]> => {
    Object.assign(machine, change);
    const before = kept.written.length;
    timers.fireAll();
    await until('the next look is planned', () => timers.pending > 0);
    return kept.entries().slice(before);
  };
  return { machine, look, stop, timers };
}

void t.test('below what one pair needs, the table is not walked', async t => {
  const { look, machine } = scene();
  t.same(await look({ sockets: [300, 399], use: [pair(900)] }), []);
  t.same(machine.walks, []);
});

void t.test('70 % is low, and said once, until less than 60 % are in use', async t => {
  const { look, machine } = scene();
  t.same(await look({ sockets: [100, 600], use: [pair(699)] }), []);
  t.same(machine.walks, [[80]]);
  t.match(await look({ use: [pair(700, 600)] }), [
    {
      level: 'warn',
      event: 'sourcePortsLow',
      message:
        'source ports from 10.0.0.100 to 10.0.0.1:80 of app run low: 700 of 1,000 in use, 600 of them by connections that are over (TIME_WAIT); connects fail when none is left: more addresses in source, or a wider net.ipv4.ip_local_port_range',
      ...{
        upstream: 'app',
        backend: '10.0.0.1:80',
        from: '10.0.0.100',
        used: 700,
        resting: 600,
        ports: 1000,
      },
    },
  ]);
  t.same(await look({ use: [pair(990)] }), []);
  t.same(await look({ use: [pair(650)], sockets: [0, 650] }), []);
  t.match(await look({ use: [pair(599)] }), [
    { level: 'info', event: 'sourcePortsRecovered', used: 599, from: '10.0.0.100' },
  ]);
  t.match(await look({ use: [pair(800)], sockets: [800, 0] }), [{ event: 'sourcePortsLow' }], 'again');
  t.same(await look({ use: [], sockets: [0, 0] }), [], 'all gone');
  t.match(await look({ use: [pair(800)], sockets: [800, 0] }), [{ event: 'sourcePortsLow' }]);
});

void t.test('ports that rest are free where the system takes them again', async t => {
  const { look } = scene();
  t.same(await look({ sockets: [100, 800], reuse: 1, use: [pair(900, 800)] }), []);
  t.match(await look({ reuse: 0 }), [{ event: 'sourcePortsLow' }]);
});

void t.test('only pairs that lead to backends, and each by itself', async t => {
  const { look } = scene(['10.0.0.1:80', 'db.internal:5432', 'unix:/run/b']);
  const lines = await look({
    sockets: [9999, 0],
    use: [
      pair(900, 0, { to: '10.0.0.9' }),
      pair(900, 0, { from: '10.0.0.101' }),
      pair(900),
      pair(900, 0, { to: 'fd00::1', port: 5432 }),
    ],
  });
  t.match(lines, [
    { from: '10.0.0.101', backend: '10.0.0.1:80' },
    { from: '10.0.0.100', backend: '10.0.0.1:80' },
    { backend: '[fd00::1]:5432' },
  ]);
});

void t.test('it ends', async t => {
  const { look, stop, timers } = scene();
  await look();
  stop();
  t.equal(timers.pending, 0);
});
