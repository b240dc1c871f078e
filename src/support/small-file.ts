/**
 * Reads a small file that a user or the system names, and refuses everything else that a path can stand for.
 *
 * Place: certificates, keys, passwords, `/etc/hosts` and the like. Synchronous, because it runs at the start, or for a
 * file that is always there. A path that may be a pipe, as a configuration's may, is for config/source/read-text.ts.
 * Invariants:
 * - Never waits, and takes no more memory than a few times `mostMib`.
 * - A FIFO without a writer, a terminal, a device and a file without end are errors that name what they are.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';

const MIB = 2 ** 20;
const PIECE_BYTES = 65_536;

/** The text, as UTF-8. Throws the system's error, or one that names another problem. */
export function readSmallFile(path: string, mostMib = 16): string {
  return readSmallBytes(path, mostMib).toString();
}

/** The same for a file that is no text. */
export function readSmallBytes(path: string, mostMib = 16): Buffer {
  // Opening a FIFO, or some devices, would wait for a program at the other end.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (stats.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' });
    if (!stats.isFile()) throw new Error('it is not a regular file');
    const most = mostMib * MIB;
    if (stats.size > most) throw tooLarge(mostMib);
    // The size may be wrong: in /proc it is 0 for all files, and other files grow.
    const pieces: Buffer[] = [];
    let length = 0;
    for (;;) {
      const piece = Buffer.allocUnsafe(Math.max(stats.size - length + 1, PIECE_BYTES));
      const count = readSync(fd, piece, 0, piece.length, null);
      if (count === 0) return Buffer.concat(pieces, length);
      length += count;
      if (length > most) throw tooLarge(mostMib);
      pieces.push(piece.subarray(0, count));
    }
  } finally {
    closeSync(fd);
  }
}

/** For code that reads the file by itself, such as c-ares. */
export function isSmallFileOrNone(path: string, mostMib = 16): boolean {
  try {
    const stats = statSync(path);
    return stats.isFile() && stats.size <= mostMib * MIB;
  } catch {
    return true;
  }
}

function tooLarge(mostMib: number): Error {
  return new Error(`it is larger than ${mostMib} MiB`);
}
