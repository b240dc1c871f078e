/**
 * Where observers subscribe to events.
 *
 * Place: `LoadBalancer` is one, and so is `Events`.
 */
import type { EventMap, EventName } from '../model/events.ts';

/** The part of `LoadBalancer` that observers need. */
export interface EventSource {
  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void;
}
