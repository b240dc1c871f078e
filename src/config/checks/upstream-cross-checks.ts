/**
 * Pairs of keys of one upstream that contradict each other: a check that takes longer than its interval, keys of
 * another type of check, two questions at once, backups without anything to back up.
 *
 * Place: a part of cross-checks.ts, with the same invariants.
 */
import { formatDuration, parseDuration } from '../../support/duration.ts';
import { field } from '../schema/field.ts';
import type { Finding } from './finding.ts';
import { upstreamTlsChecks } from './tls-cross-checks.ts';
import type { Path } from '../report/issue.ts';
import { discoveryCrossChecks } from './discovery-cross-checks.ts';

/** The keys of `health` that mean something for one type of check only. */
export const KEYS_OF_TYPES: Readonly<Record<string, readonly string[]>> = {
  method: ['http'],
  path: ['http'],
  host: ['http'],
  status: ['http'],
  body: ['http'],
  preset: ['sendExpect'],
  send: ['sendExpect'],
  sendHex: ['sendExpect'],
  expect: ['sendExpect'],
  expectPattern: ['sendExpect'],
  tls: ['tcp', 'http', 'sendExpect', 'tls'],
};
const HOST = /^[!-~]+$/;
/** As in health-schema.ts and upstream-schema.ts. */
const DEFAULTS = { interval: 2000, base: 5000, max: 60_000 };

export function upstreamCrossChecks(upstream: unknown, path: Path): Finding[] {
  const health = field(upstream, 'health');
  const healthPath = [...path, 'health'];
  const agent = field(upstream, 'agent');
  const agentPath = [...path, 'agent'];
  return [
    ...keysOfOtherTypes(health, healthPath),
    ...questions(health, healthPath),
    ...bodyOfHead(health, healthPath),
    ...notHost(health, healthPath, 'host'),
    ...notHost(field(health, 'tls'), [...healthPath, 'tls'], 'serverName'),
    ...handshakeWithoutTls(health, healthPath),
    ...notBoth(health, healthPath, 'port', 'address'),
    ...portOfUnixBackends(upstream, health, healthPath),
    ...timeoutOverInterval(health, healthPath),
    ...timeoutOverInterval(agent, agentPath),
    ...agentWithoutPlace(agent, agentPath),
    ...portOfUnixBackends(upstream, agent, agentPath),
    ...ejectionLongerThanMax(field(upstream, 'ejection'), [...path, 'ejection']),
    ...reuseWithProxy(upstream, path),
    ...upstreamTlsChecks(upstream, path),
    ...notHost(field(upstream, 'tls'), [...path, 'tls'], 'serverName'),
    ...parkedWith(upstream, path, 'source', 'client'),
    ...parkedWith(upstream, path, 'mptcp', true),
    ...discoveryCrossChecks(field(upstream, 'discovery'), [...path, 'discovery']),
    ...onlyBackups(field(upstream, 'backends'), [...path, 'backends']),
  ];
}

function keysOfOtherTypes(health: unknown, path: Path): Finding[] {
  const type = field(health, 'type') ?? 'tcp';
  if (typeof type !== 'string') return [];
  return Object.entries(KEYS_OF_TYPES)
    .filter(([key, types]) => field(health, key) !== undefined && !types.includes(type))
    .map(([key, types]) => ({
      path: [...path, key],
      expected: `no such key with type ${type}; it belongs to ${types.join(', ')}`,
    }));
}

function questions(health: unknown, path: Path): Finding[] {
  if (field(health, 'type') !== 'sendExpect') return [];
  const given = (key: string): boolean => field(health, key) !== undefined;
  const answers = ['expect', 'expectPattern', 'preset'].filter(given);
  if (answers.length === 0) {
    return [{ path, expected: 'with type sendExpect one of expect, expectPattern and preset' }];
  }
  return [
    ...notBoth(health, path, 'send', 'sendHex'),
    ...notBoth(health, path, 'expect', 'expectPattern'),
    ...['send', 'sendHex', 'expect', 'expectPattern'].flatMap(key => notBoth(health, path, 'preset', key)),
  ];
}

function bodyOfHead(health: unknown, path: Path): Finding[] {
  if (field(health, 'method') !== 'HEAD' || field(health, 'body') === undefined) return [];
  return [{ path: [...path, 'body'], expected: 'no body with method HEAD, which is answered without one' }];
}

function handshakeWithoutTls(health: unknown, path: Path): Finding[] {
  if (field(health, 'type') !== 'tls' || field(health, 'tls') !== false) return [];
  return [{ path: [...path, 'tls'], expected: 'true or a mapping with type tls, or type tcp' }];
}

