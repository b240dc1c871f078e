/**
 * Where a session that is connecting goes when its upstream changes.
 *
 * Place: after each plan in which a backend that is well has come or gone, the dispatcher asks on behalf of the
 * sessions that connect.
 */
import type { Client } from './client-keys.ts';
import { Lease } from './lease.ts';
import type { Retries } from './retries.ts';
import type { UpstreamRuntime } from './upstream-runtime.ts';

/**
 * `stay`: the attempt goes on. A lease: the attempt is given up for that backend, which is well. `wait`: the attempt is
 * given up, because its backend gets no sessions any more and those that are well are full at the moment.
 */
export function whereTo(
  { picker, queue }: UpstreamRuntime,
  { backend, isTrial }: Lease,
  client: Client,
  retries: Retries,
): Lease | 'wait' | 'stay' {
  // While its backend is on trial, the attempt goes on: a trial decides about its backend.
  if (isTrial ? picker.takesSessions(backend) : picker.isWell(backend)) return 'stay';
  retries.leave(backend.id);
  const better = picker.pickWell(client, retries, true);
  if (better instanceof Lease) return better;
  return better === 'full' && queue.hasRoom && !picker.takesSessions(backend) ? 'wait' : 'stay';
}
