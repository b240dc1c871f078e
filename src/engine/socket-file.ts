/**
 * The file of a unix socket: whose it is, who may use it, and when it may be removed.
 *
 * Place: used wherever lb4 listens on a unix socket, and gives that up.
 * Why by device and inode: a path says nothing about who has put the file there. A successor may have replaced it, and
 * would live on where nobody can reach it if its predecessor removed what it finds. The kernel keeps the inode of a
 * socket that is open, so its number is nobody else's until the socket is closed: compare before, not after.
 */
import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

import { systemCode } from '../errors.ts';
import type { ListenUnixAddress, SocketAccess } from '../support/address.ts';
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
 * until then the kernel refuses all clients. Throws when the access cannot be given, and leaves no file then.
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
    // Somebody else has removed it, or its directory does not allow it any more: it is stale then.
  }
}

/**
 * Removes a socket on which nobody listens any more: its program has gone without doing so. False when it is
 * somebody's, or no socket; then it is left alone.
 */
export async function removeStale(path: string): Promise<boolean> {
  const file = socketFileAt(path);
  if (file === undefined || !(await refusesClients(path))) return false;
  removeIfSame(file);
  return true;
}

async function refusesClients(path: string): Promise<boolean> {
  const socket = connect({ path });
  const refuses = await new Promise<boolean>(resolve => {
    socket.once('connect', () => resolve(false));
    socket.once('error', error => resolve(systemCode(error) === 'ECONNREFUSED'));
  });
  socket.destroy();
  return refuses;
}
