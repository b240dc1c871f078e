/**
 * Problems of `sni` that the schema cannot see: routes to upstreams that do not exist, and two routes for the same
 * clients.
 *
 * Place: a part of cross-checks.ts, with the same invariants.
 */
import { field } from '../schema/field.ts';
import { matchOf } from '../schema/sni-schema.ts';
import type { Path } from '../report/issue.ts';

/** Something that may stand once in `sni` of a listener. */
export interface SniClaim {
  readonly keys: readonly string[];
  readonly path: Path;
}

/** The routes of a listener, and where they stand. */
export function routesOf(listener: unknown, path: Path): { readonly value: unknown; readonly path: Path }[] {
  const sni = field(listener, 'sni');
  const isList = Array.isArray(sni);
  const routes = isList ? sni : field(sni, 'routes');
  if (!Array.isArray(routes)) return [];
  const at = isList ? [...path, 'sni'] : [...path, 'sni', 'routes'];
  return routes.map((value: unknown, i) => ({ value, path: [...at, i] }));
}

/** What each route of a listener is for: each name with each protocol. */
export function claimsOf(listener: unknown, path: Path): SniClaim[] {
  return routesOf(listener, path).flatMap(route => {
    const protocols = textsOf(route.value, 'alpn', route.path);
    const names = textsOf(route.value, 'match', route.path);
    if (protocols === undefined || names === undefined) return [];
    return names.map(({ text, at }) => {
      const name = text === '' ? '' : (matchOf(text) ?? text);
      return { keys: protocols.map(each => `${name} ${each.text}`), path: at };
    });
  });
}

/** What stands at a key, as a list; '' where it is absent. Undefined: it is not well-formed. */
function textsOf(
  route: unknown,
  key: string,
  path: Path,
): readonly { readonly text: string; readonly at: Path }[] | undefined {
  const value = field(route, key);
  const at = [...path, key];
  if (value === undefined) return [{ text: '', at: path }];
  if (typeof value === 'string') return [{ text: value, at }];
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((text: unknown, i) => (typeof text === 'string' ? [{ text, at: [...at, i] }] : []));
}
