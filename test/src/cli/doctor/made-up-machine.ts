/** A machine on which nothing is wrong, of which a test changes what it is about. */
import type { Outlook } from '../../../../src/composition/outlook.ts';
import type { Judged, Machine, Plan, Verdict, Finding } from '../../../../src/cli/doctor/finding.ts';
import { formatAddress, parseAddress, type Address } from '../../../../src/support/address.ts';

export type Files = Readonly<Record<string, string | undefined>>;

const sys = (key: string): string => `/proc/sys/${key.replaceAll('.', '/')}`;

export const WELL: Files = {
  '/proc/self/limits':
    'Limit                     Soft Limit           Hard Limit           Units     \n' +
    'Max open files            1048576              1048576              files     \n',
  '/proc/self/status': 'Name:\tnode\nCpus_allowed_list:\t0-3\nCapEff:\t0000000000000000\n',
  '/proc/meminfo': 'MemTotal:       16384000 kB\nMemAvailable:    8192000 kB\n',
  '/proc/net/netstat':
    'TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 0 0\nIpExt: A\nIpExt: 1\n',
  '/proc/net/sockstat': 'sockets: used 24\nTCP: inuse 7 orphan 0 tw 12 alloc 7 mem 131\n',
  '/proc/net/tcp': '',
  '/proc/net/tcp6': '',
  '/sys/devices/system/clocksource/clocksource0/current_clocksource': 'tsc\n',
  [sys('fs.file-nr')]: '939\t0\t9223372036854775807\n',
  [sys('fs.pipe-user-pages-soft')]: '16384\n',
  [sys('net.core.somaxconn')]: '4096\n',
  [sys('net.ipv4.ip_local_port_range')]: '32768\t60999\n',
  [sys('net.ipv4.ip_local_reserved_ports')]: '\n',
  [sys('net.ipv4.ip_unprivileged_port_start')]: '1024\n',
  [sys('net.ipv4.tcp_tw_reuse')]: '2\n',
  [sys('net.ipv4.tcp_max_tw_buckets')]: '131072\n',
  [sys('net.ipv4.tcp_mem')]: '287898\t383867\t575796\n',
  [sys('net.ipv4.tcp_syncookies')]: '1\n',
  [sys('net.ipv4.tcp_max_syn_backlog')]: '2048\n',
  [sys('net.ipv4.tcp_abort_on_overflow')]: '0\n',
  [sys('net.ipv4.tcp_rmem')]: '4096\t131072\t6291456\n',
  [sys('net.ipv4.tcp_wmem')]: '4096\t16384\t4194304\n',
  [sys('net.ipv4.tcp_moderate_rcvbuf')]: '1\n',
  [sys('net.ipv4.tcp_timestamps')]: '1\n',
};

/** @param changes by path, or by key for /proc/sys; undefined: there is no such file */
export function machineWith(changes: Files = {}, parts: Partial<Machine> = {}): Machine {
  const files = new Map(Object.entries(WELL));
  for (const [name, text] of Object.entries(changes))
    files.set(name.startsWith('/') ? name : sys(name), text);
  return {
    read: path => {
      const text = files.get(path);
      if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
      return text;
    },
    processors: { online: 4, available: 4 },
    isClockSynchronised: true,
    isRoot: false,
    isLittleEndian: true,
    ...parts,
  };
}

export const address = (text: string): Address => {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.address;
};

export function planWith(parts: Partial<Plan> = {}): Plan {
  return {
    maxSessions: undefined,
    workers: 2,
    workersForTls: 0,
    listeners: [{ name: 'web', addresses: [address('0.0.0.0:8080')] }],
    upstreams: [upstream('app', '10.0.0.1:80', '10.0.0.2:80')],
    ...parts,
  };
}

/** Backends as `address` or `address/maxSessions`. */
export function upstream(name: string, ...backends: string[]): Plan['upstreams'][number] {
  return {
    name,
    backends: backends.map(text => {
      const [, at = '', most] = /^(.*?)(?:\/(\d+))?$/.exec(text) ?? [];
      return { address: address(at), maxSessions: most === undefined ? undefined : Number(most) };
    }),
  };
}

export function outlookWith(
  sessions: Partial<Extract<Outlook, { ok: true }>['sessions']> = {},
  engine: Partial<Extract<Outlook, { ok: true }>['engine']> = {},
): Outlook {
  return {
    ok: true,
    engine: { engine: 'epoll', workers: 2, workersForTls: 0, ffi: 'koffi', ...engine },
    sessions: { maxSessions: 20_000, short: undefined, ...sessions },
  };
}

export function judged(parts: Partial<Judged> = {}): Judged {
  return { machine: machineWith(), plan: planWith(), outlook: outlookWith(), redis: undefined, ...parts };
}

/** Only the findings that are not `ok`, as `verdict check: found`. */
export function troubles(findings: readonly Finding[]): string[] {
  return findings
    .filter(each => each.verdict !== 'ok')
    .map(each => `${each.verdict} ${each.check}: ${each.found}`);
}

export const verdicts = (findings: readonly Finding[]): Verdict[] => findings.map(each => each.verdict);

/** Lines of /proc/net/tcp: connections to an IPv4 address, on a machine with little-endian words. */
export function connections(to: string, count: number, state: string): string {
  const parsed = address(to);
  if (parsed.kind !== 'tcp') throw new Error(formatAddress(parsed));
  const host = parsed.host.split('.').map(part => Number(part).toString(16).toUpperCase().padStart(2, '0'));
  const port = parsed.port.toString(16).toUpperCase().padStart(4, '0');
  const remote = `${host.reverse().join('')}:${port}`;
  return Array.from(
    { length: count },
    (_, i) => `   ${i}: 0100007F:8000 ${remote} ${state} 00000000:00000000 00:00000000 00000000     0\n`,
  ).join('');
}
