/** Source ports: how many a backend has, and what takes them. */
import t from 'tap';
import { sourcePorts } from '../../../../src/cli/doctor/local-ports.ts';
import type { Judged } from '../../../../src/cli/doctor/finding.ts';
import {
  connections,
  judged,
  machineWith,
  outlookWith,
  planWith,
  troubles,
  upstream,
  type Files,
} from './made-up-machine.ts';

/** 100 ports, of which 10 are kept for listeners. */
const SMALL: Files = {
  'net.ipv4.ip_local_port_range': '40000\t40099\n',
  'net.ipv4.ip_local_reserved_ports': '30000-40004,40095-50000\n',
};
const ports = (files: Files, parts: Partial<Judged> = {}): string[] =>
  troubles(sourcePorts(judged({ machine: machineWith({ ...SMALL, ...files }), ...parts })));
const one = (...backends: string[]) => planWith({ upstreams: [upstream('app', ...backends)] });
const few = outlookWith({ maxSessions: 50 });

void t.test('ports that are reserved do not count', async t => {
  const [finding] = sourcePorts(judged({ machine: machineWith(SMALL), outlook: few }));
  t.match(finding, { verdict: 'ok', found: /^90 for each backend/ });
});

void t.test("a backend's maxSessions beyond its ports fails", async t => {
  t.same(ports({}, { plan: one('10.0.0.1:80/91'), outlook: few }), [
    'fail source ports: app 10.0.0.1:80: 90; its maxSessions is 91',
  ]);
  t.same(ports({}, { plan: one('10.0.0.1:80/90'), outlook: few }), []);
});

void t.test('configured sessions beyond the ports of all backends of an upstream fail', async t => {
  const plan = { ...one('10.0.0.1:80', '10.0.0.2:80'), maxSessions: 181 };
  t.same(ports({}, { plan, outlook: few }), [
    'fail source ports: app: 180 for its backends together; 181 sessions are configured',
  ]);
  t.same(ports({}, { plan: { ...plan, maxSessions: 180 }, outlook: few }), []);
});

void t.test('sessions that only descriptors limit warn, where ports run out first', async t => {
  const outlook = outlookWith({ maxSessions: 200 });
  t.match(ports({}, { plan: one('10.0.0.1:80'), outlook }), [
    /^warn source ports: app: 90 for its backend; descriptors allow 200/,
  ]);
  t.same(
    ports({}, { plan: one('10.0.0.1:80', 'unix:/run/app.sock'), outlook }),
    [],
    'a unix socket takes no port',
  );
  t.same(ports({}, { plan: one('10.0.0.1:80/10'), outlook }), [], 'the backend makes clients wait before');
});

void t.test('ports in use are counted for each backend, by the tables of the kernel', async t => {
  const plan = one('10.0.0.1:80', '10.0.0.2:80');
  const used = (count: number, state: string, more: Files = {}) =>
    ports({ '/proc/net/tcp': connections('10.0.0.1:80', count, state), ...more }, { plan, outlook: few });
  t.same(used(62, '01'), []);
  t.same(used(63, '01'), ['warn source ports: 10.0.0.1:80: 63 of 90 in use, 0 of them in TIME_WAIT']);
  t.same(used(86, '06'), ['fail source ports: 10.0.0.1:80: 86 of 90 in use, 86 of them in TIME_WAIT']);
  t.same(used(86, '06', { 'net.ipv4.tcp_tw_reuse': '1\n' }), [], 'the kernel uses them again');
});

void t.test('connections of IPv6 are found, too', async t => {
  // 2001:db8::1, port 80, as a machine with little-endian words prints it.
  const line = '   0: 00000000000000000000000001000000:8000 B80D0120000000000000000001000000:0050 01 0\n';
  const plan = one('[2001:db8::1]:80');
  t.match(ports({ '/proc/net/tcp6': line.repeat(90) }, { plan, outlook: few }), [
    /^fail .*\[2001:db8::1\]:80: 90 of 90/,
  ]);
});

void t.test('each source address has ports of its own', async t => {
  const [app] = one('10.0.0.1:80/250', '[fd00::1]:80/90').upstreams;
  const plan = (source: readonly string[] | 'client') =>
    planWith({ upstreams: [{ name: 'app', backends: [], ...app, source }] });
  t.same(ports({}, { plan: plan(['10.0.0.9', '10.0.0.8', '10.0.0.7', 'fd00::9']), outlook: few }), []);
  t.same(ports({}, { plan: plan(['10.0.0.9', '10.0.0.8', 'fd00::9']), outlook: few }), [
    'fail source ports: app 10.0.0.1:80: 180; its maxSessions is 250',
  ]);
  t.same(ports({}, { plan: plan('client'), outlook: few }), [], 'those of each client');
  const from = (address: string, count: number): string =>
    connections('10.0.0.1:80', count, '01').replaceAll('0100007F', address);
  const used = (...counts: readonly number[]): string[] =>
    ports(
      { '/proc/net/tcp': counts.map((count, i) => from(`0${i}00000A`, count)).join('') },
      { plan: plan(['10.0.0.1', '10.0.0.2', '10.0.0.3']), outlook: few },
    );
  t.same(used(60, 60, 60), []);
  t.same(used(60, 86, 60), [
    'fail source ports: 10.0.0.1:80: 86 of 90 in use from one of 3 addresses, 0 of them in TIME_WAIT',
  ]);
});

void t.test('TIME_WAIT beyond what the system keeps is warned of', async t => {
  const files = {
    '/proc/net/sockstat': 'TCP: inuse 7 orphan 0 tw 96 alloc 7 mem 131\n',
    'net.ipv4.tcp_max_tw_buckets': '100\n',
  };
  t.match(ports(files, { outlook: few }), [/^warn source ports: 96 connections in TIME_WAIT, of 100/]);
});
