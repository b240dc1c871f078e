/**
 * What a configuration needs of the system and that is not there, found without starting anything: files that it names,
 * owners of sockets, options of sockets.
 *
 * Place: used by `lb4 check`. Files for health checks and the mirror are read by the code that would use them; modules
 * with strategies must exist, but are not loaded, because they would run.
 */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isStrategyName } from '../../strategies/index.ts';
import { ConfigError } from '../config/report/config-error.ts';
import type { ConfigIssue } from '../config/report/issue.ts';
import { adminToken } from '../config/source/named-files.ts';
import type { Config } from '../config/schema/schema.ts';
import { logsOverOwnFiles, type OwnFiles } from '../config/checks/own-files.ts';
import { unknownOwners } from '../config/checks/socket-owners.ts';
import { systemCode } from '../errors.ts';
import { targetsOf } from '../control/discovery/file-source.ts';
import { tlsSettings } from '../control/health/tls-settings.ts';
import { socketProblems } from './socket-problems.ts';
import { redisConnection } from '../control/mirror/redis-connection.ts';
import { loadTls, type TlsFilesDeps } from '../control/tls/load-tls.ts';
import { tlsFiles } from '../control/tls/tls-files.ts';
import type { Sliced } from '../support/slices.ts';
import { readSmallFile } from '../support/small-file.ts';
import { accessSteps, type AccessSteps } from './access-lists.ts';

/** One problem for each, with the place of its key. */
export function problemsWithFiles(config: Config, baseDir: string, own: OwnFiles = {}): ConfigIssue[] {
  const { listeners, upstreams, redis, admin, log } = config;
  const deps = { baseDir, readFile: readSmallFile };
  const problems = (read: () => unknown): readonly ConfigIssue[] => {
    try {
      read();
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.issues;
      throw error;
    }
  };
  return [
    ...unknownOwners(listeners),
    ...socketProblems(config),
    ...logsOverOwnFiles(log, baseDir, own),
    ...upstreams.flatMap(({ strategy }, index) =>
      isStrategyName(strategy) ? [] : missingModule(strategy, baseDir, index),
    ),
    ...upstreams.flatMap(({ health: { tls } }, index) =>
      tls === undefined || tls === false
        ? []
        : problems(() => tlsSettings(tls, { ...deps, at: ['upstreams', index, 'health'] })),
    ),
    ...(admin.tokenFile === undefined ? [] : problems(() => adminToken(admin, deps))),
    ...(log.to.path === undefined ? [] : missingFolder(log.to.path, baseDir, ['log', 'to'])),
    ...(log.access === false || log.access.to?.path === undefined
      ? []
      : missingFolder(log.access.to.path, baseDir, ['log', 'access', 'to'])),
    ...(redis === undefined ? [] : problems(() => redisConnection(redis, { ...deps, at: ['redis'] }))),
  ];
}

/** The same of the files of `access`, which may be long; without problems what `access` says. */
export function* problemsWithLists(
  { listeners }: Config,
  baseDir: string,
): Sliced<{ readonly problems: readonly ConfigIssue[]; readonly lists: readonly AccessSteps[] }> {
  try {
    return { problems: [], lists: yield* accessSteps(listeners, { baseDir, readFile: readSmallFile }) };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.issues, lists: [] };
    throw error;
  }
}

/** The same of the files of `tls`, and what is doubtful about them. */
export function* problemsWithTls(
  config: Config,
  deps: Pick<TlsFilesDeps, 'baseDir' | 'wallClock'>,
): Sliced<{ readonly problems: readonly ConfigIssue[]; readonly warnings: readonly ConfigIssue[] }> {
  try {
    const { warnings } = yield* loadTls(config, { ...tlsFiles, ...deps });
    return { problems: [], warnings };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.issues, warnings: [] };
    throw error;
  }
}

/** The same of the files of `discovery`. */
export function problemsWithTargets({ upstreams }: Config, baseDir: string): ConfigIssue[] {
  return upstreams.flatMap(({ discovery = [] }, index) =>
    discovery.flatMap((source, i): ConfigIssue[] => {
      if (source.type !== 'file') return [];
      const file = resolve(baseDir, source.path);
      const targets = targetsOf(file);
      if (targets.ok) return [];
      const expected = 'a file that lists backends';
      const got = `${file} (${targets.reason})`;
      const path = ['upstreams', index, 'discovery', i, 'path'];
      return [{ path, kind: 'value', expected, got, message: `expected ${expected}, got ${got}` }];
    }),
  );
}

/** A module is not loaded, because it would run. */
function missingModule(strategy: string, baseDir: string, upstream: number): ConfigIssue[] {
  const path = resolve(baseDir, strategy);
  const found = whyNoFile(path);
  if (found === undefined) return [];
  const expected = 'a JavaScript module';
  const got = `${path} (${found})`;
  const message = `expected ${expected}, got ${got}`;
  return [{ path: ['upstreams', upstream, 'strategy'], kind: 'value', expected, got, message }];
}

/** The file itself is made when it is opened. */
function missingFolder(file: string, baseDir: string, at: readonly string[]): ConfigIssue[] {
  const path = resolve(baseDir, file);
  const stats = statSync(path, { throwIfNoEntry: false });
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  if (stats?.isDirectory() !== true && folder?.isDirectory() === true) return [];
  const got = stats?.isDirectory() === true ? `${path} (a folder)` : `${path} (its folder does not exist)`;
  const expected = 'a file that can be written';
  const message = `expected ${expected}, got ${got}`;
  return [{ path: [...at, 'path'], kind: 'value', expected, got, message }];
}

function whyNoFile(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? undefined : 'no file';
  } catch (error) {
    return systemCode(error);
  }
}
