/**
 * Problems of the sources of one upstream that the schema cannot see: keys of another type of source, and sources that
 * stand twice.
 *
 * Place: a part of upstream-cross-checks.ts, with the same invariants.
 */
import { field } from '../schema/field.ts';
import type { Path } from '../report/issue.ts';
import type { Finding } from './finding.ts';

/** The keys that mean something for one type of source only. */
const KEYS_OF_TYPES: Readonly<Record<string, string>> = {
  path: 'file',
  ttl: 'registration',
  max: 'registration',
};

export function discoveryCrossChecks(sources: unknown, path: Path): Finding[] {
  if (!Array.isArray(sources)) return [];
  const first = new Map<string, Path>();
  return sources.flatMap((source: unknown, index): Finding[] => {
    const at = [...path, index];
    const type = field(source, 'type');
    if (typeof type !== 'string') return [];
    const strange = Object.entries(KEYS_OF_TYPES)
      .filter(([key, owner]) => field(source, key) !== undefined && owner !== type)
      .map(([key, owner]) => ({
        path: [...at, key],
        expected: `no such key with type ${type}; it belongs to ${owner}`,
      }));
    const key = type === 'registration' ? type : JSON.stringify([type, field(source, 'path')]);
    const before = first.get(key);
    if (before !== undefined)
      return [...strange, { path: at, expected: 'each source only once', alsoAt: before }];
    first.set(key, at);
    return strange;
  });
}
