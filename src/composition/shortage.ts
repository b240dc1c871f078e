/**
 * More sessions are configured than the descriptors allow: says so in an event.
 *
 * Place: called by `load-balancer.ts` at the start and with each configuration.
 */
import type { SessionLimits } from '../host/build-data-plane.ts';
import type { Events } from '../model/events.ts';

export function tellShortage({ descriptors, maxSessions }: SessionLimits, events: Events): void {
  if (descriptors?.wanted === undefined) return;
  const { limit, wanted } = descriptors;
  events.emit('descriptors:short', {
    ...{ maxSessions: wanted.maxSessions, allowed: maxSessions },
    ...{ descriptorLimit: limit, descriptorsNeeded: wanted.limit },
  });
}
