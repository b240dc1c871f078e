/**
 * Problems that the schema cannot see, because they concern two places at once: names, addresses and backends given
 * twice, listeners whose upstream does not exist, and an engine where it cannot run.
 *
 * Place: parse.ts runs it beside the schema, on the raw input, so that these problems are reported together with all
 * others.
 * Invariants:
 * - Never throws, whatever the input.
 * - Says nothing about input that is not well-formed (the schema does that).
 */
import { formatAddress, parseAddress, type Address } from '../../support/address.ts';
import { parseBind } from '../../support/port-range.ts';
import { field } from '../schema/field.ts';
import { parseBackendText } from '../schema/fields.ts';
import { adminCrossChecks } from './admin-cross-checks.ts';
import type { Finding } from './finding.ts';
import { formatPath, type Path } from '../report/issue.ts';
import { redisCrossChecks } from './redis-cross-checks.ts';
import { claimsOf, routesOf } from './sni-cross-checks.ts';
import { listenerTlsChecks } from './tls-cross-checks.ts';
import { upstreamCrossChecks } from './upstream-cross-checks.ts';

const NAMES_SHOWN = 10;
/** Bounds the search for the nearest name. */
const NAMES_COMPARED = 200;

/** `written`: see ParseOptions. */
export function crossCheck(
  input: unknown,
  written: (path: Path) => string | undefined = () => undefined,
): Finding[] {
  const listeners = elements(field(input, 'listeners'), ['listeners']);
  const upstreams = elements(field(input, 'upstreams'), ['upstreams']);
  const upstreamNames = upstreams.map(at => text(at, 'name')).filter(isPresent);
  return [
    ...repeated(
      listeners
        .map(at => text(at, 'name'))
        .filter(isPresent)
        .map(one),
      'a name of its own',
    ),
    ...repeated(upstreamNames.map(one), 'a name of its own'),
    ...unknownUpstreams(listeners, upstreamNames, written),
    ...listeners.flatMap(({ value, path }) =>
      repeated(claimsOf(value, path), 'each name and protocol in one route only'),
    ),
    ...repeated(listeners.flatMap(boundAddresses), 'an address that no other bind uses'),
    ...upstreams.flatMap(at => repeated(backendIds(at), 'each backend only once')),
    ...listeners.flatMap(({ value, path }) => listenerTlsChecks(value, path)),
    ...upstreams.flatMap(({ value, path }) => upstreamCrossChecks(value, path)),
    ...engineWithoutWorkers(input),
    ...redisCrossChecks(field(input, 'redis')),
    ...adminCrossChecks(field(input, 'admin')),
  ];
}

/** The epoll engine waits in the kernel: in the main thread it would hold up everything else. */
function engineWithoutWorkers(input: unknown): Finding[] {
  if (field(input, 'engine') !== 'epoll' || field(input, 'workers') !== 0) return [];
  return [
    { path: ['workers'], expected: 'auto or at least 1, because the epoll engine runs in workers only' },
  ];
}

interface At<Value> {
  readonly value: Value;
  readonly path: Path;
}

/** A value that may be used once; another use of it is found by any of its keys. */
interface Claim {
  readonly keys: readonly string[];
  readonly path: Path;
}

function repeated(claims: readonly Claim[], expected: string): Finding[] {
  const first = new Map<string, Path>();
  const findings: Finding[] = [];
  for (const { keys, path } of claims) {
    const taken = keys.find(key => first.has(key));
    if (taken !== undefined) findings.push({ path, expected, alsoAt: first.get(taken) ?? path });
    for (const key of keys) if (!first.has(key)) first.set(key, path);
  }
  return findings;
}

function unknownUpstreams(
  listeners: readonly At<unknown>[],
  upstreams: readonly At<string>[],
  written: (path: Path) => string | undefined,
): Finding[] {
  // If no upstream has a name, each reference would be reported for a mistake made elsewhere.
  if (upstreams.length === 0) return [];
  const names = new Set(upstreams.map(({ value }) => value));
  const first = upstreams.slice(0, NAMES_SHOWN);
  const shown = first.map(({ value, path }) => written(path) ?? value.slice(0, 64));
  if (upstreams.length > NAMES_SHOWN) shown.push('…');
  const expected = `the name of an upstream (${shown.join(', ')})`;
  const known = upstreams
    .slice(0, NAMES_COMPARED)
    .filter(({ path }) => written(path) === undefined)
    .map(({ value }) => value);
  const references = listeners.flatMap(at => [at, ...routesOf(at.value, at.path)]);
  return references.flatMap(at => {
    const reference = text(at, 'upstream');
    if (reference === undefined || names.has(reference.value)) return [];
    return [{ path: reference.path, expected, known }];
  });
}

function boundAddresses(listener: At<unknown>): Claim[] {
  const path = [...listener.path, 'bind'];
  const bind = field(listener.value, 'bind');
  const binds = Array.isArray(bind) ? elements(bind, path) : [{ value: bind, path }];
  return binds.flatMap(({ value: bound, path: at }) => {
    const isText = typeof bound === 'string';
    const value = isText ? bound : field(bound, 'address');
    const path = isText ? at : [...at, 'address'];
    const parsed = typeof value === 'string' ? parseBind(value) : undefined;
    const through = text(listener, 'interface')?.value ?? '';
    return parsed?.ok === true ? parsed.addresses.flatMap(address => claim(address, through, path)) : [];
  });
}

/** @param through each interface may have a listener of its own */
function claim(address: Address, through: string, path: Path): Claim[] {
  if (address.kind === 'unix') return [{ keys: [formatAddress(address)], path }];
  // Port 0 is another port each time; a missing host stands for both wildcards.
  if (address.port === 0) return [];
  const hosts = address.host === '' ? ['0.0.0.0', '::'] : [address.host];
  return [{ keys: hosts.map(host => `${formatAddress({ ...address, host })} ${through}`), path }];
}

function backendIds(upstream: At<unknown>): Claim[] {
  return elements(field(upstream.value, 'backends'), [...upstream.path, 'backends']).flatMap(at => {
    const asText = typeof at.value === 'string';
    const address = asText ? at.value : field(at.value, 'address');
    if (typeof address !== 'string') return [];
    const parsed = asText ? parseBackendText(address) : parseAddress(address);
    const path = asText ? at.path : [...at.path, 'address'];
    return parsed.ok ? [{ keys: [formatAddress(parsed.address)], path }] : [];
  });
}

/** What a finding adds to its message. */
export function alsoAtText({ alsoAt }: Finding): string {
  return alsoAt === undefined ? '' : ` (also at ${formatPath(alsoAt)})`;
}

function one({ value, path }: At<string>): Claim {
  return { keys: [value], path };
}

function isPresent<Value>(value: Value | undefined): value is Value {
  return value !== undefined;
}

function elements(value: unknown, path: Path): At<unknown>[] {
  return Array.isArray(value)
    ? value.map((element: unknown, index) => ({ value: element, path: [...path, index] }))
    : [];
}

function text({ value, path }: At<unknown>, key: string): At<string> | undefined {
  const found = field(value, key);
  return typeof found === 'string' ? { value: found, path: [...path, key] } : undefined;
}
