/**
 * Which of the options that are asked for sockets this system does not have, or does not allow to this process.
 *
 * Place: asked at the start, at a reload and by `lb4 check`, before anything is bound: a session or a listener without an
 * option that its operator counts on would be noticed late.
 * How: the C library is loaded, and a socket is made, only where an option is asked for that needs them.
 */
import * as abi from '../linux/abi.ts';
import { loadLibc, type Libc, type LibcResult } from '../linux/libc.ts';
import { setFreebind, setInteger, setInterface, setTransparent } from '../linux/socket-options.ts';
import { EMFILE, ENFILE, ENOBUFS, ENOMEM, errnoName } from '../linux/system-error.ts';
import { readSmallFile } from '../support/small-file.ts';
import type { EarlyOptions, SocketOptions } from '../support/socket.ts';

type OptionName = keyof SocketOptions | keyof EarlyOptions;

/** An option that cannot be had, and why. */
export interface Missing {
  readonly option: OptionName;
  readonly why: string;
  /** It names something that may come later. */
  readonly isAbsent?: true;
}

export interface System {
  readonly libc: () => LibcResult;
  /** Undefined where there is no such file. */
  readonly read: (path: string) => string | undefined;
}

const THIS_SYSTEM: System = { libc: loadLibc, read: readOrNone };

/** Node sets these by itself, or the part of them that matters. */
const OF_NODE: readonly OptionName[] = ['keepalive', 'noDelay', 'backlog', 'early'];

export function missingOptions(options: SocketOptions, { libc, read }: System = THIS_SYSTEM): Missing[] {
  const { early = {}, fastOpen } = options;
  const asked = Object.entries({ ...options, ...early })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name as OptionName) // the keys of both types
    .filter(name => !OF_NODE.includes(name) && !(name === 'source' && early.source !== 'client'));
  if (asked.length === 0) return [];
  const loaded = libc();
  if (!loaded.ok) return asked.map(option => ({ option, why: loaded.reason }));
  const probes: Partial<Record<OptionName, () => string | undefined>> = {
    mptcp: () => whyNoMptcp(loaded.libc),
    interface: () =>
      refusal(loaded.libc, fd => setInterface(loaded.libc, fd, early.interface ?? ''), {
        ENODEV: `there is no interface ${early.interface}`,
        EPERM: 'it needs root or CAP_NET_RAW',
      }),
    freebind: () => refusal(loaded.libc, fd => setFreebind(loaded.libc, fd, abi.AF_INET)),
    source: () =>
      refusal(loaded.libc, fd => setTransparent(loaded.libc, fd, abi.AF_INET), {
        EPERM: 'the address of the client takes root or CAP_NET_ADMIN',
      }),
    fastOpen: () =>
      refusal(loaded.libc, fd =>
        setInteger(loaded.libc, fd, abi.IPPROTO_TCP, abi.TCP_FASTOPEN, fastOpen ?? 0),
      ) ?? whyNoFastOpen(read),
  };
  return asked.flatMap(option => {
    const why = probes[option]?.();
    if (why === undefined) return [];
    return [{ option, why, ...(why.endsWith('(ENODEV)') ? { isAbsent: true as const } : {}) }];
  });
}

const STREAM = abi.SOCK_STREAM | abi.SOCK_CLOEXEC;
/** The machine has run out of something, which shows nothing of what it can do. */
const SHORTAGES: readonly number[] = [EMFILE, ENFILE, ENOBUFS, ENOMEM];

function whyNoMptcp(libc: Libc): string | undefined {
  const fd = libc.socket(abi.AF_INET, STREAM, abi.IPPROTO_MPTCP);
  if (fd >= 0) {
    libc.close(fd);
    return undefined;
  }
  const errno = libc.errno();
  if (SHORTAGES.includes(errno)) return undefined;
  const code = errnoName(errno);
  return code === 'ENOPROTOOPT'
    ? 'MPTCP is switched off (sysctl -w net.mptcp.enabled=1)'
    : `this kernel has no MPTCP (${code})`;
}

const MEANINGS: Readonly<Record<string, string>> = {
  ENOPROTOOPT: 'this kernel does not have it',
  EPERM: 'this process may not',
};

/** Why an option cannot be set on a new socket; undefined when it can. */
function refusal(
  libc: Libc,
  set: (fd: number) => number,
  meanings: Readonly<Record<string, string>> = {},
): string | undefined {
  const fd = libc.socket(abi.AF_INET, STREAM, 0);
  if (fd < 0) return undefined;
  try {
    if (set(fd) >= 0) return undefined;
    const code = errnoName(libc.errno());
    const meaning = meanings[code] ?? MEANINGS[code];
    return meaning === undefined ? code : `${meaning} (${code})`;
  } finally {
    libc.close(fd);
  }
}

const FAST_OPEN = '/proc/sys/net/ipv4/tcp_fastopen';
const FOR_SERVERS = 2;

function whyNoFastOpen(read: System['read']): string | undefined {
  const text = read(FAST_OPEN);
  if (text === undefined || (Number(text) & FOR_SERVERS) !== 0) return undefined;
  const wanted = Number(text) | FOR_SERVERS;
  return `no listener has it while net.ipv4.tcp_fastopen is ${text.trim()} (sysctl -w net.ipv4.tcp_fastopen=${wanted})`;
}

function readOrNone(path: string): string | undefined {
  try {
    return readSmallFile(path);
  } catch {
    return undefined;
  }
}
