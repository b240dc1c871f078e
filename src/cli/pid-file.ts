/**
 * The pid file: written when lb4 accepts, removed when it ends, and only if it is still the one that was written.
 *
 * Place: used by run.ts. A successor may take the file over at any time: it writes its own under another name and
 * renames it, so no reader sees half a number, and the predecessor finds a file that is not its own and leaves it
 * alone.
 * Invariants:
 * - Nothing is written through a symbolic link.
 * - A file that is no pid file is never replaced.
 * - A failure leaves nothing behind.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../errors.ts';

/** More than any process id with white space around it. */
const LONGEST = 32;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is not one',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'its file system is read-only',
  ENOSPC: 'no space is left on its file system',
  EDQUOT: 'the disk quota is used up',
  ENAMETOOLONG: 'its name is too long',
};

export class PidFile {
  readonly #path: string;
  readonly #pid: number;
  #written: Stats | undefined;

  /**
   * @throws Error saying why it could not be written, so that this is known before clients are accepted; writes nothing
   * yet
   */
  constructor(path: string, pid = process.pid) {
    this.#path = path;
    this.#pid = pid;
    this.#naming(() => {
      if (!statSync(dirname(path)).isDirectory()) throw new Error('its folder is not one');
      this.#expectReplaceable();
    });
  }

  /**
   * Writes the file. Returns the process that the file named until now, if that still runs.
   *
   * @throws Error saying why not
   */
  write(): number | undefined {
    return this.#naming(() => {
      const before = this.#expectReplaceable();
      const temporary = `${this.#path}.${randomBytes(6).toString('hex')}`;
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
      const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
      try {
        try {
          writeSync(fd, `${this.#pid}\n`);
          this.#written = fstatSync(fd);
        } finally {
          closeSync(fd);
        }
        renameSync(temporary, this.#path);
      } catch (error) {
        rmSync(temporary, { force: true });
        this.#written = undefined;
        throw error;
      }
      return before !== undefined && before !== this.#pid && isRunning(before) ? before : undefined;
    });
  }

  /** Removes the file unless another process has written it since. Never throws. */
  remove(): void {
    if (this.#written === undefined) return;
    try {
      const { dev, ino } = lstatSync(this.#path);
      const isOurs = dev === this.#written.dev && ino === this.#written.ino;
      if (isOurs && readPid(this.#path) === this.#pid) unlinkSync(this.#path);
    } catch {
      // The file is gone, or is no longer lb4's to remove.
    }
  }

  /** The process that the file names, if there is one; throws when the path holds something other than a pid file. */
  #expectReplaceable(): number | undefined {
    const there = lstatSync(this.#path, { throwIfNoEntry: false });
    if (there === undefined) return undefined;
    if (there.isSymbolicLink()) throw new Error('it is a symbolic link');
    if (there.isDirectory()) throw new Error('it is a directory');
    if (!there.isFile()) throw new Error('it is not a regular file');
    if (there.size === 0) return undefined;
    const pid = there.size <= LONGEST ? readPid(this.#path) : undefined;
    if (pid === undefined) throw new Error('there is a file with something else than a process id in it');
    return pid;
  }

  #naming<T>(attempt: () => T): T {
    try {
      return attempt();
    } catch (error) {
      const code = systemCode(error);
      throw new Error(`cannot write the pid file ${this.#path}: ${REASONS[code] ?? code}`, { cause: error });
    }
  }
}

function readPid(path: string): number | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const text = readFileSync(fd, 'utf8').trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
  } finally {
    closeSync(fd);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It belongs to another user.
    return systemCode(error) === 'EPERM';
  }
}
