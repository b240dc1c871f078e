/**
 * `lb4 check -c FILE`: validates a configuration file and says everything that is wrong with it.
 *
 * Place: files that health checks and the mirror need are read, because a running balancer would end for want of them;
 * nothing else is opened or resolved, and strategies given as paths are not loaded.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { loadConfigFile } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { Lb4Error } from '../errors.ts';
import { tlsSettings } from '../health/tls-settings.ts';
import { redisConnection } from '../mirror/redis-connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export function check(file: string): ExitCode {
  const loaded = loadConfigFile(file, process.env);
  const message = loaded.ok ? problemsWithFiles(loaded.config, file).join('\n') : loaded.message;
  if (loaded.ok && message === '') {
    const { listeners, upstreams } = loaded.config;
    process.stdout.write(
      `${file}: valid, ${count(listeners.length, 'listener')}, ${count(upstreams.length, 'upstream')}\n`,
    );
    return EXIT.ok;
  }
  process.stderr.write(`${message}\n`);
  return EXIT.badConfig;
}

/** What is wrong with the files that the configuration names, one line each. */
function problemsWithFiles({ upstreams, redis }: Config, file: string): string[] {
  const deps = { baseDir: dirname(resolve(file)), readFile: (path: string) => readFileSync(path, 'utf8') };
  const problems = (read: () => unknown): string[] => {
    try {
      read();
      return [];
    } catch (error) {
      if (error instanceof Lb4Error) return error.message.split('\n').map(line => `${file}: ${line}`);
      throw error;
    }
  };
  return [
    ...upstreams.flatMap(({ name, health: { tls } }) =>
      tls === undefined
        ? []
        : problems(() => tlsSettings(tls, { ...deps, where: `upstreams.${name}.health` })),
    ),
    ...(redis === undefined ? [] : problems(() => redisConnection(redis, { ...deps, where: 'redis' }))),
  ];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
