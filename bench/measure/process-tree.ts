/**
 * Finds a process and all that it started, so that a master with workers is measured and ended as one balancer.
 *
 * Reads /proc; on systems without it the answer is the process alone.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** The process and its descendants, parents first. */
export function processTree(pid: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const [child, parent] of parents()) {
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), child]);
  }
  const tree = [pid];
  // The array grows while it is walked: every process found is asked for its own children.
  for (const member of tree) tree.push(...(childrenOf.get(member) ?? []));
  return tree;
}

function parents(): [child: number, parent: number][] {
  let names: string[];
  try {
    names = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap(name => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The command name may hold spaces and parentheses; state and parent follow its last parenthesis.
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [[Number(name), Number(parent)] as [number, number]];
    } catch {
      return []; // ended since the folder was listed
    }
  });
}
