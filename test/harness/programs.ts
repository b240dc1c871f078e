/**
 * Programs that tests talk to: found on PATH, started on a port of their own, ended with the test.
 *
 * A program that is missing is a visible skip on a laptop and a failure in CI, where `.ci/run` installs it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Teardown } from './teardown.ts';
import { pause } from './until.ts';

/** Debian keeps servers where an ordinary user's PATH does not look. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

/** The program's path, or undefined when this machine does not have it. */
export function find(program: string): string | undefined {
  for (const folder of FOLDERS) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** For a test's `skip`: false when all programs are there, else the reason; in CI a missing one is an error. */
export function skipWithout(...programs: string[]): string | false {
  const missing = programs.filter(program => find(program) === undefined);
  if (missing.length === 0) return false;
  const reason = `this machine has no ${missing.join(', ')}`;
  if (process.env['CI'] === 'true') throw new Error(`${reason}; .ci/run should have installed it`);
  return reason;
}

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, bounded in time. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number; cwd?: string } = {},
): Promise<Ran> {
  const { input = '', env = process.env, timeoutMs = 60_000, cwd } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(find(program) ?? program, args, {
      env,
      cwd,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** Starts a server that listens on this port of 127.0.0.1; resolves once it accepts. It ends with the test. */
export async function startServer(
  t: Teardown,
  program: string,
  args: readonly string[],
  port: number,
): Promise<void> {
  const child = spawn(find(program) ?? program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let talk = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (talk += text));
  t.teardown(() => {
    child.kill('SIGKILL');
    return ended(child);
  });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${program} has ended: ${talk}`);
    await pause(10);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** Resolves when a child process has ended. */
export function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  }
  return new Promise(resolve => child.once('exit', (code, signal) => resolve({ code, signal })));
}

/** Below the ports that systems give by themselves, to connections too, and so are those 10,000 above (Redis Cluster). */
const FIRST_PORT = 12_000;
const PORTS = 10_000;
/** Test files that run at the same time begin far from each other. */
let nextPort = (process.pid * 131) % PORTS;

/** A port that was free a moment ago, for programs that cannot be asked which port they were given. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST_PORT + nextPort;
    nextPort = (nextPort + 1) % PORTS;
    if (await isFree(port)) return port;
  }
  throw new Error('no port is free');
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
