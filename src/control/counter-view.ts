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
  const ofUpstreams = upstreams.reduce((sum, { backends }) => sum + 1 + backends.length, 0);
  const read = shared.counters.reader(1 + listeners.length + ofUpstreams);
  const at = (slot: number | undefined): Counts => new Counts(slot === undefined ? NOTHING : read(slot));
  return {
    instance: at(shared.slotOfInstance()),
    listeners: listeners.map(({ name }) => ({ name, counts: at(shared.slotOfListener(name)) })),
    upstreams: upstreams.map(({ name, queueSlot, slots, backends }) => ({
      name,
      counts: at(queueSlot),
      backends: backends.map(({ backend }, i) => ({ backend, counts: at(slots[i]) })),
    })),
  };
}

const NOTHING = new Float64Array();
