/**
 * Which address of this machine a connection to a backend comes from, where the configuration names some.
 *
 * Place: asked by both engines for each connect of an upstream with `source`.
 * Why in turn for each target: the kernel has as many ports for each pair of a source and a target. One turn for all
 * targets would give each of two backends, which take turns themselves, always the same source.
 * Invariant: a source has the family of the target; without one of that family the system chooses.
 */
import { isIPv4 } from 'node:net';
import type { Address, TcpAddress } from '../support/address.ts';
import type { EarlyOptions } from '../support/socket.ts';

type Source = NonNullable<EarlyOptions['source']>;

const NONE: readonly TcpAddress[] = [];

/**
 * The sources of a connect, in the order in which they are to be tried: all of them, as one may have no port left.
 * @param client whom the connection is for; absent for spare connections and checks
 */
export function sourcesFor(
  target: TcpAddress,
  source: Source,
  client: string | undefined,
): readonly TcpAddress[] {
  const isV4 = isIPv4(target.host);
  if (source === 'client') {
    if (client === undefined || client === '' || isIPv4(client) !== isV4) return NONE;
    return [{ kind: 'tcp', host: client, port: 0 }];
  }
  const all = ofFamily(source, isV4);
  if (all.length < 2) return all;
  const first = nextTurn(target) % all.length;
  return first === 0 ? all : [...all.slice(first), ...all.slice(0, first)];
}

interface ByFamily {
  readonly v4: readonly TcpAddress[];
  readonly v6: readonly TcpAddress[];
}

/** A plan's list is one object as long as the plan is in force. */
const LISTS = new WeakMap<readonly string[], ByFamily>();

function ofFamily(source: readonly string[], isV4: boolean): readonly TcpAddress[] {
  let known = LISTS.get(source);
  if (known === undefined) {
    const all = source.map((host): TcpAddress => ({ kind: 'tcp', host, port: 0 }));
    known = { v4: all.filter(({ host }) => isIPv4(host)), v6: all.filter(({ host }) => !isIPv4(host)) };
    LISTS.set(source, known);
  }
  return isV4 ? known.v4 : known.v6;
}

/** A backend's address is one object while it does not change. */
const TURNS = new WeakMap<Address, { turn: number }>();

function nextTurn(target: Address): number {
  const known = TURNS.get(target);
  if (known !== undefined) return ++known.turn;
  TURNS.set(target, { turn: 0 });
  return 0;
}
