/**
 * The gates of a listener, besides its places, in their order.
 *
 * Place: the data plane asks for them with each plan of a listener.
 */
import type { ListenerPlan } from '../../model/listener-plan.ts';
import { accessGate } from './access-gate.ts';
import { firstByteGate } from './first-byte-gate.ts';
import type { Gate } from './gate.ts';
import { proxyGate } from './proxy-gate.ts';

export function gatesOf<U>(plan: ListenerPlan): readonly Gate<U>[] {
  const { acceptProxy, access, firstByte } = plan;
  const judges: Gate<U>[] = access === undefined ? [] : [accessGate(access)];
  return [
    // First: the others judge by the address that it gives.
    ...(acceptProxy === undefined || acceptProxy.from.length === 0 ? [] : [proxyGate<U>(acceptProxy)]),
    ...(plan.dryRun === true ? judges.map(dryRun) : judges),
    // Last: a client that another gate refuses need not say anything.
    ...(firstByte === undefined ? [] : [firstByteGate<U>(firstByte.timeout)]),
  ];
}

/** The same gate, which lets in what it would refuse, and says so. */
export function dryRun<U>(gate: Gate<U>): Gate<U> {
  return (facts, first) => {
    const verdict = gate(facts, first);
    return verdict.kind === 'refuse' ? { kind: 'pass', wouldRefuse: verdict.reason } : verdict;
  };
}
