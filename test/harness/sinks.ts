/**
 * What standard error may be when something is wrong with it: full disks, readers that have gone or stand still,
 * terminals that were closed.
 *
 * Place: tests start a program with `fd` as its standard error. Pipes and sockets are real ones: Node's own 'pipe' is a
 * socket. Terminals take python3, which Node has no way to make one without.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { find } from './programs.ts';
import type { Teardown } from './teardown.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface Sink {
  readonly fd: number;
  /** Makes it what its name says, once the program has it. */
  break(): void;
  /** Reads all that comes from now on; only where there is a reader. */
  read?(): NodeJS.ReadableStream;
}

export interface SinkKind {
  readonly name: string;
  /** Why it cannot be had here; false where it can. */
  skip(): string | false;
  open(t: Teardown): Promise<Sink>;
}

const never = (): false => false;

export const SINKS: readonly SinkKind[] = [
  {
    name: 'a full disk',
    skip: never,
    open: async t => opened(t, openSync('/dev/full', 'w'), () => undefined),
  },
  {
    name: 'a pipe whose reader has gone',
    skip: never,
    open: async t => {
      const { readFd, fd } = pipe(t);
      return opened(t, fd, () => closeSync(readFd));
    },
  },
  {
    name: 'a pipe whose reader stands still',
    skip: never,
    open: async t => {
      const { readFd, fd } = pipe(t);
      const sink = opened(t, fd, () => undefined);
      return { ...sink, read: () => new Socket({ fd: readFd, readable: true, writable: false }) };
    },
  },
  {
    name: 'a terminal that was closed',
    skip: withoutPython,
    open: async t => {
      const terminal = await openTerminal(t);
      return opened(t, terminal.fd, () => void terminal.child.stdin.write('close\n'));
    },
  },
  {
    name: 'a terminal that stands still',
    skip: withoutPython,
    open: async t => {
      const { fd, child } = await openTerminal(t);
      return {
        ...opened(t, fd, () => undefined),
        read: () => {
          child.stdin.write('read\n');
          return child.stdout;
        },
      };
    },
  },
];

function opened(t: Teardown, fd: number, breakIt: () => void): Sink {
  t.teardown(() => closeSync(fd));
  return { fd, break: breakIt };
}

/** A pipe: both ends of a named one. */
function pipe(t: Teardown): { readFd: number; fd: number } {
  const folder = temporaryFolder(t);
  const path = join(folder, 'pipe');
  spawnSync('mkfifo', [path]);
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { readFd, fd: openSync(path, constants.O_WRONLY) };
}

function withoutPython(): string | false {
  return find('python3') === undefined && 'this machine has no python3';
}

const TERMINAL = `
import os, pty, sys, tty
master, slave = pty.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
for line in sys.stdin:
    if line == 'close\\n':
        os.close(master)
    else:
        os.close(slave)
        try:
            while True:
                os.write(1, os.read(master, 65536))
        except OSError:
            pass
`;

async function openTerminal(t: Teardown) {
  const child = spawn('python3', ['-c', TERMINAL], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const reader = createInterface({ input: child.stdout });
  const [path] = (await once(reader, 'line')) as [string];
  reader.close();
  return { child, fd: openSync(path, constants.O_WRONLY | constants.O_NOCTTY) };
}
