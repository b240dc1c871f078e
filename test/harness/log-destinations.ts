/**
 * Destinations of a log that fail and are mended, and everything that has arrived there.
 *
 * Place: tests give `to` to an lb4 as its destination. What needs a file system or a journal of its own gets it in a mount
 * namespace, which takes root. Outcomes are counted over all files and connections of a kind, old ones included.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { LogInput } from '../../src/config/schema/log-schema.ts';
import * as abi from '../../src/linux/abi.ts';
import { encodeAddress } from '../../src/linux/sockaddr.ts';
import { libc } from './real-libc.ts';
import type { Teardown } from './teardown.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface FaultyDestination {
  readonly to: NonNullable<LogInput['to']>;
  /** What stands before the command line of lb4. */
  readonly command: readonly string[];
  /** Once lb4 runs. */
  started?(pid: number): void;
  break(): void | Promise<void>;
  mend(): void | Promise<void>;
  /** All that has arrived so far, as text in which every line of lb4's is a JSON text. */
  text(): string;
}

/** Mounts of its own for a program; `$0` of the script is not used. */
const withMounts = (script: string): readonly string[] => [
  ...['unshare', '--mount', 'sh', '-c', `${script} && exec "$@"`, 'sh'],
];

/** Files that were opened for reading once, and stay readable when they are renamed or deleted. */
class ReadFiles {
  readonly #fds: number[] = [];
  readonly #seen = new Set<string>();

