/**
 * What the admin API needs of a load balancer, and of the program that runs it.
 *
 * Place: `LoadBalancer` has the methods of `Balanced`; the command line adds the rest. Tests put something else behind
 * it.
 */
import type { EventMap, EventName } from '../model/events.ts';
import type { LoadBalancerSnapshot } from '../model/snapshot.ts';

/** The part of `LoadBalancer` that is used. */
export interface Balanced {
  snapshot(): LoadBalancerSnapshot;
  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void;
}

/** The process, as `/api/v1/status` shows it. */
export interface About {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
}

export interface AdminPort {
  readonly balancer: Balanced;
  readonly about: About;
  /** What `/readyz` looks at besides whether clients are accepted. */
  readonly readyNeeds: 'listeners' | 'upstream';
}
