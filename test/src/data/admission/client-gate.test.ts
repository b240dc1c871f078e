import t from 'tap';
import { clientGate } from '../../../../src/data/admission/client-gate.ts';
import { NOTHING, type Facts, type Gate, type Leave } from '../../../../src/data/admission/gate.ts';
import { gatesOf } from '../../../../src/data/admission/gates.ts';
import type { ListenerPlan } from '../../../../src/model/listener-plan.ts';
import type { Entered } from '../../../../src/shared-memory/client-table.ts';
import type { Whose } from '../../../../src/shared-memory/client-tables.ts';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { listenerPlan } from '../../../harness/plans.ts';

const RULES = { sessions: 1, rate: undefined, ipv4Prefix: 32, ipv6Prefix: 64 };
const from = (clientAddress: string): Facts<string> => ({ clientAddress, clientPort: 1, upstream: 'app' });

/** What gates answer to a client one after the other, until one does not let it pass. */
function ask(gates: readonly Gate<string>[], clientAddress: string) {
  const leaves: Leave[] = [];
  for (const gate of gates) {
    const verdict = gate(from(clientAddress), NOTHING);
    if (verdict.kind !== 'pass') return verdict.kind === 'refuse' ? verdict.reason : verdict.kind;
    if (verdict.leave !== undefined) leaves.push(verdict.leave);
    if (verdict.wouldRefuse !== undefined) return `would be ${verdict.wouldRefuse}`;
  }
  return leaves;
}

void t.test('what the table says is what becomes of the client', async t => {
  const answers = new Map<string, Entered | undefined>([
    ['192.0.2.1', 7],
    ['192.0.2.2', 'sessions'],
    ['192.0.2.3', 'rate'],
    ['192.0.2.4', 'uncounted'],
  ]);
  const seen: unknown[] = [];
  const table = {
    enter: (address: string) => answers.get(address),
    leave: (entry: number) => seen.push(entry),
    undo: (entry: number) => seen.push(`undone ${entry}`),
  };
  const gate = clientGate<string>('client', table, RULES, () => seen.push('uncounted'));
  const [counted] = ask([gate], '192.0.2.1');
  t.same(seen, []);
  if (typeof counted === 'function') counted(false);
  t.same(seen, [7], 'its entry is left when its session has ended');
  if (typeof counted === 'function') counted(true);
  t.equal(seen.pop(), 'undone 7', 'or as if there had never been one');
  t.equal(ask([gate], '192.0.2.2'), 'clientSessions');
  t.equal(ask([gate], '192.0.2.3'), 'clientRate');
  t.same(ask([gate], '192.0.2.4'), []);
  t.same(seen, [7, 'uncounted']);
  t.same(ask([gate], ''), [], 'a client of a unix socket has no limit');
});

function gatesFor(limits: ListenerPlan['limits'], plan: Partial<ListenerPlan> = {}) {
  const shared = new ControlledState({ slots: 4 });
  return gatesOf<string>(
    listenerPlan('web', { slot: shared.slotOfListener('web'), limits, ...plan }),
    shared,
    name => name,
  );
}

/** Limits of each client, and of each network. */
function limitsOf(perClient: number, perNetwork?: number): ListenerPlan['limits'] {
  const shared = new ControlledState({ slots: 4 });
  const each = (whose: Whose, sessions: number) => {
    const rules = { ...RULES, sessions, ipv4Prefix: whose === 'client' ? 32 : 24 };
    return { ...rules, table: shared.clientTable('web', { ...rules, whose, clients: 1 }) };
  };
  return {
    perClient: each('client', perClient),
    ...(perNetwork !== undefined && { perNetwork: each('network', perNetwork) }),
  };
}

void t.test('without limits there is no gate', async t => {
  t.same(gatesFor({ maxSessions: 5, rate: { intervalMs: 1, burst: 1 } }), []);
});

void t.test('a listener may limit each client and each network', async t => {
  const gates = gatesFor(limitsOf(1, 2));
  const first = ask(gates, '192.0.2.1');
  t.equal(first.length, 2);
  t.equal(ask(gates, '192.0.2.1'), 'clientSessions');
  t.equal(ask(gates, '192.0.2.2').length, 2);
  t.equal(ask(gates, '192.0.2.3'), 'networkSessions');
  t.equal(ask(gates, '192.0.3.1').length, 2);
});

void t.test('a dry run refuses nobody, and counts only those that would be there without it', async t => {
  const gates = gatesFor(limitsOf(2), { dryRun: true });
  const [first, second] = [ask(gates, '192.0.2.1'), ask(gates, '192.0.2.1')];
  t.same([first.length, second.length], [1, 1]);
  for (let i = 0; i < 3; i++) t.equal(ask(gates, '192.0.2.1'), 'would be clientSessions');
  if (typeof first !== 'string') first[0]?.(false);
  t.equal(ask(gates, '192.0.2.1').length, 1, 'as many as the limit are counted, so there is room at once');
});

void t.test('a dry run counts those that the rate of the listener would make wait', async t => {
  const gates = gatesFor({ rate: { intervalMs: 3_600_000, burst: 2 } }, { dryRun: true });
  t.same([ask(gates, 'a'), ask(gates, 'a'), ask(gates, 'a')], [[], [], 'would be listenerRate']);
});
