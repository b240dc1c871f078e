/**
 * Who holds an address that cannot be bound: the process, or at least its user.
 *
 * Place: listen-failure.ts asks when a bind has failed with EADDRINUSE.
 * How: the kernel lists every socket of this network with its inode (proc(5)), and for each process the inodes of its
 * descriptors. Those of other users' processes are for root; then the user is all that can be said.
 * Bounds: 4 MiB of a list, in which listening sockets come first, and 20,000 descriptors. A machine with more of them
 * gets less of an answer, not a longer wait.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import { isAbstract, type Address, type TcpAddress, type UnixAddress } from '../support/address.ts';
import { formatAddress } from '../support/address.ts';
import { formatIPv4, formatIPv6, isMappedIPv4 } from '../support/ip-bytes.ts';
import { splitZone } from '../support/zone.ts';
import { unixRow } from './proc-net-unix.ts';
import { nameOfProcess } from './process-name.ts';

const MOST_BYTES = 4 * 2 ** 20;
const MOST_DESCRIPTORS = 20_000;
const LISTENING = '0A';

interface HeldSocket {
  readonly inode: string;
  /** Not known of unix sockets. */
  readonly uid?: number;
  /** What the holder does with another address than the one that is wanted: ', which listens on 0.0.0.0:80'. */
  readonly besides: string;
  /** The lower, the more it stands in the way. */
  readonly rank: number;
}

interface Surroundings {
  readonly proc: string;
  readonly pid: number;
  readonly uid: number | undefined;
}

/** In words that follow "in use by"; undefined where nothing can be found out. */
export function holderOf(
  address: Address,
  surroundings: Surroundings = { proc: '/proc', pid: process.pid, uid: process.getuid?.() },
): string | undefined {
  const { proc } = surroundings;
  const sockets = address.kind === 'unix' ? unixSockets(address, proc) : tcpSockets(address, proc);
  const [first] = sockets;
  if (first === undefined) return undefined;
  // A connection is no reason while a process listens, also where that process cannot be seen.
  const found = processWith(
    sockets.filter(({ rank }) => rank === first.rank),
    proc,
  );
  if (found !== undefined) {
    const who = found.pid === surroundings.pid ? 'this process itself' : nameOfProcess(found.pid, proc);
    return who + found.socket.besides;
  }
  const { uid, besides } = first;
  if (uid === undefined) return `a process that lb4 may not look at${besides}`;
  if (uid !== surroundings.uid) return `a process of another user (uid ${uid})${besides}`;
  return `a process that cannot be seen from here (uid ${uid})${besides}`;
}

/** Whether a process listens at the path of a unix socket, also where the file has been removed since. */
export function listensAt(pid: number, address: UnixAddress, proc = '/proc'): boolean {
  const links = new Set(unixSockets(address, proc).map(({ inode }) => `socket:[${inode}]`));
  return (
    links.size > 0 && namesIn(`${proc}/${pid}/fd`).some(fd => links.has(linkAt(`${proc}/${pid}/fd/${fd}`)))
  );
}

/** Those that stand in the way: with the same address first, then listening ones, then connections from the port. */
function tcpSockets(address: TcpAddress, proc: string): readonly HeldSocket[] {
  const [wanted] = splitZone(address.host);
  const found: HeldSocket[] = [];
  for (const file of ['tcp', 'tcp6']) {
    for (const line of linesOf(`${proc}/net/${file}`)) {
      const [, local = '', , state, , , , uid, , inode = '0'] = line.trim().split(/\s+/);
      const [hex = '', port = ''] = local.split(':');
      if (Number.parseInt(port, 16) !== address.port || inode === '0') continue;
      const host = hostOf(hex);
      if (!overlaps(wanted, host)) continue;
      const isSame = host === wanted;
      const held = formatAddress({ kind: 'tcp', host, port: address.port });
      const besides =
        state !== LISTENING
          ? `, which has a connection from ${held}`
          : isSame
            ? ''
            : `, which listens on ${held}`;
      found.push({ inode, uid: Number(uid), besides, rank: state !== LISTENING ? 2 : isSame ? 0 : 1 });
    }
  }
  return found.toSorted((a, b) => a.rank - b.rank);
}

function unixSockets(address: UnixAddress, proc: string): readonly HeldSocket[] {
  const names = isAbstract(address) ? [address.path] : [address.path, resolve(address.path)];
  return linesOf(`${proc}/net/unix`).flatMap(line => {
    const { flags, inode = '', path = '' } = unixRow(line) ?? {};
    // Sockets of clients that were accepted have the same path; only a listening one has this flag.
    return flags === '00010000' && names.includes(path) ? [{ inode, besides: '', rank: 0 }] : [];
  });
}

/** '' stands for all addresses of both families, and `::` may do so as well: the lists do not say. */
function overlaps(wanted: string, held: string): boolean {
  if (wanted === '' || held === '::' || wanted === held || isIP(wanted) === 0) return true;
  return isIPv4(wanted) === isIPv4(held) && [wanted, held].some(host => host === '0.0.0.0' || host === '::');
}

/** From words of 32 bits as the machine holds them. */
function hostOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (bytes.length % 4 !== 0) return '';
  bytes.swap32();
  if (bytes.length === 4) return formatIPv4(bytes, 0);
  return isMappedIPv4(bytes, 0) ? formatIPv4(bytes, 12) : formatIPv6(bytes, 0);
}

/** The process with the lowest number that has one of these sockets: of several, it has started the others. */
function processWith(
  sockets: readonly HeldSocket[],
  proc: string,
): { readonly pid: number; readonly socket: HeldSocket } | undefined {
  const byLink = new Map(sockets.toReversed().map(socket => [`socket:[${socket.inode}]`, socket]));
  let left = MOST_DESCRIPTORS;
  for (const pid of namesIn(proc)
    .map(Number)
    .filter(Number.isInteger)
    .toSorted((a, b) => a - b)) {
    for (const fd of namesIn(`${proc}/${pid}/fd`)) {
      if (left-- === 0) return undefined;
      const socket = byLink.get(linkAt(`${proc}/${pid}/fd/${fd}`));
      if (socket !== undefined) return { pid, socket };
    }
  }
  return undefined;
}

/** Nothing of a process that has ended, or of another user. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkAt(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Whole lines, from the beginning of a list of the kernel's. */
function linesOf(path: string): readonly string[] {
  const pieces: Buffer[] = [];
  try {
    const fd = openSync(path, 'r');
    try {
      for (let total = 0; total < MOST_BYTES;) {
        const piece = Buffer.allocUnsafe(65_536);
        const count = readSync(fd, piece);
        if (count === 0) break;
        pieces.push(piece.subarray(0, count));
        total += count;
      }
    } finally {
      closeSync(fd);
    }
  } catch {
    // Another system, or a /proc that hides it.
  }
  const [, ...lines] = Buffer.concat(pieces).toString().split('\n');
  return lines.slice(0, -1);
}
