import t from 'tap';
import { FIRST_LOOK_BYTES, firstByteGate } from '../../../../src/data/admission/first-byte-gate.ts';
import { NOTHING } from '../../../../src/data/admission/gate.ts';
import { gatesOf } from '../../../../src/data/admission/gates.ts';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { listenerPlan } from '../../../harness/plans.ts';

const FACTS = { clientAddress: '192.0.2.1', clientPort: 1, upstream: 'app' };

const SHARED = new ControlledState({ slots: 1 });

void t.test('a client is through with its first byte, and not before', t => {
  const gate = firstByteGate<string>(70);
  t.same(gate(FACTS, NOTHING), { kind: 'more', bytes: FIRST_LOOK_BYTES, withinMs: 70 });
  t.same(gate(FACTS, { bytes: Buffer.from('x'), isAll: false }), { kind: 'pass' });
  t.same(gate(FACTS, { bytes: Buffer.from('x'), isAll: true }), { kind: 'pass' });
  t.same(gate(FACTS, { ...NOTHING, isAll: true }).kind, 'more', 'the admission refuses it then');
  t.end();
});

void t.test('it is the last gate of a listener, where one is wanted', t => {
  const acceptProxy = { from: ['10.0.0.0/8'], timeout: 1, required: true };
  t.same(
    gatesOf(listenerPlan(), SHARED, name => name),
    [],
  );
  t.equal(gatesOf(listenerPlan('web', { firstByte: { timeout: 9 } }), SHARED, name => name).length, 1);
  const gates = gatesOf<string>(
    listenerPlan('web', { acceptProxy, firstByte: { timeout: 9 } }),
    SHARED,
    name => name,
  );
  t.equal(gates.length, 2);
  t.match(gates.at(-1)?.(FACTS, NOTHING), { kind: 'more', withinMs: 9 });
  t.end();
});
