/**
 * The differences between two configurations: for people as words, for programs as paths and values.
 *
 * Place: pure; a reload logs them and the admin API returns them.
 * How: a name identifies a listener or an upstream, an address a backend, and a key everything else.
 * Invariants:
 * - No secret is shown: of a secret that has changed only that it has.
 * - No differences if and only if the configurations are the same, but for the order of listeners and of upstreams.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ConfigChange } from '../model/reload-report.ts';
import { printable } from '../support/printable.ts';
import {
  effectiveOf,
  isList,
  isMapping,
  shownAt,
  type Plain,
  type PlainMapping,
} from './report/effective.ts';
import type { Config } from './schema/schema.ts';

/** Lists whose elements have a name, by their last key: which key names them, and what they are. */
const NAMED = {
  listeners: { key: 'name', what: 'listener' },
  upstreams: { key: 'name', what: 'upstream' },
  backends: { key: 'address', what: 'backend' },
} as const;

const SHOWN_CHARACTERS = 80;

/** In the order of the configuration; what is removed comes after what is there. Of parts only these are compared. */
export function diffConfigs(before: Partial<Config>, after: Partial<Config>): ConfigChange[] {
  return diffMappings([], effectiveOf(before), effectiveOf(after));
}

type Path = readonly string[];

function diffMappings(path: Path, before: PlainMapping, after: PlainMapping): ConfigChange[] {
  const keys = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...keys].flatMap(key => diffValues([...path, key], before[key], after[key]));
}

function diffValues(path: Path, before: Plain | undefined, after: Plain | undefined): ConfigChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isMapping(before) && isMapping(after)) return diffMappings(path, before, after);
  if (isNamed(path) && isList(before) && isList(after)) return diffNamed(path, before, after);
  const from = before === undefined ? undefined : textOf(shownAt(path, before));
  const to = after === undefined ? undefined : textOf(shownAt(path, after));
  const words = from === to ? 'changed (not shown)' : `${from ?? 'not set'} → ${to ?? 'not set'}`;
  return [
    {
      ...{ kind: 'changed', what: 'key', path },
      ...(from === undefined || from === to ? {} : { from }),
      ...(to === undefined || from === to ? {} : { to }),
      text: `${placeOf(path)} ${words}`,
    },
  ];
}

function isNamed(path: Path): boolean {
  return Object.hasOwn(NAMED, path.at(-1) ?? '') && (path.length === 1 || path.length === 3);
}

function diffNamed(path: Path, before: readonly Plain[], after: readonly Plain[]): ConfigChange[] {
  const list = path.at(-1) as keyof typeof NAMED; // `isNamed` says so
  const { key, what } = NAMED[list];
  const [old, now] = [byName(before, key), byName(after, key)];
  const comesOrGoes = (kind: 'added' | 'removed', name: string): ConfigChange => {
    const at = [...path, name];
    return { kind, what, path: at, text: `${ownerOf(at)} ${kind}` };
  };
  const changes = [...now].flatMap(([name, value]) => {
    const other = old.get(name);
    return other === undefined ? [comesOrGoes('added', name)] : diffMappings([...path, name], other, value);
  });
  for (const name of old.keys()) if (!now.has(name)) changes.push(comesOrGoes('removed', name));
  const order = (from: typeof old, others: typeof old): string[] =>
    [...from.keys()].filter(name => others.has(name));
  // Only for backends it means anything.
  if (list === 'backends' && !isDeepStrictEqual(order(old, now), order(now, old))) {
    changes.push({ kind: 'changed', what: 'key', path, text: `${placeOf(path)} have another order` });
  }
  return changes;
}

function byName(list: readonly Plain[], key: string): Map<string, PlainMapping> {
  return new Map(list.filter(isMapping).map(each => [flow(each[key] ?? ''), each]));
}

/** The key with what it belongs to: `upstream app: connect.timeout`. */
function placeOf(path: Path): string {
  const owner = ownerOf(path);
  const keys = path.slice(owner === '' ? 0 : path[2] === 'backends' && path.length > 3 ? 4 : 2).join('.');
  return owner === '' ? keys : `${owner}: ${keys}`;
}

/** The listener, upstream or backend that a path leads to or through; '' for the rest. */
function ownerOf([list, name, inner, backend]: Path): string {
  if (list === 'listeners' && name !== undefined) return `listener ${name}`;
  if (list !== 'upstreams' || name === undefined) return '';
  return inner === 'backends' && backend !== undefined
    ? `backend ${printable(backend)} of ${name}`
    : `upstream ${name}`;
}

/** A value on one line, as in YAML's flow style. */
function textOf(value: Plain): string {
  const text = printable(flow(value));
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

function flow(value: Plain): string {
  if (isList(value)) return `[${value.map(flow).join(', ')}]`;
  if (!isMapping(value)) return String(value);
  const entries = Object.entries(value).map(([key, each]) => `${key}: ${flow(each ?? '')}`);
  return `{ ${entries.join(', ')} }`;
}
