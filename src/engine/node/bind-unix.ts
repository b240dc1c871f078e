/**
 * Makes a server listen on a unix socket, and returns the file that is its own.
 *
 * Place: the part of bind.ts that is about files. Why not `server.listen({ path })` alone: libuv removes the path when
 * it closes, even if another program's file is there by then. With the C library the socket is bound without libuv's
 * knowledge. Without it the socket is made in a folder of its own and then linked to its path: the path that libuv
 * removes no longer exists.
 * Invariant: a file is replaced only if it is a socket and no program answers on it.
 */
import { linkSync, lstatSync, mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';

import { systemCode } from '../../errors.ts';
import { isAbstract, type ListenUnixAddress } from '../../support/address.ts';
import type { Libc } from '../../linux/libc.ts';
import { bindListeningSockets, closeDescriptor } from '../../linux/listening-sockets.ts';
import { ownSocketFile, removeStale, socketFileAt, type SocketFile } from '../../linux/socket-file.ts';
import { listen } from './listen.ts';

/** A length that every system has room for, macOS having the least. */
const MAX_PATH_BYTES = 103;
const NO_ACCESS = `a mode, user or group of a path beyond ${MAX_PATH_BYTES - '.lb4-XXXXXX/s'.length} bytes needs koffi`;

export async function bindUnix(
  server: Server,
  address: ListenUnixAddress,
  libc: Libc | undefined,
  backlog?: number,
): Promise<SocketFile | undefined> {
  if (libc === undefined) return await bindByMoving(server, address, backlog);
  return await bindByLibc(server, address, libc, backlog);
}

async function bindByLibc(
  server: Server,
  address: ListenUnixAddress,
  libc: Libc,
  backlog: number | undefined,
): Promise<SocketFile | undefined> {
  const { fds, file } = await bindListeningSockets(libc, address, 1, { backlog });
  const [fd = -1] = fds;
  try {
    await listen(server, { fd }, backlog);
  } catch (error) {
    closeDescriptor(libc, fd);
    throw error;
  }
  return file;
}

async function bindByMoving(
  server: Server,
  address: ListenUnixAddress,
  backlog: number | undefined,
): Promise<SocketFile | undefined> {
  const { path } = address;
  if (isAbstract(address))
    throw new Error('names in the abstract namespace need koffi, which cannot be loaded');
  if (isTaken(path) && !(await removeStale(path))) {
    throw inUse();
  }
  // On Windows the path is no file.
  const folder = process.platform === 'win32' ? undefined : mkdtempSync(join(dirname(path), '.lb4-'));
  const elsewhere = folder === undefined ? path : join(folder, 's');
  try {
    if (folder === undefined || Buffer.byteLength(elsewhere) > MAX_PATH_BYTES) {
      if (address.access !== undefined) throw new Error(NO_ACCESS);
      await listen(server, { path }, backlog);
      return socketFileAt(path);
    }
    await listen(server, { path: elsewhere }, backlog);
    const file = ownSocketFile({ ...address, path: elsewhere });
    // Not renamed: another instance may have taken the path at the same moment.
    linkTo(elsewhere, path);
    return file && { ...file, path };
  } catch (error) {
    server.close();
    throw error;
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function linkTo(elsewhere: string, path: string): void {
  try {
    linkSync(elsewhere, path);
  } catch (error) {
    throw systemCode(error) === 'EEXIST' ? inUse() : error;
  }
}

function inUse(): Error {
  return Object.assign(new Error('bind EADDRINUSE'), { code: 'EADDRINUSE' });
}

function isTaken(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
