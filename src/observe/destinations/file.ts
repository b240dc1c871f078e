/**
 * A file at a path, which can be opened again: log rotation renames it and sends SIGUSR1.
 *
 * Place: below `LineBuffer`. Written in Node's thread pool, because a disk may be slow. A named pipe works as well: it
 * is opened without waiting for its reader, and takes what it has room for.
 * Invariants:
 * - A file that cannot be opened again leaves the one that was.
 * - A write in progress ends in the file in which it began.
 * - A file that was deleted is made again within about a second, at the next line; what was written to it since is
 *   gone with it.
 */
import { close, constants, fstat, open, openSync, write, writeSync } from 'node:fs';
import { systemCode } from '../../errors.ts';
import type { Output, Written } from '../output.ts';

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
const FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
/** Who may read a log may know who connects to what. */
const MODE = 0o640;
/** How often it is asked whether the file still has a name. */
const LOOK_MS = 1_000;

type Done = (written: Written) => void;

export class LogFile implements Output {
  /** A named pipe reports by itself that its reader does not keep up. */
  readonly isFile = true;
  readonly path: string;
  readonly #now: () => number;
  /** Undefined: a named pipe that had no reader yet, or a file that was deleted. */
  #fd: number | undefined;
  #isUnderWay = false;
  /** Opened again, and taken at the next write. */
  #next: number | undefined;
  #isClosed = false;
  #lookedAtMs: number;

  /** Opens the file; throws the system's error where that is not possible. */
  constructor(path: string, now: () => number) {
    this.path = path;
    this.#now = now;
    this.#lookedAtMs = now();
    this.#fd = openNow(path);
  }

  write(bytes: Buffer, done: Done): void {
    this.#takeNext();
    this.#isUnderWay = true;
    if (this.#fd === undefined) this.#openFor(bytes, done);
    else if (this.#now() - this.#lookedAtMs >= LOOK_MS) this.#lookAt(this.#fd, bytes, done);
    else this.#writeTo(this.#fd, bytes, done);
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

  #lookAt(fd: number, bytes: Buffer, done: Done): void {
    this.#lookedAtMs = this.#now();
    fstat(fd, (error, stats) => {
      // A file system that does not answer says nothing about the file.
      if (error !== null || stats.nlink > 0) {
        this.#writeTo(fd, bytes, done);
        return;
      }
      this.#forget(fd);
      this.#fd = undefined;
      this.#openFor(bytes, done);
    });
  }

  #openFor(bytes: Buffer, done: Done): void {
    open(this.path, FLAGS, MODE, (error, fd) => {
      if (error !== null) {
        this.#end({ taken: 0, code: systemCode(error) }, done);
        return;
      }
      this.#fd = fd;
      this.#writeTo(fd, bytes, done);
    });
  }

  #writeTo(fd: number, bytes: Buffer, done: Done): void {
    write(fd, bytes, (error, taken) => {
      this.#end(error === null ? { taken } : { taken: 0, code: systemCode(error) }, done);
    });
  }

  #end(written: Written, done: Done): void {
    this.#isUnderWay = false;
    done(written);
    if (this.#isClosed) this.close();
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
