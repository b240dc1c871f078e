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
  const blocks = shared.counters
    .read([
      shared.slotOfInstance(),
      ...listeners.map(({ name }) => shared.slotOfListener(name)),
      ...upstreams.flatMap(({ queueSlot, slots }) => [queueSlot, ...slots]),
    ])
    .values();
  const next = (): Counts => new Counts(blocks.next().value ?? NOTHING);
  return {
    instance: next(),
    listeners: listeners.map(({ name }) => ({ name, counts: next() })),
    upstreams: upstreams.map(({ name, backends }) => ({
      name,
      counts: next(),
      backends: backends.map(({ backend }) => ({ backend, counts: next() })),
    })),
  };
}

const NOTHING = new Float64Array();
