/**
 * What a host reports when its listeners have changed: the addresses at which it listens now and did not before.
 *
 * Place: both hosts compare their views of listeners before and after a plan.
 */
import type { HostEvent } from '../model/data-event.ts';
import type { ListenersPlan } from '../model/listener-plan.ts';
import type { HostListenerView } from '../model/snapshot.ts';

export function listeningReports(
  before: readonly HostListenerView[],
  after: readonly HostListenerView[],
  { listeners }: ListenersPlan,
): readonly HostEvent[] {
  const upstreams = new Map(listeners.map(({ name, upstream }) => [name, upstream]));
  const known = new Set(before.flatMap(({ addresses }) => addresses));
  return after.flatMap(({ name, addresses }) =>
    addresses
      .filter(address => !known.has(address))
      .map(
        address =>
          ({ kind: 'listening', listener: name, address, upstream: upstreams.get(name) ?? '' }) as const,
      ),
  );
}
