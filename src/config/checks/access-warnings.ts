/**
 * Probable mistakes in `access` and `acceptProxy.from`: keys that decide nothing, because one before them has every
 * client (most often keys in the wrong order), and networks with bits behind their length (most often an address that
 * was meant alone).
 *
 * Place: a part of warnings.ts, with the same invariants. What stands in files is not looked at.
 */
import { NetworkWords } from '../../model/network-words.ts';
import type { ConfigIssue, Path } from '../report/issue.ts';
import type { Config } from '../schema/schema.ts';

export function accessWarnings(
  { listeners }: Pick<Config, 'listeners'>,
  written: (path: Path) => string | undefined = () => undefined,
): ConfigIssue[] {
  return [...behindAll(listeners), ...withFurtherBits(listeners, written)];
}

function withFurtherBits(
  listeners: Config['listeners'],
  written: (path: Path) => string | undefined,
): ConfigIssue[] {
  const lists = listeners.flatMap(({ access = [], acceptProxy }, i) => [
    ...access.map(({ allow, deny, at }) => ({
      path: ['listeners', i, 'access', ...at],
      entries: allow ?? (typeof deny === 'string' ? [] : (deny ?? [])),
    })),
    { path: ['listeners', i, 'acceptProxy', 'from'], entries: acceptProxy?.from ?? [] },
  ]);
  return lists.flatMap(({ path, entries }) =>
    entries.flatMap((entry, i): ConfigIssue[] => {
      const whole = wholeNetwork(entry);
      if (whole === undefined) return [];
      const at = [...path, i];
      const shown = written(at);
      const message = `${shown ?? entry} is all of ${shown === undefined ? whole : 'its network'}: the bits behind its length do not count`;
      return [
        { path: at, kind: 'value', expected: 'a network without further bits', got: shown ?? entry, message },
      ];
    }),
  );
}

/** The network that an entry stands for, where it has bits behind its length. */
function wholeNetwork(entry: string): string | undefined {
  const networks = new NetworkWords();
  if (!entry.includes('/') || !networks.add(entry)) return undefined;
  return networks.wholeAt(0);
}

function behindAll(listeners: Config['listeners']): ConfigIssue[] {
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
