/**
 * The gates that hold each client to its limits, and the one that only counts what a listener's rate would make wait.
 *
 * Place: behind the gates that say which address the client has and whether it may come in at all: a client that these
 * refuse is not counted.
 * Invariant: a session is counted for its client from the gate to its end.
 */
import type { ClientLimit, ClientRules, ClientTable } from '../../shared-memory/client-table.ts';
import type { Whose } from '../../shared-memory/client-tables.ts';
import type { Gate, Verdict } from './gate.ts';

/** @param onUncounted the table has no room, and the client is let in all the same */
export function clientGate<U>(
  whose: Whose,
  table: Pick<ClientTable, 'enter' | 'leave' | 'undo'>,
  rules: ClientRules,
  onUncounted: () => void,
): Gate<U> {
  const pass: Verdict<U> = { kind: 'pass' };
  const refusals: Readonly<Record<ClientLimit, Verdict<U>>> = {
    sessions: { kind: 'refuse', reason: `${whose}Sessions` },
    rate: { kind: 'refuse', reason: `${whose}Rate` },
  };
  return ({ clientAddress }) => {
    const entered = table.enter(clientAddress, rules);
    // A client without an IP address comes from this machine.
    if (entered === undefined) return pass;
    if (entered === 'uncounted') {
      onUncounted();
      return pass;
    }
    if (typeof entered !== 'number') return refusals[entered];
    return {
      kind: 'pass',
      leave: isUndone => (isUndone ? table.undo(entered, rules) : table.leave(entered)),
    };
  };
}

/** For a dry run: without it, the client would wait until there is a token. */
export function rateGate<U>(takeToken: () => boolean): Gate<U> {
  const [pass, late]: Verdict<U>[] = [{ kind: 'pass' }, { kind: 'pass', wouldRefuse: 'listenerRate' }];
  return () => (takeToken() ? pass : late) as Verdict<U>;
}
