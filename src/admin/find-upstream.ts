/** The upstream that a request names, or the one answer of all routes where there is none. */
import { Problem, quotable } from './problem.ts';

/** Throws a `Problem`. */
export function findUpstream<U extends { readonly name: string }>(upstreams: readonly U[], name: string): U {
  const found = upstreams.find(each => each.name === name);
  if (found !== undefined) return found;
  const known = quotable(upstreams.map(each => each.name).join(', '));
  throw new Problem(404, `no upstream is named ${JSON.stringify(quotable(name))}; there are ${known}`);
}
