/**
 * Keys of `access` that decide nothing, because one before them has every client: most often keys in the wrong order.
 *
 * Place: a part of warnings.ts. What stands in files is not looked at.
 */
import type { ConfigIssue } from '../report/issue.ts';
import type { Config } from '../schema/schema.ts';

export function accessWarnings({ listeners }: Pick<Config, 'listeners'>): ConfigIssue[] {
  return listeners.flatMap(({ access = [] }, i) => {
    const forAll = access.findIndex(({ allow, deny }) => {
      const entries = allow ?? deny ?? [];
      return typeof entries === 'string' || entries.includes('all');
    });
    const behind = forAll < 0 ? undefined : access[forAll + 1];
    if (behind === undefined) return [];
    const path = ['listeners', i, 'access', ...behind.at];
    const got = behind.allow === undefined ? 'deny' : 'allow';
    const message = `this ${got} decides nothing: what stands before it has every client`;
    return [{ path, kind: 'value', expected: 'no key behind one that has every client', got, message }];
  });
}