/** Text that cannot be sent as a Host header or as the name in a TLS handshake. */
export function notHost(section: unknown, path: Path, key: string): Finding[] {
  const value = field(section, key);
  if (typeof value !== 'string' || value === '' || HOST.test(value)) return [];
  return [{ path: [...path, key], expected: 'a host such as app.internal or 10.0.0.1:8080, in plain ASCII' }];
}

function notBoth(section: unknown, path: Path, first: string, second: string): Finding[] {
  if (field(section, first) === undefined || field(section, second) === undefined) return [];
  return [{ path: [...path, second], expected: `only one of ${first} and ${second}` }];
}

function timeoutOverInterval(section: unknown, path: Path): Finding[] {
  const timeout = milliseconds(section, 'timeout');
  if (timeout === undefined) return [];
  const intervals = ['interval', 'intervalDown'].map(key => milliseconds(section, key));
  const shortest = Math.min(
    intervals[0] ?? DEFAULTS.interval,
    ...intervals.filter(each => each !== undefined),
  );
  if (timeout <= shortest) return [];
  return [
    {
      path: [...path, 'timeout'],
      expected: `a duration from 10ms to ${formatDuration(shortest)}, the shortest interval`,
    },
  ];
}

function agentWithoutPlace(agent: unknown, path: Path): Finding[] {
  if (typeof agent !== 'object' || agent === null) return [];
  if (field(agent, 'port') === undefined && field(agent, 'address') === undefined) {
    return [{ path, expected: 'one of port and address' }];
  }
  return notBoth(agent, path, 'port', 'address');
}

function portOfUnixBackends(upstream: unknown, section: unknown, path: Path): Finding[] {
  if (field(section, 'port') === undefined) return [];
  const isUnix = backendsOf(upstream).some(address => address.startsWith('unix:'));
  return isUnix
    ? [{ path: [...path, 'port'], expected: 'address instead, because a unix socket has no port' }]
    : [];
}

function ejectionLongerThanMax(ejection: unknown, path: Path): Finding[] {
  const base = milliseconds(ejection, 'base') ?? DEFAULTS.base;
  const max = milliseconds(ejection, 'max') ?? DEFAULTS.max;
  if (base <= max) return [];
  const key = field(ejection, 'base') === undefined ? 'max' : 'base';
  const expected =
    key === 'base'
      ? `at most max, which is ${formatDuration(max)}`
      : `at least base, which is ${formatDuration(base)}`;
  return [{ path: [...path, key], expected: `a duration of ${expected}` }];
}

/** A header names one client, so its connection can serve no other. */
function reuseWithProxy(upstream: unknown, path: Path): Finding[] {
  const sendProxy = field(upstream, 'sendProxy') ?? 'off';
  if (sendProxy === 'off' || sendProxy === false) return [];
  if (field(field(upstream, 'pool'), 'reuse') !== true) return [];
  return [{ path: [...path, 'pool', 'reuse'], expected: 'no reuse with sendProxy' }];
}

/**
 * A connection from the address of one client serves no other. And of one over several paths the kernel does not report
 * whether a byte has arrived, which decides whether a session may move on from a parked connection that is dead.
 */
function parkedWith(upstream: unknown, path: Path, key: string, value: unknown): Finding[] {
  if (field(upstream, key) !== value) return [];
  const pool = field(upstream, 'pool');
  const findings: Finding[] = [];
  const expected = `nothing parked with ${key}${value === true ? '' : `: ${String(value)}`}`;
  if (typeof field(pool, 'warm') === 'number' && field(pool, 'warm') !== 0)
    findings.push({ path: [...path, 'pool', 'warm'], expected });
  if (field(pool, 'reuse') === true) findings.push({ path: [...path, 'pool', 'reuse'], expected });
  return findings;
}

function onlyBackups(backends: unknown, path: Path): Finding[] {
  if (!Array.isArray(backends) || backends.length === 0) return [];
  if (!backends.every(backend => field(backend, 'backup') === true)) return [];
  return [{ path, expected: 'at least one backend without backup: true' }];
}

function backendsOf(upstream: unknown): string[] {
  const backends = field(upstream, 'backends');
  if (!Array.isArray(backends)) return [];
  return backends
    .map((backend: unknown) => (typeof backend === 'string' ? backend : field(backend, 'address')))
    .filter(address => typeof address === 'string');
}

/** Undefined for a value that is absent or no duration. */
function milliseconds(section: unknown, key: string): number | undefined {
  const value = field(section, key);
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? parseDuration(value) : undefined;
}
