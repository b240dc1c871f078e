/**
 * Where a session goes whose attempt to connect is under way when its upstream changes.
 *
 * Place: the dispatcher asks for the sessions that connect, after each plan in which a backend that is well has come
 * or gone.
 */
import { Lease } from './lease.ts';
import type { Retries } from './retries.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';

/**
 * `stay`: the attempt goes on. A lease: it is given up for that backend, which is well. `wait`: it is given up, because
 * its backend gets no sessions any more, and those that are well are full for the moment.
 */
export function whereTo(
  { picker, queue }: UpstreamRuntime,
  { backend, isTrial }: Lease,
  clientAddress: string,
  retries: Retries,
): Lease | 'wait' | 'stay' {
  // A trial decides about its backend, as long as that is on trial.
  if (isTrial ? picker.takesSessions(backend) : picker.isWell(backend)) return 'stay';
  retries.leave(backend.id);
  const better = picker.pickWell(clientAddress, retries);
  if (better instanceof Lease) return better;
  return better === 'full' && queue.hasRoom && !picker.takesSessions(backend) ? 'wait' : 'stay';
}
