/** Each verdict of `lb4 doctor` about the machine, on machines that are made up. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { CHECKS, judge } from '../../../../src/cli/doctor/checks.ts';
import { descriptors, openFiles } from '../../../../src/cli/doctor/descriptors.ts';
import type { Check, Judged } from '../../../../src/cli/doctor/finding.ts';
import { kernelSwitches, SWITCHES } from '../../../../src/cli/doctor/kernel-switches.ts';
import {
  connectionTracking,
  listenOverflows,
  listenPorts,
  listenQueue,
} from '../../../../src/cli/doctor/listening.ts';
import { clock, memory, processors, socketMemory, threads } from '../../../../src/cli/doctor/resources.ts';
import { engine, redis } from '../../../../src/cli/doctor/software.ts';
import {
  address,
  judged,
  machineWith,
  outlookWith,
  planWith,
  troubles,
  verdicts,
  WELL,
  type Files,
} from './made-up-machine.ts';

const on = (files: Files, parts: Partial<Judged> = {}): Judged =>
  judged({ machine: machineWith(files), ...parts });
const trouble = (check: Check, files: Files, parts: Partial<Judged> = {}): string[] =>
  troubles(check(on(files, parts)));

void t.test('on a machine on which nothing is wrong every check is ok, and has a figure', async t => {
  const findings = judge(judged());
  t.same(troubles(findings), []);
  t.ok(findings.length >= CHECKS.length - 1, String(findings.length));
  t.ok(findings.every(({ found }) => found !== ''));
});

void t.test('every trouble has an advice, whatever is wrong', async t => {
  const empty = machineWith(Object.fromEntries(Object.keys(WELL).map(path => [path, undefined])));
  const findings = judge(judged({ machine: { ...empty, isClockSynchronised: 'not allowed' } }));
  t.ok(findings.some(({ verdict }) => verdict === 'unknown'));
  t.same(
    findings.filter(({ verdict }) => verdict === 'fail' || verdict === 'warn'),
    [],
    'what cannot be read is neither a failure nor a warning',
  );
  for (const { verdict, found } of findings)
    if (verdict === 'unknown') t.match(found, /^cannot read \/proc\/\S+ \(ENOENT\)$|not allowed/);
});

void t.test(
  'descriptors: too few for the sessions that are configured fail, with the number it takes',
  async t => {
    const short = { wanted: 50_000, descriptorsNeeded: 111_222 };
    const [finding] = descriptors(judged({ outlook: outlookWith({ maxSessions: 9_000, short }) }));
    t.match(finding, { verdict: 'fail', found: /room for 9,000 sessions; 50,000 are configured/ });
    t.match(finding?.advice, 'LimitNOFILE=111222');
  },
);

void t.test('descriptors: too few to start fail, few warn only where no number is configured', async t => {
  const limits = (soft: number, hard = soft) => ({
    '/proc/self/limits': `Max open files            ${soft}                ${hard}                files\n`,
  });
  const few = { outlook: outlookWith({ maxSessions: 400 }) };
  t.match(trouble(descriptors, limits(191), few), [
    'fail descriptors: ulimit -n is 191: lb4 needs 192 to start',
  ]);
  t.match(trouble(descriptors, limits(1024, 4096), few), [
    /^warn descriptors: ulimit -n is 1,024 \(hard limit 4,096\), room for 400 sessions/,
  ]);
  t.same(trouble(descriptors, limits(1024), { ...few, plan: planWith({ maxSessions: 300 }) }), []);
  t.match(trouble(descriptors, limits(240), { ...few, plan: planWith({ workers: 4 }) }), [
    /needs 288 to start/,
  ]);
});

void t.test('open files of the whole machine: warns from 80 %, fails from 95 %', async t => {
  const at = (used: number) => trouble(openFiles, { 'fs.file-nr': `${used}\t0\t1000\n` });
  t.same(at(799), []);
  t.same(at(800), ['warn open files: 800 of 1,000 on the whole machine']);
  t.same(at(950), ['fail open files: 950 of 1,000 on the whole machine']);
});

void t.test('listen queue: shorter than what lb4 asks for is a warning', async t => {
  t.match(trouble(listenQueue, { 'net.core.somaxconn': '128\n' }), [/^warn listen queue: .* 128: /]);
});

void t.test('overflows of listen queues are warned of, with both counters', async t => {
  const netstat = 'TcpExt: A ListenOverflows ListenDrops B\nTcpExt: 1 23 45 2\n';
  t.match(trouble(listenOverflows, { '/proc/net/netstat': netstat }), [
    /^warn overflows: 23 .* 45 were dropped/,
  ]);
});

void t.test('ports that are privileged, or that outgoing connections may take, are warned of', async t => {
  const listening = (...at: string[]) => ({
    plan: planWith({ listeners: [{ name: 'web', addresses: at.map(address) }] }),
  });
  t.match(trouble(listenPorts, {}, listening('0.0.0.0:443')), [
    /0\.0\.0\.0:443: this user may not bind .* 1024/,
  ]);
  t.same(trouble(listenPorts, { 'net.ipv4.ip_unprivileged_port_start': '80' }, listening('0.0.0.0:443')), []);
  t.same(
    trouble(listenPorts, { '/proc/self/status': 'CapEff:\t0000000000000400\n' }, listening('[::]:443')),
    [],
  );
  t.same(
    troubles(
      listenPorts({ ...on({}, listening('0.0.0.0:443')), machine: machineWith({}, { isRoot: true }) }),
    ),
    [],
  );
  t.match(trouble(listenPorts, {}, listening('0.0.0.0:40000')), [/^warn .*:40000: within 32768 to 60999/]);
  t.same(
    trouble(listenPorts, { 'net.ipv4.ip_local_reserved_ports': '80,39999-40001\n' }, listening('[::]:40000')),
    [],
  );
});

void t.test('conntrack: warns from 70 % or where the sessions do not fit, fails from 95 %', async t => {
  const at = (count: string | undefined, parts: Partial<Judged> = {}) =>
    trouble(
      connectionTracking,
      { 'net.netfilter.nf_conntrack_max': '1000\n', 'net.netfilter.nf_conntrack_count': count },
      parts,
    );
  t.same(at('699'), []);
  t.same(at(undefined), []);
  t.match(at('700'), ['warn conntrack: 700 of 1,000 entries']);
  t.match(at('950'), [/^fail conntrack: 950 of 1,000 entries: the next connections are dropped/]);
  t.match(at('1', { plan: planWith({ maxSessions: 501 }) }), [
    /^warn conntrack: .* 501 sessions take two each/,
  ]);
});

const GROUP = {
  '/proc/self/cgroup': '0::/app\n',
  '/proc/self/mountinfo': '29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
};
const grouped = (file: string, text: string): Files => ({ ...GROUP, [`/sys/fs/cgroup/app/${file}`]: text });

void t.test('memory: less than lb4 takes fails, less than the sessions take warns', async t => {
  const MIB = 2 ** 20;
  const limited = (mib: number, parts: Partial<Judged> = {}) =>
    trouble(memory, grouped('memory.max', `${mib * MIB}\n`), parts);
  t.match(limited(100), [
    /^fail memory: the control group allows 100MiB; 2 workers and no session take about 120MiB/,
  ]);
  t.same(limited(200), []);
  t.match(limited(200, { plan: planWith({ maxSessions: 10_000 }) }), [
    /^warn memory: .* 10,000 sessions up to 276MiB/,
  ]);
  t.match(trouble(memory, { '/proc/meminfo': 'MemAvailable:    51200 kB\n' }), [
    /^fail memory: available: 50MiB/,
  ]);
});

void t.test('socket memory: warns under pressure, fails when it is used up', async t => {
  const at = (pages: number) =>
    trouble(socketMemory, {
      '/proc/net/sockstat': `TCP: inuse 7 orphan 0 tw 0 alloc 7 mem ${pages}\n`,
      'net.ipv4.tcp_mem': '500\t1000\t2000\n',
    });
  t.same(at(999), []);
  t.match(at(1000), [/^warn socket memory: 3\.9MiB in buffers of TCP, of 7\.8MiB: buffers shrink/]);
  t.match(at(1900), [/^fail socket memory/]);
});

void t.test('workers for listeners with TLS are named, and share the cores of the others', async t => {
  const plan = planWith({ workers: 8, workersForTls: 4 });
  t.same(verdicts(processors(judged({ plan }))), ['ok']);
  const [found] = engine(judged({ outlook: outlookWith({}, { workers: 4, workersForTls: 4 }) }));
  t.equal(found?.found, 'epoll over koffi, 4 workers and 4 with the node engine for TLS');
  t.match(memory(judged({ plan }))[0]?.found, /8 workers and no session/);
});

void t.test('processors: more workers than cores, and a quota that is felt, are warned of', async t => {
  t.match(trouble(processors, {}, { plan: planWith({ workers: 8 }) }), [
    /^warn processors: 4 cores for 8 workers/,
  ]);
  const stat = (throttled: number) => ({
    ...grouped('cpu.max', '150000 100000\n'),
    '/sys/fs/cgroup/app/cpu.stat': `usage_usec 1\nnr_periods 100\nnr_throttled ${throttled}\n`,
  });
  t.match(trouble(processors, stat(6)), [
    /2 cores for 2 workers \(a CPU quota of 1\.5 on 4 cores\); in 6 % of/,
  ]);
  t.same(trouble(processors, stat(5)), []);
});

void t.test('threads: a limit below what Node takes fails', async t => {
  t.match(trouble(threads, grouped('pids.max', '13\n')), [
    'fail threads: the control group allows 13; lb4 takes at least 14',
  ]);
  t.match(trouble(threads, grouped('pids.max', '20\n')), ['warn threads: the control group allows 20']);
  t.same(trouble(threads, grouped('pids.max', '40\n')), []);
});

void t.test('the clock: not synchronised and slow are warned of, not readable is unknown', async t => {
  const clocked = (isClockSynchronised: boolean | string) =>
    troubles(clock(judged({ machine: machineWith({}, { isClockSynchronised }) })));
  t.match(clocked(false), [/^warn clock: not synchronised/]);
  t.same(clocked('not allowed'), ['unknown clock: not allowed']);
  const source = '/sys/devices/system/clocksource/clocksource0/current_clocksource';
  t.match(trouble(clock, { [source]: 'hpet\n' }), [/^warn clock: its source is hpet/]);
});

void t.test('engine: what cannot run fails, what is less than the best warns with the reason', async t => {
  t.same(troubles(engine(judged({ outlook: { ok: false, reason: 'no epoll here' } }))), [
    'fail engine: no epoll here',
  ]);
  const node = outlookWith({}, { engine: 'node', workers: 0, ffi: undefined, reason: 'no koffi' });
  t.same(troubles(engine(judged({ outlook: node }))), ['warn engine: node, in the main thread: no koffi']);
});

void t.test('redis: not reachable fails, slow warns', async t => {
  const asked = (outlook: Judged['redis']) => redis(judged({ redis: outlook }));
  t.same(troubles(asked({ ok: false, reason: 'refused' })), [
    'fail redis: refused; each instance counts by itself',
  ]);
  t.match(troubles(asked({ ok: true, latencyMs: 80, version: '7.0.1' })), [
    /^warn redis: Redis 7\.0\.1, an answer takes 80 ms/,
  ]);
  t.same(verdicts(asked({ ok: true, latencyMs: 0.4, version: undefined })), ['ok']);
});

const BAD: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_syncookies': '0',
  'net.ipv4.tcp_max_syn_backlog': '128',
  'net.ipv4.tcp_abort_on_overflow': '1',
  'net.ipv4.tcp_rmem': '4096\t87380\t1048576',
  'net.ipv4.tcp_wmem': '4096\t16384\t1048576',
  'net.ipv4.tcp_moderate_rcvbuf': '0',
  'net.ipv4.tcp_timestamps': '0',
  'fs.pipe-user-pages-soft': '1024',
};

void t.test(
  'each switch of the kernel has a value that is warned of, with the reason and the command',
  async t => {
    t.same(SWITCHES.map(({ key }) => key).sort(), Object.keys(BAD).sort());
    for (const [key, value] of Object.entries(BAD)) {
      const bad = kernelSwitches(on({ [key]: `${value}\n` })).filter(({ verdict }) => verdict !== 'ok');
      t.equal(bad.length, 1, key);
      t.match(bad[0], { verdict: 'warn', advice: `sysctl -w ${key}=` });
    }
    t.match(trouble(kernelSwitches, { 'net.ipv4.tcp_rmem': '4096 87380 1048576' }), [
      /1MiB: .* at most 84 Mbit\/s/,
    ]);
  },
);

void t.test('docs/doctor.md lists every check and every switch, and no other', async t => {
  const text = readFileSync('docs/doctor.md', 'utf8');
  const firstCells = (heading: string): string[] => {
    const rows = text.slice(text.indexOf(heading)).split('\n\n')[0]?.split('\n').slice(2) ?? [];
    return rows.flatMap(row =>
      Array.from((row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g), ([, name = '']) => name),
    );
  };
  const known = judge(judged({ redis: { ok: true, latencyMs: 1, version: '7' } })).map(({ check }) => check);
  const switches = SWITCHES.map(({ key }) => key);
  t.same(firstCells('| switch |').sort(), [...switches].sort());
  const others = known.filter(check => !switches.some(key => key.endsWith(`.${check}`)));
  t.same(firstCells('| check |').sort(), others.sort());
});
