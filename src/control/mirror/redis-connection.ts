/**
 * Everything needed to reach a Redis, its secrets included: the section `redis:` of the configuration, and the contents
 * of the files that it names.
 *
 * Place: made once at the start by `redisConnection` (a file that cannot be read ends the start), used by
 * `redis-client.ts`.
 * Invariant: never logged, and no part of any snapshot.
 */
import { ConfigError } from '../../config/report/config-error.ts';
import type { ConfigIssue } from '../../config/report/issue.ts';
import {
  type FileDeps,
  readCertificates,
  readPassword,
  readPrivateKey,
} from '../../config/source/named-files.ts';
import type { RedisTopology } from '../../config/schema/redis-url.ts';
import type { RedisConfig } from '../../config/schema/schema.ts';

export type { RedisNode, RedisTopology } from '../../config/schema/redis-url.ts';

export interface RedisConnection {
  readonly topology: RedisTopology;
  /** Number of the database; 0 with a cluster. */
  readonly database: number;
  /** ACL user; absent: Redis's `default`. */
  readonly username?: string;
  readonly password?: string;
  /** For the Sentinels, where they require a login. */
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** PEM texts; absent: no TLS. */
  readonly tls?: {
    readonly serverName?: string;
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  };
}

/**
 * Reads the files that `config` names. Throws one `ConfigError` with everything that is wrong with them, one line each.
 * The error never shows their contents.
 */
export function redisConnection(config: RedisConfig, deps: FileDeps): RedisConnection {
  const { url, passwordFile, sentinelPasswordFile, sentinelUsername, tls = {} } = config;
  const problems: ConfigIssue[] = [];
  /** Undefined also for a file that is refused; the error at the end names it. */
  const read = <Name, Value>(name: Name | undefined, how: (name: Name) => Value): Value | undefined => {
    try {
      return name === undefined ? undefined : how(name);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.issues);
      return undefined;
    }
  };
  const username = config.username ?? url.username;
  const password = read(passwordFile, file => readPassword(['passwordFile'], file, deps)) ?? url.password;
  const sentinelPassword = read(sentinelPasswordFile, file =>
    readPassword(['sentinelPasswordFile'], file, deps),
  );
  const ca = read(tls.ca, file => readCertificates(['tls', 'ca'], file, deps));
  const cert = read(tls.cert, file => readCertificates(['tls', 'cert'], file, deps));
  const key = cert && read(tls.key, file => readPrivateKey(['tls', 'key'], file, cert[0], deps));
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    topology: url.topology,
    database: url.database,
    ...given('username', username),
    ...given('password', password),
    ...given('sentinelUsername', sentinelUsername),
    ...given('sentinelPassword', sentinelPassword),
    ...(url.tls && {
      tls: {
        ...given('serverName', tls.serverName),
        ...given('ca', ca?.join('\n')),
        ...given('cert', cert?.join('\n')),
        ...given('key', key),
      },
    }),
  };
}

function given<Key extends string>(key: Key, value: string | undefined): { readonly [K in Key]?: string } {
  // TypeScript widens a computed key to string; the object has this one or none.
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: string };
}
