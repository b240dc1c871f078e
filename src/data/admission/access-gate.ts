/**
 * The gate that lets in whom `access` of the listener allows.
 *
 * Place: asked for each client as soon as it is accepted, or when the PROXY protocol header has said who it is.
 * Invariant: pure, and all its answers are made beforehand.
 */
import { DECISION, decisionFor, type AccessPlan } from '../../model/access-list.ts';
import type { Gate, Verdict } from './gate.ts';

export function accessGate<U>(access: AccessPlan): Gate<U> {
  const pass: Verdict<U> = { kind: 'pass' };
  const reset: Verdict<U> = { kind: 'refuse', reason: 'denied' };
  const drop: Verdict<U> = { kind: 'refuse', reason: 'denied', isDropped: true };
  return ({ clientAddress }) => {
    const decision = decisionFor(access, clientAddress);
    if (decision === DECISION.allow) return pass;
    return decision === DECISION.drop ? drop : reset;
  };
}
