/**
 * The gates of a listener, besides its places, in their order.
 *
 * Place: the data plane asks for them with each plan of a listener.
 */
import type { ClientLimits, ListenerPlan } from '../../model/listener-plan.ts';
import { LISTENER } from '../../shared-memory/counters/layout.ts';
import type { Whose } from '../../shared-memory/client-tables.ts';
import type { SharedState } from '../../shared-memory/shared-state.ts';
import { accessGate } from './access-gate.ts';
import { clientGate, rateGate } from './client-gate.ts';
import { firstByteGate } from './first-byte-gate.ts';
import type { Gate } from './gate.ts';
import { helloGate } from './hello-gate.ts';
import { proxyGate } from './proxy-gate.ts';

/**
 * @param shared this thread's view of it
 * @param upstreamOf where routes lead to
 * @param tls where the listener ends TLS
 */
export function gatesOf<U>(
  plan: ListenerPlan,
  shared: SharedState,
  upstreamOf: (name: string) => U,
  tls?: Gate<U>,
): readonly Gate<U>[] {
  const { acceptProxy, access, hello, firstByte } = plan;
  // A client that may not come in is not counted.
  const judges = [...(access === undefined ? [] : [accessGate<U>(access)]), ...limitGates<U>(plan, shared)];
  return [
    // First: the others judge by the address that it gives, also in a dry run.
    ...(acceptProxy === undefined || acceptProxy.from.length === 0 ? [] : [proxyGate<U>(acceptProxy)]),
    ...(plan.dryRun === true ? judges.map(dryRun) : judges),
    ...(hello === undefined ? [] : [helloGate<U>(hello, upstreamOf)]),
    ...(tls === undefined ? [] : [tls]),
    // Last: a client that another gate refuses need not say anything.
    ...(firstByte === undefined ? [] : [firstByteGate<U>(firstByte.timeout)]),
  ];
}

function limitGates<U>({ slot, limits, dryRun: isDry }: ListenerPlan, shared: SharedState): Gate<U>[] {
  const { rate, perClient, perNetwork } = limits;
  const cells = shared.counters.cells(slot);
  const gateOf = (whose: Whose, each: ClientLimits | undefined): Gate<U>[] =>
    each === undefined
      ? []
      : [
          clientGate(whose, shared.viewOfClients(each.table), each, () =>
            cells.add(LISTENER.uncounted, 0, 1),
          ),
        ];
  const gates = [...gateOf('client', perClient), ...gateOf('network', perNetwork)];
  // Otherwise the rate is a place.
  if (isDry !== true || rate === undefined) return gates;
  return [...gates, rateGate(() => shared.startRates.take(slot, rate) === 0)];
}

/** The same gate, which lets in what it would refuse, and says so. */
export function dryRun<U>(gate: Gate<U>): Gate<U> {
  return (facts, first) => {
    const verdict = gate(facts, first);
    return verdict.kind === 'refuse' ? { kind: 'pass', wouldRefuse: verdict.reason } : verdict;
  };
}
