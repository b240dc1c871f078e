/**
 * Probable mistakes in a valid configuration: sessions that come back to lb4 for ever, binds that exclude each other,
 * one backend written in two ways, an upstream without clients, a link-local address without its interface, clients and
 * servers that wait for each other, keys that decide nothing, and what this machine does not have.
 *
 * Place: load.ts asks for them once a configuration is valid; `lb4 check` prints them, `lb4 run` logs them, and neither
 * stops for them.
 * Invariants:
 * - Nothing is opened and no name server is asked.
 * - A value that came from a variable is not shown.
 */
import { accessWarnings } from './access-warnings.ts';
import { formatAddress, type Address } from '../../support/address.ts';
import { splitZone } from '../../support/zone.ts';
import { boundAt, EndpointIndex, leadsTo, type Endpoint } from './endpoints.ts';
import { formatPath, pathKey, type ConfigIssue, type Path } from '../report/issue.ts';
import type { Config } from '../schema/schema.ts';
import { keysOfClients } from './keys-of-clients.ts';
import { idleKeys } from './idle-keys.ts';
import { missingHere } from './missing-here.ts';
import { serverFirst } from './server-first.ts';
import { targetsOf } from './targets.ts';
import type { Machine } from './this-machine.ts';

/** What is expected where a backend leads back to its own listener. */
export const LOOP_FREE = 'a backend that does not lead back to lb4';

/** An address of the configuration: where it stands, how it is shown, what it means. */
interface Placed {
  readonly path: Path;
  readonly shown: string;
  readonly address: Address;
  readonly endpoints: readonly Endpoint[];
  /** Of a listener: only clients that come through it are let in. */
  readonly interface?: string | undefined;
}

/** `written`: the text to show instead of a value that came from a variable. */
export function warningsOf(
  config: Config,
  machine: Machine,
  written: (path: Path) => string | undefined = () => undefined,
): ConfigIssue[] {
  const listeners = config.listeners.map(({ name, upstream, sni, bind, interface: through }, i) => ({
    name,
    upstreams: targetsOf({ upstream, sni }),
    binds: bind.map((address, j): Placed => {
      const alone: Path = ['listeners', i, 'bind'];
      const listed: Path = [...alone, address.entry ?? j];
      const path = bind.length === 1 || bind.every(({ entry }) => entry === 0) ? alone : listed;
      const shown = written(listed) ?? written(alone) ?? formatAddress(address);
      return { path, shown, address, endpoints: boundAt(address, machine), interface: through };
    }),
  }));
  const upstreams = config.upstreams.map(({ name, backends }, i) => ({
    name,
    path: ['upstreams', i],
    backends: backends.map(({ address }, j): Placed => {
      const path = ['upstreams', i, 'backends', j];
      const shown = written(path) ?? written([...path, 'address']) ?? formatAddress(address);
      return { path, shown, address, endpoints: leadsTo(address, machine) };
    }),
  }));
  const binds = listeners.flatMap(listener => listener.binds);
  return onePerPath([
    ...loops(listeners, upstreams, machine),
    ...byInterface(binds)
      .flatMap(each => pairs(each, (index, endpoint) => index.overlapping(endpoint)))
      .map(([one, other]) =>
        warning(
          other,
          'an address that no other bind covers',
          `${other.shown} overlaps ${placeOf(one)}: only one of them can be bound, and lb4 does not start`,
        ),
      ),
    ...upstreams.flatMap(({ backends }) =>
      pairs(backends, (index, endpoint) => index.at(endpoint)).map(([one, other]) =>
        warning(
          other,
          'each backend only once',
          `${other.shown} leads to the same place as ${placeOf(one)}: it counts as two backends`,
        ),
      ),
    ),
    ...upstreams
      .filter(({ name }) => !listeners.some(each => each.upstreams.includes(name)))
      .map(({ path }) => {
        const message = 'no listener names this upstream: its backends are checked, and get no sessions';
        return {
          path,
          kind: 'value' as const,
          expected: 'an upstream that a listener names',
          got: 'none',
          message,
        };
      }),
    ...config.upstreams.flatMap((upstream, i) => [
      ...serverFirst(upstream, ['upstreams', i], config.listeners),
      ...keysOfClients(upstream, ['upstreams', i], config.listeners),
      ...missingHere(upstream, ['upstreams', i], machine, written),
    ]),
    ...idleKeys(config),
    ...[...binds, ...upstreams.flatMap(({ backends }) => backends)].flatMap(withoutInterface),
    ...accessWarnings(config, written),
  ]);
}

