/**
 * The gates of a listener, besides its places, in their order.
 *
 * Place: the data plane asks for them with each plan of a listener.
 */
import type { ListenerPlan } from '../../model/listener-plan.ts';
import type { Gate } from './gate.ts';
import { proxyGate } from './proxy-gate.ts';

export function gatesOf<U>({ acceptProxy }: ListenerPlan): readonly Gate<U>[] {
  // First: the others judge by the address that it gives.
  return acceptProxy === undefined || acceptProxy.from.length === 0 ? [] : [proxyGate<U>(acceptProxy)];
}
