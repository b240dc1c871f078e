/**
 * The users and groups that a configuration names as owners of unix sockets, and that this system does not have.
 *
 * Place: asked at the start, before anything is bound, and by `lb4 check`.
 */
import type { ListenAddress } from '../../support/address.ts';
import { numberOf, UnknownName } from '../../support/system-names.ts';
import { describeValue, type ConfigIssue, type Path } from '../report/issue.ts';

export function unknownOwners(
  listeners: readonly { readonly bind: readonly ListenAddress[] }[],
): readonly ConfigIssue[] {
  return listeners.flatMap(({ bind }, listener) =>
    bind.flatMap((address, i) => unknownIn(address, ['listeners', listener, 'bind', address.entry ?? i])),
  );
}

function unknownIn(address: ListenAddress, at: Path): ConfigIssue[] {
  const access = address.kind === 'unix' ? address.access : undefined;
  return (['user', 'group'] as const).flatMap(kind => {
    const name = access?.[kind];
    try {
      numberOf(kind, name);
      return [];
    } catch (error) {
      if (!(error instanceof UnknownName)) throw error;
      const expected = `a ${kind} of this system, or its number`;
      const got = `${describeValue(name)} (${error.message})`;
      const message = `expected ${expected}, got ${got}`;
      return [{ path: [...at, kind], kind: 'value' as const, expected, got, message }];
    }
  });
}
