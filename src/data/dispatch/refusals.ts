/**
 * How a session ends for which no backend was found.
 *
 * Place: how the dispatcher puts it to its owner.
 */
import type { ConnectFailure } from '../../engine/engine.ts';
import type { Reason, Termination } from '../../model/termination.ts';

/** lb4 itself refuses it. */
export function balancers(reason: Reason): Termination {
  return { by: 'balancer', phase: 'connect', reason };
}

/** It ends with its last failure; undefined: it had none. */
export function afterFailure(failure: ConnectFailure | undefined): Termination {
  if (failure === undefined) return balancers('noBackend');
  const by = failure.reason === 'localResources' ? 'balancer' : 'backend';
  return { by, phase: 'connect', reason: failure.reason };
}
