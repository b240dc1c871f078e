/**
 * The pid file: written when lb4 accepts, removed when it ends, and only if it is still the one that was written.
 *
 * Place: used by run.ts.
 * Who has it: the instance that takes clients holds a lock on the file, which ends with the process. A start that finds
 * it locked fails. The lock is let go of when a drain begins, so another instance can take the file over while the
 * sessions of this one end; an upgrade takes it over from its predecessor, and so does an
 * instance that listens at the unix socket's path of the first, whose file has been removed. An instance that takes the file over writes
 * its own under another name and puts it in place in one step: no reader sees half a number, and the one before finds a
 * file that is not its own and leaves it alone.
 * Without locks (no C library, some network file systems) a running process of the same program counts as having it.
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
  linkSync,
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
import { lockFile, type Locked } from '../linux/file-lock.ts';
import type { Libc } from '../linux/libc.ts';
import { nameOfProcess, programOf } from '../linux/process-name.ts';

/** More than any process id with white space around it. */
const LONGEST = 32;
/** Others may look at the file, or take it over, at this very moment. */
const MOST_ATTEMPTS = 100;

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

export interface PidFileOptions {
  /** Default: this process. */
  readonly pid?: number;
  /** For the lock. */
  readonly libc?: Libc | undefined;
  /** Whether this process replaces that one, which runs: its file may be taken over. Default: none. */
  readonly replaces?: ((pid: number) => boolean) | undefined;
}

/** The file belongs to another instance, which runs. */
export class PidFileHeld extends Error {}

export class PidFile {
  readonly #path: string;
  readonly #options: PidFileOptions;
  readonly #pid: number;
  #written: Stats | undefined;
  /** Holds the lock. */
  #fd: number | undefined;

  /**
   * @throws Error saying why it could not be written, so that this is known before clients are accepted; writes nothing
   * yet
   */
  constructor(path: string, options: PidFileOptions = {}) {
    this.#path = path;
    this.#options = options;
    this.#pid = options.pid ?? process.pid;
    this.#naming(() => {
      if (!statSync(dirname(path)).isDirectory()) throw new Error('its folder is not one');
      this.#whileMine('shared', () => true);
    });
  }

  /**
   * Writes the file. Returns the process of lb4 that the file named until now, if that still runs.
   *
   * @throws Error saying why not
   */
  write(): number | undefined {
    return this.#naming(() => {
      const temporary = `${this.#path}.${randomBytes(6).toString('hex')}`;
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
      this.#fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
      try {
        writeSync(this.#fd, `${this.#pid}\n`);
        this.#written = fstatSync(this.#fd);
        this.#lock(this.#fd, 'exclusive');
        const before = this.#whileMine('exclusive', isThere => putInPlace(temporary, this.#path, isThere));
        return before !== undefined && before !== this.#pid && isLikeThis(before) ? before : undefined;
      } catch (error) {
        this.letGo();
        this.#written = undefined;
        throw error;
      } finally {
        rmSync(temporary, { force: true });
      }
    });
  }

  /** From now on another instance may take the file over. */
  letGo(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
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

  /**
   * Acts while no other instance has the file, until that returns true. Returns the process that the file names, if
   * there is one.
   *
   * @throws PidFileHeld, or Error when the path holds something other than a pid file
   */
  #whileMine(kind: 'shared' | 'exclusive', act: (isThere: boolean) => boolean): number | undefined {
    let holder: number | undefined;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const before = this.#expectReplaceable();
      if (before === 'none') {
        if (act(false)) return undefined;
        continue;
      }
      const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        holder = before.pid;
        if (!this.#isMine(holder, this.#lock(fd, kind))) continue;
        if (sameFile(fd, this.#path) && act(true)) return holder;
      } finally {
        closeSync(fd);
      }
    }
    throw new PidFileHeld(
      `it is the file of ${holder === undefined ? 'a process' : nameOfProcess(holder)}, which runs`,
    );
  }

  #isMine(holder: number | undefined, locked: Locked): boolean {
    if (locked === 'locked') return true;
    if (holder !== undefined && this.#options.replaces?.(holder) === true) return true;
    if (locked === 'held') return false;
    return holder === undefined || holder === this.#pid || !isLikeThis(holder);
  }

  #lock(fd: number, kind: 'shared' | 'exclusive'): Locked {
    const { libc } = this.#options;
    return libc === undefined ? 'unsupported' : lockFile(libc, fd, kind);
  }

  /** What the file names; throws when the path holds something other than a pid file. */
  #expectReplaceable(): 'none' | { readonly pid: number | undefined } {
    const there = lstatSync(this.#path, { throwIfNoEntry: false });
    if (there === undefined) return 'none';
    if (there.isSymbolicLink()) throw new Error('it is a symbolic link');
    if (there.isDirectory()) throw new Error('it is a directory');
    if (!there.isFile()) throw new Error('it is not a regular file');
    if (there.size === 0) return { pid: undefined };
    const pid = there.size <= LONGEST ? readPid(this.#path) : undefined;
    if (pid === undefined) throw new Error('there is a file with something else than a process id in it');
    return { pid };
  }

  #naming<T>(attempt: () => T): T {
    try {
      return attempt();
    } catch (error) {
      const code = systemCode(error);
      const message = `cannot write the pid file ${this.#path}: ${REASONS[code] ?? code}`;
      throw error instanceof PidFileHeld ? new PidFileHeld(message) : new Error(message, { cause: error });
    }
  }
}

/** False when a file has come there meanwhile. */
function putInPlace(temporary: string, path: string, isThere: boolean): boolean {
  if (isThere) {
    renameSync(temporary, path);
    return true;
  }
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    // A file system without hard links.
    renameSync(temporary, path);
    return true;
  }
}

function sameFile(fd: number, path: string): boolean {
  const [open, there] = [fstatSync(fd), lstatSync(path, { throwIfNoEntry: false })];
  return open.dev === there?.dev && open.ino === there.ino;
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

/** Whether it runs the same program as this process: the number of a process that has ended may have gone to any other one. */
function isLikeThis(pid: number): boolean {
  const program = programOf(pid);
  return program !== undefined && program === programOf(process.pid);
}
