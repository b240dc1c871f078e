/**
 * `lb4 check -c FILE`: validates a configuration file and reports everything that is wrong with it, or may be.
 *
 * Place: files that health checks and the mirror need are read, and modules with strategies must be there, because a
 * balancer would end for want of them; nothing else is opened or resolved, and no module is loaded.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isStrategyName } from '../../strategies/index.ts';
import { ConfigError } from '../config/config-error.ts';
import { formatIssues, formatWarning, inOrder } from '../config/format-issues.ts';
import type { ConfigIssue } from '../config/issue.ts';
import { loadConfigFile } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { unknownOwners } from '../config/socket-owners.ts';
import { systemCode } from '../errors.ts';
import { tlsSettings } from '../health/tls-settings.ts';
import { redisConnection } from '../mirror/redis-connection.ts';
import { counted } from '../support/counted.ts';
import { printable } from '../support/printable.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export function check(file: string): ExitCode {
  const loaded = loadConfigFile(file, process.env);
  const message = loaded.ok
    ? formatIssues(inOrder(problemsWithFiles(loaded.config, dirname(resolve(file))).map(loaded.locate)))
    : loaded.message;
  if (loaded.ok && message === '') {
    const { warnings, config } = loaded;
    for (const each of warnings) process.stderr.write(`${formatWarning(each)}\n`);
    const parts = [
      counted(config.listeners.length, 'listener'),
      counted(config.upstreams.length, 'upstream'),
    ];
    if (warnings.length > 0) parts.push(counted(warnings.length, 'warning'));
    process.stdout.write(`${printable(file)}: valid, ${parts.join(', ')}\n`);
    return EXIT.ok;
  }
  process.stderr.write(`${message}\n`);
  return EXIT.badConfig;
}

/** What is wrong with the files that the configuration names. */
function problemsWithFiles({ listeners, upstreams, redis }: Config, baseDir: string): ConfigIssue[] {
  const deps = { baseDir, readFile: (path: string) => readFileSync(path, 'utf8') };
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
    ...upstreams.flatMap(({ strategy }, index) =>
      isStrategyName(strategy) ? [] : missingModule(strategy, baseDir, index),
    ),
    ...upstreams.flatMap(({ health: { tls } }, index) =>
      tls === undefined
        ? []
        : problems(() => tlsSettings(tls, { ...deps, at: ['upstreams', index, 'health'] })),
    ),
    ...(redis === undefined ? [] : problems(() => redisConnection(redis, { ...deps, at: ['redis'] }))),
  ];
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

function whyNoFile(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? undefined : 'no file';
  } catch (error) {
    return systemCode(error);
  }
}
