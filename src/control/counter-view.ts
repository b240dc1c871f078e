/**
 * Reads what has been counted, for `LoadBalancer.counters()`.
 *
 * Place: called on each request, from shared memory only.
 */
import { Counts, type CounterView, type CountsKind } from '../model/counter-view.ts';
import type { ControlledState } from '../shared-memory/shared-state.ts';
import type { SlottedUpstream } from './upstream/upstream-status.ts';

interface Counted {
  readonly listeners: readonly { readonly name: string }[];
  readonly upstreams: readonly SlottedUpstream[];
}

export function counterView(
  { listeners, upstreams }: Counted,
  shared: ControlledState,
  kind: CountsKind,
): CounterView {
  const { counters } = shared;
  const ofUpstreams = upstreams.reduce((sum, { backends }) => sum + 1 + backends.length, 0);
  const blocksOf =
    kind === 'live'
      ? (slot: number) => counters.live(slot)
      : counters.copier(1 + listeners.length + ofUpstreams);
  const at = (slot: number): Counts => {
    const { cells, at: first, rows } = blocksOf(slot);
    return new Counts(cells, first, rows);
  };
  return {
    instance: at(shared.slotOfInstance()),
    listeners: listeners.map(({ name }) => ({ name, counts: at(shared.slotOfListener(name)) })),
    upstreams: upstreams.map(({ name, queueSlot, backends }) => ({
      name,
      counts: at(queueSlot),
      backends: backends.map(([backend, slot]) => ({ backend, counts: at(slot) })),
    })),
  };
}
