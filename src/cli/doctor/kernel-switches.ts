/** Switches of the kernel that change what lb4 can do, each with the reason. Those that change nothing are left out. */
import { formatBytes } from '../client/table.ts';
import { ok, unknown, warn, type Finding, type Judged } from './finding.ts';
import { pathOf, sysctl, whyUnreadable, type Numbers } from './kernel-files.ts';

interface Switch {
  readonly key: string;
  /** The value that matters of those in the file; default: the first. */
  readonly at?: number;
  readonly isGood: (value: number) => boolean;
  readonly why: (value: number) => string;
  readonly better: string;
  /** The value as people read it; default: the number. */
  readonly show?: (value: number) => string;
}

/** On a path of 100 ms there and back a buffer of this size lets 335 Mbit/s through. */
const LEAST_BUFFER = 4 * 2 ** 20;

export const SWITCHES: readonly Switch[] = [
  {
    key: 'net.ipv4.tcp_syncookies',
    isGood: value => value !== 0,
    why: () => 'a flood of SYNs keeps every new client out',
    better: '1',
  },
  {
    key: 'net.ipv4.tcp_max_syn_backlog',
    isGood: value => value >= 1024,
    why: () => 'many clients that connect in the same moment are answered late',
    better: '4096',
  },
  {
    key: 'net.ipv4.tcp_abort_on_overflow',
    isGood: value => value === 0,
    why: () => 'clients are reset that would wait while a listener is at its maxSessions',
    better: '0',
  },
  {
    key: 'net.ipv4.tcp_rmem',
    at: 2,
    isGood: value => value >= LEAST_BUFFER,
    why: value => `a sender 100 ms away gets at most ${overLongPath(value)} through one session`,
    better: '"4096 131072 6291456"',
    show: formatBytes,
  },
  {
    key: 'net.ipv4.tcp_wmem',
    at: 2,
    isGood: value => value >= LEAST_BUFFER,
    why: value => `a receiver 100 ms away gets at most ${overLongPath(value)} through one session`,
    better: '"4096 16384 4194304"',
    show: formatBytes,
  },
  {
    key: 'net.ipv4.tcp_moderate_rcvbuf',
    isGood: value => value !== 0,
    why: () => 'buffers do not grow with a fast sender far away',
    better: '1',
  },
  {
    key: 'net.ipv4.tcp_timestamps',
    isGood: value => value !== 0,
    why: () => 'a source port in TIME_WAIT cannot be used again (tcp_tw_reuse)',
    better: '1',
  },
  {
    key: 'fs.pipe-user-pages-soft',
    isGood: value => value === 0 || value >= 16_384,
    why: () => 'bulk through the epoll engine gets small pipes, and costs more',
    better: '16384',
  },
];

export function kernelSwitches({ machine: { read } }: Judged): Finding[] {
  return SWITCHES.map(({ key, at = 0, isGood, why, better, show = String }) => {
    const check = key.slice(key.lastIndexOf('.') + 1);
    const values: Numbers | undefined = sysctl(read, key);
    const value = values?.[at];
    if (value === undefined) return unknown(check, whyUnreadable(read, pathOf(key)));
    if (isGood(value)) return ok(check, show(value));
    return warn(check, `${show(value)}: ${why(value)}`, `sysctl -w ${key}=${better}`);
  });
}

function overLongPath(bytes: number): string {
  return `${Math.round((bytes * 8) / 0.1 / 1e6)} Mbit/s`;
}
