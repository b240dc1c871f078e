/**
 * Real PostgreSQL servers for a test: each in a folder of its own, gone with the test.
 *
 * `skipWithoutPostgres` belongs into the test's `skip`. The server refuses to run as root; root runs it as the user
 * `postgres`, which its package makes.
 */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { skipWithout } from './programs.ts';
import type { Teardown } from './teardown.ts';
import { temporaryFolder } from './temporary-folder.ts';

const PACKAGES = '/usr/lib/postgresql';

export function skipWithoutPostgres(): string | false {
  // Debian keeps the server's programs in a folder per version, which is on nobody's path.
  const folders = (() => {
    try {
      return readdirSync(PACKAGES).map(version => join(PACKAGES, version, 'bin'));
    } catch {
      return [];
    }
  })();
  process.env['PATH'] = [process.env['PATH'], ...folders].join(delimiter);
  return skipWithout('psql', ...(folders.length === 0 ? ['initdb'] : []));
}

export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
}

export interface PostgresServer {
  /** The process that takes clients. */
  readonly pid: number;
  /** The server's log. */
  readonly logFile: string;
  /** Starts a standby at another address: a copy that follows this server. */
  addStandby(at: PostgresAddress): Promise<PostgresServer>;
  /** Makes a standby a primary. */
  promote(): Promise<void>;
}

/** Starts a primary that trusts everybody on this machine. `tls`: the files of a certificate and its key. */
export async function startPostgres(
  t: Teardown,
  at: PostgresAddress,
  tls: { readonly cert: string; readonly key: string },
): Promise<PostgresServer> {
  const folder = newFolder(t);
  await asServer('initdb', ['-D', folder, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8']);
  for (const [file, name] of [
    [tls.cert, 'server.crt'],
    [tls.key, 'server.key'],
  ] as const) {
    copyFileSync(file, join(folder, name));
    chmodSync(join(folder, name), 0o600);
    giveAway(join(folder, name));
  }
  return start(t, folder, at);
}

async function start(t: Teardown, folder: string, at: PostgresAddress): Promise<PostgresServer> {
  const settings = ['fsync=off', 'ssl=on', 'unix_socket_directories='].flatMap(setting => ['-c', setting]);
  const options = ['-h', at.host, '-p', `${at.port}`, ...settings].join(' ');
  await asServer('pg_ctl', ['-D', folder, '-w', '-l', join(folder, 'log'), '-o', options, 'start']);
  const pid = Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
  t.teardown(async () => {
    // It may have been stopped.
    process.kill(pid, 'SIGCONT');
    await asServer('pg_ctl', ['-D', folder, '-m', 'immediate', 'stop']);
  });
  return {
    pid,
    logFile: join(folder, 'log'),
    async addStandby(standbyAt) {
      const copy = newFolder(t);
      const from = ['-h', at.host, '-p', `${at.port}`, '-U', 'postgres'];
      await asServer('pg_basebackup', [...from, '-D', copy, '-R', '-c', 'fast', '--no-sync']);
      return start(t, copy, standbyAt);
    },
    promote: () => asServer('pg_ctl', ['-D', folder, '-w', 'promote']),
  };
}

function newFolder(t: Teardown): string {
  const folder = temporaryFolder(t);
  giveAway(folder);
  return folder;
}

function giveAway(path: string): void {
  const user = serverUser();
  if (user !== undefined) chownSync(path, user.uid, user.gid);
}

async function asServer(program: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(program, args, { ...serverUser(), cwd: tmpdir(), timeout: 60_000 });
}

/** Undefined where this process may run the server itself. */
function serverUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
