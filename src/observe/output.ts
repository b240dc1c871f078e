/**
 * Where lines go: a descriptor of this process; a write never waits for the program that reads it.
 *
 * Place: below `LineBuffer`, which hands over one chunk at a time.
 * Why not `process.stderr`: Node writes to files and terminals synchronously, so a terminal that is stopped stops the
 * thread; and a stream keeps in memory what a pipe does not take. Setting O_NONBLOCK on the descriptor itself would set
 * it for every program that shares it, the shell included. So, by kind:
 * - pipes and terminals are opened once more through /proc, with O_NONBLOCK of their own;
 * - files are written in Node's thread pool, because a disk may be slow, too;
 * - sockets (journald), and pipes that may not be opened again, go through Node's stream, a chunk at a time.
 * Invariants: `done` follows every `write` once, possibly within it; a failure is a value.
 */
import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { systemCode } from '../errors.ts';

/** The system has `taken` bytes; `code` says why not all of them. EAGAIN: the reader does not keep up. */
export interface Written {
  readonly taken: number;
  readonly code?: string;
  /** Lines among `taken`, or before them, that are known to be lost; default 0. */
  readonly lost?: number;
}

export interface Output {
  /** A regular file, which no program has to read for it to take more. */
  readonly isFile?: boolean;
  write(bytes: Buffer, done: (written: Written) => void): void;
  /** For a process that is about to end: writes what the system takes at once, after the write in progress. */
  writeNow(bytes: Buffer): void;
  /** Ends the process, even if a write in progress never ends. */
  endProcess(exitCode: number): void;
  /** Gives up what it holds, and what it was writing: nothing keeps the process alive any more. */
  close?(): void;
}

/** The output over standard output (1) or standard error (2). */
export function openOutput(fd: 1 | 2): Output {
  const stats = fstatSync(fd);
  const isTerminal = isatty(fd);
  if (stats.isFIFO() || isTerminal) {
    const reader = openAgain(fd);
    if (reader !== undefined) return reader;
  }
  // A thread of the pool, not this one, waits for a terminal that must not be opened again.
  if (isTerminal || stats.isFile() || stats.isCharacterDevice()) return new FileOutput(fd, stats.isFile());
  return new StreamOutput(fd === 1 ? process.stdout : process.stderr);
}

/** Undefined where that is not possible: no /proc, or a pipe of another user. */
function openAgain(fd: number): Output | undefined {
  if (process.platform !== 'linux') return undefined;
  const path = `/proc/self/fd/${fd}`;
  try {
    return new NonBlockingOutput(path, open(path));
  } catch (error) {
    // A named pipe without a reader: one may come later.
    return systemCode(error) === 'ENXIO' ? new NonBlockingOutput(path, undefined) : undefined;
  }
}

function open(path: string): number {
  return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
}

/** A pipe or a terminal through a descriptor of its own. */
class NonBlockingOutput implements Output {
  readonly #path: string;
  #fd: number | undefined;

  constructor(path: string, fd: number | undefined) {
    this.#path = path;
    this.#fd = fd;
  }

  write(bytes: Buffer, done: (written: Written) => void): void {
    done(this.#write(bytes));
  }

  writeNow(bytes: Buffer): void {
    this.#write(bytes);
  }

  endProcess(exitCode: number): void {
    process.exit(exitCode);
  }

  #write(bytes: Buffer): Written {
    try {
      this.#fd ??= open(this.#path);
      return { taken: writeSync(this.#fd, bytes) };
    } catch (error) {
      return { taken: 0, code: systemCode(error) };
    }
  }
}

/** A file or a device. */
class FileOutput implements Output {
  readonly isFile: boolean;
  readonly #fd: number;
  #isUnderWay = false;

  constructor(fd: number, isFile: boolean) {
    this.#fd = fd;
    this.isFile = isFile;
  }

  write(bytes: Buffer, done: (written: Written) => void): void {
    this.#isUnderWay = true;
    write(this.#fd, bytes, (error, taken) => {
      this.#isUnderWay = false;
      done(error === null ? { taken } : { taken: 0, code: systemCode(error) });
    });
  }

  writeNow(bytes: Buffer): void {
    try {
      writeSync(this.#fd, bytes);
    } catch {
      // There is no reader left to report to.
    }
  }

  endProcess(exitCode: number): void {
    if (!this.#isUnderWay) process.exit(exitCode);
    // A regular exit would wait for the thread that waits for the disk.
    process.kill(process.pid, 'SIGKILL');
  }
}

/** A stream of Node's that survives its errors, as standard output and standard error do. */
class StreamOutput implements Output {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    // The callback of the write reports the same.
    stream.on('error', () => undefined);
  }

  write(bytes: Buffer, done: (written: Written) => void): void {
    this.#stream.write(bytes, error =>
      done(error ? { taken: 0, code: systemCode(error) } : { taken: bytes.length }),
    );
  }

  writeNow(bytes: Buffer): void {
    this.#stream.write(bytes);
  }

  endProcess(exitCode: number): void {
    process.exit(exitCode);
  }
}
