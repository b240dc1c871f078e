/**
 * A program in a terminal of its own: what it writes, keys for it, another size, its end.
 *
 * How: Python's pty, because Node has none. Linux with python3.
 */
import { spawn } from 'node:child_process';
import { find } from './programs.ts';
import type { Teardown } from './teardown.ts';

/** Reads lines of JSON: a text is typed, a pair is the size. */
const HOST = `
import fcntl, json, os, pty, select, signal, struct, sys, termios
size, command = json.loads(sys.argv[1]), sys.argv[2:]
def resize(fd, size):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', size[1], size[0], 0, 0))
pid, fd = pty.fork()
if pid == 0:
    sys.stdin.readline()
    os.execvp(command[0], command)
resize(fd, size)
os.write(fd, b'\\n')
os.write(2, ('pid %d\\n' % pid).encode())
rest = b''
while True:
    ready, _, _ = select.select([fd, 0], [], [])
    if 0 in ready:
        piece = os.read(0, 65536)
        if piece == b'': os.kill(pid, signal.SIGKILL)
        *lines, rest = (rest + piece).split(b'\\n')
        for each in map(json.loads, lines):
            if isinstance(each, str): os.write(fd, each.encode())
            else:
                resize(fd, each)
                os.kill(pid, signal.SIGWINCH)
    if fd in ready:
        try: piece = os.read(fd, 65536)
        except OSError: break
        if piece == b'': break
        os.write(1, piece)
_, status = os.waitpid(pid, 0)
os.write(2, ('status %d\\n' % os.waitstatus_to_exitcode(status)).encode())
`;

export interface PseudoTerminal {
  /** Everything that was written so far. */
  readonly written: () => string;
  readonly pid: () => number;
  type(text: string): void;
  resize(width: number, height: number): void;
  /** Exit code, or the number of the signal, negative. */
  readonly ended: Promise<number>;
}

export const skipWithoutTerminal = (): string | false =>
  find('python3') === undefined ? 'this machine has no python3' : false;

export function inTerminal(
  t: Teardown,
  command: readonly string[],
  {
    width = 80,
    height = 24,
    env = process.env,
  }: { width?: number; height?: number; env?: NodeJS.ProcessEnv } = {},
): PseudoTerminal {
  const host = spawn('python3', ['-c', HOST, JSON.stringify([width, height]), ...command], { env });
  let [written, said] = ['', ''];
  host.stdout.setEncoding('utf8').on('data', (text: string) => (written += text));
  host.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  host.stdin.on('error', () => undefined);
  t.teardown(() => host.stdin.end());
  const ended = new Promise<number>((resolve, reject) => {
    host.once('close', () => {
      const status = /status (-?\d+)/.exec(said)?.[1];
      if (status === undefined) reject(new Error(`the terminal failed: ${said}`));
      else resolve(Number(status));
    });
  });
  ended.catch(() => undefined);
  const send = (value: unknown): void => void host.stdin.write(`${JSON.stringify(value)}\n`);
  return {
    written: () => written,
    pid: () => Number(/pid (\d+)/.exec(said)?.[1] ?? 0),
    type: send,
    resize: (columns, rows) => send([columns, rows]),
    ended,
  };
}
