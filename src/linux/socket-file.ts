/**
 * The file of a unix socket: which socket it belongs to, its access rights, and when it may be removed.
 *
 * Place: used wherever lb4 listens on a unix socket, and stops listening on it.
 * Why by device and inode: a path does not show which program has made the file. A successor may have replaced it; if
 * the predecessor removed what it finds, the successor would live on, out of reach. The kernel keeps the inode of an
 * open socket, so its number belongs to no other file until the socket is closed: compare before that, not after.
 */
import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { resolve } from 'node:path';

import { systemCode } from '../errors.ts';
import type { ListenUnixAddress, SocketAccess } from '../support/address.ts';
import { unixRow } from './proc-net-unix.ts';
import { numberOf } from '../support/system-names.ts';

export interface SocketFile {
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
}

/** The socket that is at this path now; undefined when there is none, or something else. */
export function socketFileAt(path: string): SocketFile | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats?.isSocket() === true ? { path, dev: stats.dev, ino: stats.ino } : undefined;
}

/**
 * The file of a socket that has just been bound, with the access that is asked for. To be called before it listens:
 * until then the kernel refuses all clients. Throws when the access cannot be given, and then leaves no file.
 */
export function ownSocketFile({ path, access }: ListenUnixAddress): SocketFile | undefined {
  const file = socketFileAt(path);
  try {
    if (access !== undefined) giveAccess(path, access);
  } catch (error) {
    if (file !== undefined) removeIfSame(file);
    throw error;
  }
  return file;
}

/** Throws when the access cannot be given. */
export function giveAccess(path: string, { mode, user, group }: SocketAccess): void {
  const [uid, gid] = [numberOf('user', user), numberOf('group', group)];
  if (uid !== undefined || gid !== undefined) give(path, uid ?? -1, gid ?? -1);
  if (mode !== undefined) chmodSync(path, mode);
}

/** -1 leaves it as it is (chown(2)). */
function give(path: string, uid: number, gid: number): void {
  try {
    chownSync(path, uid, gid);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') throw error;
    throw new Error(
      'its file can be given to another user only by root, and to a group only by its members',
      {
        cause: error,
      },
    );
  }
}

/** Removes it unless something else is there by now. */
export function removeIfSame({ path, dev, ino }: SocketFile): void {
  const now = socketFileAt(path);
  if (now?.dev !== dev || now.ino !== ino) return;
  try {
    unlinkSync(path);
  } catch {
    // Another program has removed it, or its directory no longer allows that: then it is left as stale.
  }
}

/**
 * Removes a socket on which no program listens any more, because its program has ended without removing it. False
 * when a program listens on it, or it is no socket; then it is left alone.
 */
export async function removeStale(path: string): Promise<boolean> {
  const file = bornAt(path);
  if (file === undefined || !(await refusesClients(path))) return false;
  // Another instance that is starting may be between bind and listen, where it refuses clients, too.
  if (isAboutToListen(path)) return false;
  if (bornAt(path) === file) unlinkSync(path);
  return true;
}

/** Throws EADDRINUSE when the path is no longer this socket's: another instance has taken it at the same moment. */
export function expectAt(file: SocketFile | undefined): void {
  if (file === undefined) return;
  const now = socketFileAt(file.path);
  if (now?.dev === file.dev && now.ino === file.ino) return;
  throw Object.assign(new Error('bind EADDRINUSE'), { code: 'EADDRINUSE' });
}

/** Identifies the socket, by its time, too: the inode number of a removed socket is soon given to another file. */
function bornAt(path: string): string | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats?.isSocket() === true ? [stats.dev, stats.ino, stats.mtimeNs].join(' ') : undefined;
}

/** Linux lists every socket of this network with its path; one that is only bound has no flags. */
function isAboutToListen(path: string): boolean {
  let sockets: string;
  try {
    sockets = readFileSync('/proc/net/unix', 'utf8');
  } catch {
    return false;
  }
  const paths = [path, resolve(path)];
  return sockets.split('\n').some(line => {
    const { flags, type, state, path: bound = '' } = unixRow(line) ?? {};
    return flags === '00000000' && type === '0001' && state === '01' && paths.includes(bound);
  });
}

async function refusesClients(path: string): Promise<boolean> {
  const socket = connect({ path });
  const refuses = await new Promise<boolean>(done => {
    socket.once('connect', () => done(false));
    socket.once('error', error => done(systemCode(error) === 'ECONNREFUSED'));
  });
  socket.destroy();
  return refuses;
}
