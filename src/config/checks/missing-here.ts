/**
 * Interfaces and source addresses of upstreams that this machine does not have: they may come later, and until then
 * connects fail, or do without.
 *
 * Place: a part of warnings.ts, with the same invariants. Interfaces of listeners must be there: composition/socket-problems.ts.
 */
import { isIP } from 'node:net';
import { splitZone } from '../../support/zone.ts';
import type { ConfigIssue, Path } from '../report/issue.ts';
import type { UpstreamConfig } from '../schema/schema.ts';
import type { Machine } from './this-machine.ts';

export function missingHere(
  { source, interface: through, backends }: UpstreamConfig,
  path: Path,
  machine: Machine,
  written: (path: Path) => string | undefined,
): ConfigIssue[] {
  const found: ConfigIssue[] = [];
  if (through !== undefined && !machine.hasInterface(through)) {
    const at = [...path, 'interface'];
    const message = `this machine has no interface ${written(at) ?? through} now: until it has, no backend of this upstream can be reached`;
    found.push(issue(at, 'an interface of this machine', message));
  }
  if (source === undefined || source === 'client') return found;
  const families = new Set(
    backends.flatMap(({ address }) => (address.kind === 'tcp' ? [isIP(address.host)] : [])),
  );
  for (const [i, address] of source.entries()) {
    const at = [...path, 'source', i];
    const shown = written(at) ?? address;
    if (!machine.isOwn(splitZone(address)[0])) {
      const message = `no interface of this machine has ${shown} now: until one has, connections come from the others, or fail where there is none`;
      found.push(issue(at, 'an IP address of this machine', message));
    } else if (!families.has(isIP(address)) && !families.has(0)) {
      const message = `${shown} is for no backend: none has an address of its family`;
      found.push(issue(at, 'an address of the family of a backend', message));
    }
  }
  return found;
}

function issue(path: Path, expected: string, message: string): ConfigIssue {
  return { path, kind: 'value', expected, got: 'another one', message };
}
