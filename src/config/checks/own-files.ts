/**
 * A log that would be written over a file of this very lb4: its configuration, or its pid file.
 *
 * Place: asked before a log is opened, at the start and at a reload, and by `lb4 check`. Links are followed.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ConfigIssue, Path } from '../report/issue.ts';
import type { Config } from '../schema/schema.ts';

export interface OwnFiles {
  readonly config?: string | undefined;
  readonly pid?: string | undefined;
}

/** Relative paths of the configuration begin at `baseDir`; those of `own` at the working directory. */
export function logsOverOwnFiles(
  { to, access }: Config['log'],
  baseDir: string,
  own: OwnFiles,
): ConfigIssue[] {
  const logs: readonly (readonly [Path, string | undefined])[] = [
    [['log', 'to', 'path'], to.path],
    [['log', 'access', 'to', 'path'], access === false ? undefined : access.to?.path],
  ];
  const files = [
    [own.config, 'the configuration file'],
    [own.pid, 'the pid file'],
  ] as const;
  return logs.flatMap(([path, written]) => {
    if (written === undefined) return [];
    const log = resolve(baseDir, written);
    const found = files.find(([file]) => file !== undefined && isSame(log, resolve(file)));
    if (found === undefined) return [];
    const [expected, got] = ['a file for the log alone', `${log}, which is ${found[1]}`];
    return [{ path, kind: 'value', expected, got, message: `expected ${expected}, got ${got}` }];
  });
}

function isSame(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [one, other].map(path => statSync(path, { throwIfNoEntry: false }));
  return a?.isFile() === true && a.dev === b?.dev && a.ino === b.ino;
}
