/**
 * A file at a path, which can be opened again: log rotation renames it and sends SIGUSR1.
 *
 * Place: below `LineBuffer`. Written in Node's thread pool, because a disk may be slow. A named pipe works as well: it
 * is opened without waiting for its reader, and takes what it has room for.
 * Invariants:
 * - A file that cannot be opened again leaves the one that was.
 * - A write in progress ends in the file in which it began.
 */
import { close, constants, open, openSync, write, writeSync } from 'node:fs';
import { systemCode } from '../../errors.ts';
import type { Output, Written } from '../output.ts';

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
const FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
/** Who may read a log may know who connects to what. */
const MODE = 0o640;

export class LogFile implements Output {
  readonly path: string;
  /** Undefined: a named pipe that had no reader yet. */
  #fd: number | undefined;
  #isUnderWay = false;
  /** Opened again, and taken at the next write. */
  #next: number | undefined;
  #isClosed = false;

  /** Opens the file; throws the system's error where that is not possible. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openNow(path);
  }

  write(bytes: Buffer, done: (written: Written) => void): void {
    this.#takeNext();
    try {
      this.#fd ??= openSync(this.path, FLAGS, MODE);
    } catch (error) {
      done({ taken: 0, code: systemCode(error) });
      return;
    }
    this.#isUnderWay = true;
    write(this.#fd, bytes, (error, taken) => {
      this.#isUnderWay = false;
      done(error === null ? { taken } : { taken: 0, code: systemCode(error) });
      if (this.#isClosed) this.close();
    });
  }

  writeNow(bytes: Buffer): void {
    try {
      if (this.#fd !== undefined) writeSync(this.#fd, bytes);
    } catch {
      // There is no reader left to report to.
    }
  }

  endProcess(exitCode: number): void {
    if (!this.#isUnderWay) process.exit(exitCode);
    // A regular exit would wait for the thread that waits for the disk.
    process.kill(process.pid, 'SIGKILL');
  }

  /** Opens the path once more: `done` gets the system's name for why that was not possible. */
  reopen(done: (code: string | undefined) => void): void {
    open(this.path, FLAGS, MODE, (error, fd) => {
      if (error === null) {
        this.#forget(this.#next);
        this.#next = fd;
        if (!this.#isUnderWay) this.#takeNext();
        if (this.#isClosed) this.close();
      }
      done(error === null ? undefined : systemCode(error));
    });
  }

  close(): void {
    this.#isClosed = true;
    if (this.#isUnderWay) return;
    this.#takeNext();
    this.#forget(this.#fd);
    this.#fd = undefined;
  }

  #takeNext(): void {
    if (this.#next === undefined) return;
    this.#forget(this.#fd);
    this.#fd = this.#next;
    this.#next = undefined;
  }

  #forget(fd: number | undefined): void {
    // What a close reports late, such as a full quota, has no line to be attributed to.
    if (fd !== undefined) close(fd, () => undefined);
  }
}

function openNow(path: string): number | undefined {
  try {
    return openSync(path, FLAGS, MODE);
  } catch (error) {
    if (systemCode(error) === 'ENXIO') return undefined;
    throw error;
  }
}
