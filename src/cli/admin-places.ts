/**
 * Where the admin socket of an instance is: the same folders for lb4, which opens it, and for commands that look for it.
 *
 * Rules: `/run/lb4` for root; `$XDG_RUNTIME_DIR/lb4` for others, or `/run/lb4` where it is theirs, as systemd's
 * `RuntimeDirectory=lb4` makes it; without both a folder of their own in the folder for temporary files.
 * Invariant: a folder that another user (root excepted) could have made is not used: that user could pose as lb4.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemCode } from '../errors.ts';

export interface Place {
  readonly env: NodeJS.ProcessEnv;
  /** Undefined where users have no number. */
  readonly uid: number | undefined;
}

export const thisPlace = (): Place => ({ env: process.env, uid: process.getuid?.() });

const SYSTEM_FOLDER = '/run/lb4';

/** The paths at which the socket may be, best first. */
export function socketPaths(name: string, { env, uid }: Place): string[] {
  const runtime = env['XDG_RUNTIME_DIR'] ?? '';
  const own = join(tmpdir(), `lb4-${uid ?? 'user'}`);
  const folders = [SYSTEM_FOLDER, own];
  if (uid !== 0 && runtime.startsWith('/')) folders.unshift(join(runtime, 'lb4'));
  return folders.map(folder => join(folder, `${name}.sock`));
}

/** Makes the folder of a socket, for its user alone. Throws when that fails, or the folder belongs to another user. */
export function makeFolder(path: string, { uid }: Place): void {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  expectOwn(folder, uid);
}

/** Whether a folder may hold this user's socket. */
export function isTrusted(path: string, { uid }: Place): boolean {
  try {
    expectOwn(dirname(path), uid, 0);
    return true;
  } catch {
    return false;
  }
}

function expectOwn(folder: string, ...users: readonly (number | undefined)[]): void {
  const stats = lstatSync(folder);
  if (!stats.isDirectory()) throw new Error(`${folder} is no folder`);
  if (users[0] !== undefined && !users.includes(stats.uid))
    throw new Error(`${folder} belongs to another user`);
}
