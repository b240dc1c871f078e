/**
 * The upstreams that the clients of a listener go to.
 *
 * Place: a part of the checks.
 */
import type { Config } from '../schema/schema.ts';

export function targetsOf({
  upstream,
  sni,
}: Pick<Config['listeners'][number], 'upstream' | 'sni'>): readonly string[] {
  return [...new Set([upstream, ...(sni?.routes ?? []).map(route => route.upstream)])];
}
