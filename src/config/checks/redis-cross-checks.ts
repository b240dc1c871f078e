/**
 * Pairs of keys of `redis` that contradict each other: a password in two places, keys for Sentinels without any, TLS
 * settings without TLS, half of a certificate.
 *
 * Place: a part of cross-checks.ts, with the same invariants; `expected` contains nothing that may be a secret.
 */
import { field } from '../schema/field.ts';
import type { Finding } from './finding.ts';
import { parseRedisUrl, type RedisUrl } from '../schema/redis-url.ts';
import { notHost } from './upstream-cross-checks.ts';

export function redisCrossChecks(redis: unknown): Finding[] {
  const text = field(redis, 'url');
  const parsed = typeof text === 'string' ? parseRedisUrl(text) : undefined;
  const tls = field(redis, 'tls');
  return [
    ...(parsed?.ok === true ? keysAgainstUrl(redis, parsed.url) : []),
    ...missingHalf(tls, 'cert', 'key'),
    ...missingHalf(tls, 'key', 'cert'),
    ...notHost(tls, ['redis', 'tls'], 'serverName'),
  ];
}

function keysAgainstUrl(redis: unknown, { topology, tls, username, password }: RedisUrl): Finding[] {
  const refused: [key: string, isRefused: boolean, expected: string][] = [
    ['username', username !== undefined, 'no such key, because url names a user already'],
    ['passwordFile', password !== undefined, 'no such key, because url holds a password already'],
    ['sentinelUsername', topology.kind !== 'sentinel', WITHOUT_SENTINELS],
    ['sentinelPasswordFile', topology.kind !== 'sentinel', WITHOUT_SENTINELS],
    ['tls', !tls, 'no such key unless url begins with rediss, which means TLS'],
  ];
  return refused
    .filter(([key, isRefused]) => isRefused && field(redis, key) !== undefined)
    .map(([key, , expected]) => ({ path: ['redis', key], expected }));
}

const WITHOUT_SENTINELS = 'no such key unless url begins with redis+sentinel:// or rediss+sentinel://';

function missingHalf(tls: unknown, given: string, missing: string): Finding[] {
  if (field(tls, given) === undefined || field(tls, missing) !== undefined) return [];
  return [{ path: ['redis', 'tls', missing], expected: `both of cert and key, or none` }];
}