  constructor(t: Teardown) {
    t.teardown(() => this.#fds.forEach(fd => closeSync(fd)));
  }

  /** Takes the file that is at the path now, unless it has it already, or there is none. */
  take(path: string): void {
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch {
      return;
    }
    const { dev, ino } = fstatSync(fd);
    const key = `${dev}:${ino}`;
    if (this.#seen.has(key)) closeSync(fd);
    else this.#fds.push(fd);
    this.#seen.add(key);
  }

  text(): string {
    return this.#fds
      .map(fd => {
        const bytes = Buffer.alloc(fstatSync(fd).size);
        return bytes.toString('utf8', 0, bytes.length === 0 ? 0 : readSync(fd, bytes, 0, bytes.length, 0));
      })
      .join('');
  }
}

/** A disk of its own that something else fills. */
export function fullDisk(t: Teardown): FaultyDestination {
  const folder = temporaryFolder(t);
  const files = new ReadFiles(t);
  let inside = folder;
  return {
    to: { type: 'file', path: join(folder, 'lb4.log') },
    command: withMounts(`mount -t tmpfs -o size=16m lb4-test ${folder}`),
    started(pid) {
      inside = `/proc/${pid}/root${folder}`;
      files.take(join(inside, 'lb4.log'));
    },
    break() {
      const fd = openSync(join(inside, 'filler'), 'a');
      for (let bytes = 2 ** 20; bytes >= 1; bytes /= 2) {
        try {
          for (;;) writeSync(fd, Buffer.alloc(bytes));
        } catch {
          // Full, for so many bytes at a time.
        }
      }
      closeSync(fd);
    },
    // An lb4 that has ended has taken its mounts along.
    mend: () => rmSync(join(inside, 'filler'), { force: true }),
    text: () => files.text(),
  };
}

/** A file that is deleted together with its folder. */
export function folderGone(t: Teardown): FaultyDestination {
  const folder = join(temporaryFolder(t), 'logs');
  mkdirSync(folder);
  const files = new ReadFiles(t);
  const path = join(folder, 'lb4.log');
  return {
    to: { type: 'file', path },
    command: [],
    break() {
      files.take(path);
      rmSync(folder, { recursive: true });
    },
    mend: () => {
      mkdirSync(folder);
    },
    text() {
      files.take(path);
      return files.text();
    },
  };
}

/** A file that is renamed, as log rotation does; nothing is broken. */
export function rotatedFile(t: Teardown): FaultyDestination {
  const path = join(temporaryFolder(t), 'lb4.log');
  const files = new ReadFiles(t);
  let process_ = 0;
  let rotations = 0;
  return {
    to: { type: 'file', path },
    command: [],
    started: pid => {
      process_ = pid;
    },
    break() {
      files.take(path);
      renameSync(path, `${path}.${++rotations}`);
      process.kill(process_, 'SIGUSR1');
    },
    mend: () => undefined,
    text() {
      files.take(path);
      return files.text();
    },
  };
}

/** A unix datagram socket whose receiver is the test. `standsStill`: it does not read, else it ends. */
export function unixReceiver(t: Teardown, standsStill: boolean): FaultyDestination {
  return unixAt(t, join(temporaryFolder(t), 'log'), standsStill, path => ({
    to: { type: 'syslog', address: `unix:${path}` },
    command: [],
  }));
}

/** The socket of the journal, whose receiver is the test and ends. */
export function deadJournal(t: Teardown): FaultyDestination {
  const folder = temporaryFolder(t);
  const mounts = [
    'mount -t tmpfs lb4-test /run',
    'mkdir -p /run/systemd/journal',
    `mount --bind ${folder} /run/systemd/journal`,
  ];
  return unixAt(t, join(folder, 'socket'), false, () => ({
    to: 'journald',
    command: withMounts(mounts.join(' && ')),
  }));
}

function unixAt(
  t: Teardown,
  path: string,
  standsStill: boolean,
  about: (path: string) => Pick<FaultyDestination, 'to' | 'command'>,
): FaultyDestination {
  let text = '';
  let isReading = true;
  const buffer = Buffer.alloc(65_536);
  const open = (): number => {
    const { family, bytes } = encodeAddress({ kind: 'unix', path });
    const fd = libc().socket(family, abi.SOCK_DGRAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC, 0);
    if (libc().bind(fd, bytes, bytes.length) < 0) throw new Error(`bind failed with ${libc().errno()}`);
    return fd;
  };
  let fd: number | undefined = open();
  const read = (): void => {
    if (fd === undefined) return;
    for (let count = 0; (count = libc().recv(fd, buffer, buffer.length, 0)) >= 0;)
      text += `${buffer.toString('utf8', 0, count)}\n`;
  };
  const reading = setInterval(() => isReading && read(), 1);
  const close = (): void => {
    read();
    if (fd !== undefined) libc().close(fd);
    fd = undefined;
  };
  t.teardown(() => {
    clearInterval(reading);
    close();
  });
  return {
    ...about(path),
    break() {
      isReading = false;
      if (standsStill) return;
      close();
      rmSync(path);
    },
    mend() {
      isReading = true;
      if (!standsStill) fd = open();
    },
    text() {
      if (isReading) read();
      return text;
    },
  };
}

/** A UDP receiver that ends, so that the network reports every datagram. */
export async function udpReceiver(t: Teardown): Promise<FaultyDestination> {
  let text = '';
  let socket: UdpSocket | undefined;
  const open = async (port: number): Promise<number> => {
    const opened = createSocket({ type: 'udp4', recvBufferSize: 4 * 2 ** 20 });
    opened.on('message', message => (text += `${message.toString()}\n`));
    opened.bind(port, '127.0.0.1');
    await once(opened, 'listening');
    socket = opened;
    return opened.address().port;
  };
  const close = async (): Promise<void> => {
    if (socket === undefined) return;
    const closed = once(socket, 'close');
    socket.close();
    socket = undefined;
    await closed;
  };
  const port = await open(0);
  t.teardown(close);
  return {
    to: { type: 'syslog', address: `udp:127.0.0.1:${port}` },
    command: [],
    break: close,
    mend: async () => {
      await open(port);
    },
    text: () => text,
  };
}

export type TcpFault = 'refuses' | 'stands still' | 'resets';

/** A TCP receiver: one that ends, one that does not read, or one that resets each connection after the first bytes. */
export async function tcpReceiver(t: Teardown, fault: TcpFault): Promise<FaultyDestination> {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let isBroken = false;
  let text = '';
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      // What is cut off comes again over the next connection.
      text += '\n';
    });
    socket.on('data', chunk => {
      text += chunk.toString();
      // Somewhere in a line, as a rule: what follows in the same chunk has not arrived.
      if (fault === 'resets' && isBroken) socket.resetAndDestroy();
    });
    if (fault === 'stands still' && isBroken) socket.pause();
  };
  const open = async (port: number): Promise<number> => {
    server = createServer(accept).listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.resetAndDestroy();
    if (server?.listening === true) await new Promise(done => server?.close(done));
  };
  const port = await open(0);
  t.teardown(close);
  return {
    to: { type: 'syslog', address: `tcp:127.0.0.1:${port}` },
    command: [],
    async break() {
      isBroken = true;
      if (fault === 'refuses') await close();
      if (fault === 'stands still') for (const socket of sockets) socket.pause();
    },
    async mend() {
      isBroken = false;
      if (fault === 'refuses') await open(port);
      for (const socket of sockets) socket.resume();
    },
    text: () => text,
  };
}

/** Why mounts of its own cannot be had here; false where they can. */
export function withoutMounts(): string | false {
  return process.getuid?.() !== 0 && 'mounts take root';
}
