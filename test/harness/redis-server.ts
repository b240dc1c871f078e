/**
 * A real redis-server for a test: a process of its own on a port of its own, which forgets everything with the test.
 *
 * `skipWithoutRedis` belongs into the test's `skip`: a machine without Redis skips visibly, CI fails.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Redis, type RedisOptions } from 'ioredis';
import type { RedisConnection } from '../../src/control/mirror/redis-connection.ts';
import { ended, find, freePort, skipWithout } from './programs.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { pause } from './until.ts';

export const skipWithoutRedis = (): string | false => skipWithout('redis-server');

export interface Teardown {
  teardown(callback: () => unknown): void;
}

export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  /** Empty at the start, gone at the end. */
  readonly folder: string;
  /** How lb4 connects to it. */
  readonly connection: RedisConnection;
  /** A client of the test's own, connected, closed at the end. */
  readonly admin: Redis;
  /** SIGSTOP: it keeps its connections, takes new ones, and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Kills it if it still runs, and starts it again on the same port, with further arguments if need be. */
  restart(further?: readonly string[]): Promise<void>;
}

export interface RedisServerOptions {
  /** Further arguments of redis-server. */
  readonly args?: readonly string[];
  /** Further variables of its environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** How to connect to it, where that differs. */
  readonly connection?: Partial<RedisConnection>;
  readonly admin?: RedisOptions;
}

/** Starts one; resolves when it answers. */
export async function startRedisServer(t: Teardown, options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const args = `--port ${port} --bind 127.0.0.1 --appendonly no`
    .split(' ')
    .concat('--save', '', '--dir', folder);
  let child = launch([...args, ...(options.args ?? [])], options.env);
  const admin = new Redis({
    host: '127.0.0.1',
    port,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
    ...options.admin,
    replyMapping: 'legacy',
  });
  admin.on('error', () => undefined);
  t.teardown(async () => {
    admin.disconnect();
    child.kill('SIGKILL');
    await ended(child);
  });
  await untilItAnswers(admin, child);

  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended(child);
  };
  return {
    port,
    get pid() {
      return child.pid ?? 0;
    },
    folder,
    connection: {
      topology: { kind: 'single', node: { host: '127.0.0.1', port } },
      database: 0,
      ...options.connection,
    },
    admin,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill,
    restart: async further => {
      await kill();
      child = launch([...args, ...(further ?? options.args ?? [])], options.env);
      await untilItAnswers(admin, child);
    },
  };
}

/** Starts redis-server with these arguments, without a word. */
export function launch(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(find('redis-server') ?? 'redis-server', args, {
    stdio: 'ignore',
    env: { ...process.env, ...env },
  });
}

/** Resolves with the first answer; rejects if the process ends instead. */
export async function untilItAnswers(admin: Redis, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    try {
      await admin.ping();
      return;
    } catch {
      await pause(10);
    }
  }
}
