/**
 * Everything needed to reach a Redis, its secrets included: what `redis:` in the configuration says, with the files
 * that it names read.
 *
 * Place: made once at the start by `redisConnection` (a file that cannot be read ends the start), taken by
 * `redis-client.ts`. Invariant: never logged, and no part of any snapshot.
 */

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export type RedisTopology =
  | { readonly kind: 'single'; readonly node: RedisNode }
  | { readonly kind: 'sentinel'; readonly nodes: readonly RedisNode[]; readonly master: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] };

export interface RedisConnection {
  readonly topology: RedisTopology;
  /** Number of the database; 0 with a cluster. */
  readonly database: number;
  /** ACL user; absent: Redis's `default`. */
  readonly username?: string;
  readonly password?: string;
  /** The Sentinels' own, where they ask for one. */
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