/** Binds that may exclude each other: two interfaces may have a listener each at one address. */
function byInterface(binds: readonly Placed[]): readonly (readonly Placed[])[] {
  const found = new Map<string | undefined, Placed[]>();
  for (const bind of binds) found.set(bind.interface, [...(found.get(bind.interface) ?? []), bind]);
  return [...found.values()];
}

/** Of several warnings at one place the first, which matters most. */
function onePerPath(warnings: readonly ConfigIssue[]): ConfigIssue[] {
  const byPath = new Map<string, ConfigIssue>();
  for (const each of warnings) {
    const key = pathKey(each.path);
    if (!byPath.has(key)) byPath.set(key, each);
  }
  return [...byPath.values()];
}

interface Fronts {
  readonly name: string;
  /** Where its clients go. */
  readonly upstreams: readonly string[];
  readonly binds: readonly Placed[];
}

/** Backends through which a session comes back to its own listener. */
function loops(
  listeners: readonly Fronts[],
  upstreams: readonly { readonly name: string; readonly backends: readonly Placed[] }[],
  machine: Machine,
): ConfigIssue[] {
  const index = new EndpointIndex<{ readonly to: Fronts; readonly bind: Placed }>();
  for (const to of listeners) {
    for (const bind of to.binds) for (const endpoint of bind.endpoints) index.add(endpoint, { to, bind });
  }
  const ways = upstreams.flatMap(({ name, backends }) =>
    backends.flatMap(backend =>
      backend.endpoints.flatMap(endpoint => {
        const found = index.accepting(endpoint, machine);
        return found === undefined ? [] : [{ from: name, backend, ...found }];
      }),
    ),
  );
  const getsTo = reachability(
    ways.flatMap(({ from, to }) => to.upstreams.map(upstream => [from, upstream] as const)),
  );
  return ways
    .filter(({ from, to }) => to.upstreams.some(upstream => getsTo(upstream, from)))
    .map(({ from, backend, to, bind }) => {
      const back = to.upstreams.includes(from) ? 'back' : 'through other backends back';
      return warning(
        backend,
        LOOP_FREE,
        `${backend.shown} leads ${back} to ${placeOf(bind)}: each session opens another one, until descriptors run out`,
      );
    });
}

/** Whether sessions of one upstream get to another one, over any number of steps between upstreams. */
function reachability(
  steps: readonly (readonly [from: string, to: string])[],
): (from: string, to: string) => boolean {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of steps) next.set(from, (next.get(from) ?? new Set()).add(to));
  const known = new Map<string, ReadonlySet<string>>();
  const reachedFrom = (start: string): ReadonlySet<string> => {
    // A set is iterated in the order in which it grows, entries added meanwhile included.
    const seen = new Set([start]);
    for (const name of seen) for (const to of next.get(name) ?? []) seen.add(to);
    return seen;
  };
  return (from, to) => {
    const reached = known.get(from) ?? reachedFrom(from);
    known.set(from, reached);
    return reached.has(to);
  };
}

/** Pairs: each address that collides with an earlier one, behind the first that it collides with. */
function pairs(
  all: readonly Placed[],
  find: (index: EndpointIndex<Placed>, endpoint: Endpoint) => Placed | undefined,
): (readonly [Placed, Placed])[] {
  const index = new EndpointIndex<Placed>();
  return all.flatMap(other => {
    const found = other.endpoints.map(endpoint => find(index, endpoint)).find(one => one !== undefined);
    for (const endpoint of other.endpoints) index.add(endpoint, other);
    return found === undefined ? [] : [[found, other] as const];
  });
}

function withoutInterface(placed: Placed): ConfigIssue[] {
  const { address } = placed;
  if (address.kind === 'unix') return [];
  const [host, zone] = splitZone(address.host);
  if (zone !== undefined || !/^fe[89ab][0-9a-f]:/.test(host)) return [];
  const expected = 'a link-local address with its interface, such as [fe80::1%eth0]:80';
  return [warning(placed, expected, `${placed.shown} cannot be reached; expected ${expected}`)];
}

function placeOf({ path, shown }: Placed): string {
  return `${formatPath(path)} (${shown})`;
}

function warning({ path, shown }: Placed, expected: string, message: string): ConfigIssue {
  return { path, kind: 'value', expected, got: shown, message };
}
