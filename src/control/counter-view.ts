/**
 * Reads what has been counted, for `LoadBalancer.counters()`.
 *
 * Place: called on each request, from shared memory only.
 */
import { Counts, type CounterView } from '../model/counter-view.ts';
import type { ControlledState } from '../shared-memory/shared-state.ts';
import type { Upstream } from './upstream/upstream.ts';

interface Counted {
  readonly listeners: readonly { readonly name: string }[];
  readonly upstreams: readonly ReturnType<Upstream['status']>[];
}

export function counterView({ listeners, upstreams }: Counted, shared: ControlledState): CounterView {
  const countsIn = (slot: number): Counts => new Counts(shared.counters.read(slot));
  return {
    instance: countsIn(shared.slotOfInstance()),
    listeners: listeners.map(({ name }) => ({ name, counts: countsIn(shared.slotOfListener(name)) })),
    upstreams: upstreams.map(({ name, backends, slots }) => ({
      name,
      counts: countsIn(shared.slotOfQueue(name)),
      backends: backends.map(({ backend }, i) => ({ backend, counts: countsIn(slots[i] ?? -1) })),
    })),
  };
}
