/**
 * lb4 as its users run it: a process started with arguments, watched through its log.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { DATA_PLANE_ENV } from './data-plane.ts';
import { ended } from './programs.ts';
import type { Teardown } from './teardown.ts';

// Tests run side by side, and an admin socket has one owner: those that want it name themselves and switch it on.
process.env['LB4_ADMIN_SOCKET'] ??= 'off';

/** lb4 in its separate files, for tests of what happens while it loads these. */
export const SEPARATE_LB4 = fileURLToPath(new URL('../../bin/lb4.js', import.meta.url));

/** The bundle that users run, when the runner says that it is current: it starts in half the time. */
export const LB4 = process.env['LB4_TEST_COMMAND'] ?? SEPARATE_LB4;

export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

export interface Lb4Process {
  readonly pid: number;
  /** The first address it accepts on, `host:port`, and its parts. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** Log lines so far. */
  readonly lines: readonly LogLine[];
  /** What it wrote to stderr besides. */
  readonly other: readonly string[];
  readonly child: ChildProcess;
  /** Resolves with the first line, past or to come, that matches. */
  line(matches: (line: LogLine) => boolean): Promise<LogLine>;
  /** Ends it with SIGTERM and resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** lb4 as a service manager starts it: with sockets in `passed` and `LISTEN_FDS` in the environment. */
export const LB4_ACTIVATED = ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', process.execPath, LB4] as const;

/** Starts lb4 with a JSON log, on a port of its own unless `args` say otherwise; resolves when it accepts. */
export async function startLb4(
  t: Teardown,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; command?: readonly string[]; passed?: readonly number[] } = {},
): Promise<Lb4Process> {
  const listen = args.some(arg => ['-l', '--listen', '-c', '--config'].includes(arg))
    ? []
    : ['-l', '127.0.0.1:0'];
  const [program = process.execPath, ...before] = options.command ?? [process.execPath, LB4];
  const child = spawn(program, [...before, ...args, ...listen, '--log-format', 'json'], {
    stdio: ['ignore', 'inherit', 'pipe', ...(options.passed ?? [])],
    env: { ...process.env, ...DATA_PLANE_ENV, ...options.env },
  });
  t.teardown(() => child.kill('SIGKILL'));

  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  const other: string[] = [];
  const { stderr } = child;
  if (stderr === null) throw new Error('its stderr is a pipe');
  createInterface({ input: stderr }).on('line', text => {
    const line = parseLine(text);
    if (line === undefined) other.push(text);
    else lines.push(line);
    for (const wake of waiting) wake();
  });
  let over = false;
  child.once('close', () => {
    over = true;
    for (const wake of waiting) wake();
  });

  const line = async (matches: (line: LogLine) => boolean): Promise<LogLine> => {
    for (;;) {
      const found = lines.find(matches);
      if (found !== undefined) return found;
      if (over)
        throw new Error(
          `lb4 ended without the line waited for; it said: ${JSON.stringify([...other, ...lines])}`,
        );
      await new Promise<void>(resolve => {
        const wake = (): void => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    }
  };

  const listening = await line(({ event }) => event === 'listening');
  await line(({ event }) => event === 'started');
  const address = String(listening['address']);
  const colon = address.lastIndexOf(':');
  return {
    pid: child.pid ?? 0,
    address,
    host: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
    lines,
    other,
    child,
    line,
    stop: async () => {
      child.kill('SIGTERM');
      return (await ended(child)).code;
    },
  };
}

function parseLine(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // Every JSON line of lb4's log has an event (docs/access-log.md); the tests of log.ts hold it to that.
    return typeof value === 'object' && value !== null && 'event' in value ? (value as LogLine) : undefined;
  } catch {
    return undefined;
  }
}
