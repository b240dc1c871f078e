/** The gate that reads what TLS clients send first. */
import t from 'tap';
import { NOTHING, type Facts } from '../../../../src/data/admission/gate.ts';
import { gatesOf } from '../../../../src/data/admission/gates.ts';
import { helloGate } from '../../../../src/data/admission/hello-gate.ts';
import type { HelloPlan } from '../../../../src/model/hello-plan.ts';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { helloFor, helloMessage, inRecords, serverName } from '../../../harness/client-hello.ts';
import { listenerPlan } from '../../../harness/plans.ts';

const FACTS: Facts<string> = { clientAddress: '192.0.2.1', clientPort: 1, upstream: 'default' };
const ROUTES = [{ match: ['a.test'], alpn: [], upstream: 'a' }];
const plan = (changes: Partial<HelloPlan> = {}): HelloPlan => ({
  ...{ timeout: 70, routes: ROUTES, others: 'upstream', isRequired: false },
  ...changes,
});
const gateOf = (changes: Partial<HelloPlan> = {}) => {
  const gate = helloGate<string>(plan(changes), name => `runtime of ${name}`);
  return (bytes: Uint8Array) => gate(FACTS, { bytes, isAll: false });
};
const SHARED = new ControlledState({ slots: 1 });
const PLAIN = Buffer.from('GET / HTTP/1.1\r\n\r\n');

void t.test('a client goes where its name belongs, and is known by it', t => {
  const ask = gateOf();
  t.same(ask(helloFor('A.test.')), {
    kind: 'pass',
    facts: { ...FACTS, serverName: 'a.test', upstream: 'runtime of a' },
  });
  t.same(ask(helloFor('b.test')), { kind: 'pass', facts: { ...FACTS, serverName: 'b.test' } });
  t.same(ask(helloFor(undefined)), { kind: 'pass', facts: FACTS });
  t.same(ask(PLAIN), { kind: 'pass' });
  t.end();
});

void t.test('others are refused where that is wanted, and known by their names', t => {
  const ask = gateOf({ others: 'refuse' });
  t.equal(ask(helloFor('a.test')).kind, 'pass');
  t.same(ask(helloFor('b.test')), {
    ...{ kind: 'refuse', reason: 'noRoute', facts: { ...FACTS, serverName: 'b.test' } },
  });
  t.match(ask(helloFor(undefined)), { kind: 'refuse', reason: 'noRoute' });
  t.match(ask(PLAIN), { kind: 'refuse', reason: 'noClientHello' });
  t.end();
});

void t.test('where TLS is required nothing else passes', t => {
  const ask = gateOf({ isRequired: true });
  t.match(ask(PLAIN), { kind: 'refuse', reason: 'noClientHello' });
  t.equal(ask(helloFor('b.test')).kind, 'pass');
  t.end();
});

void t.test('a hello that is none is refused, whatever becomes of others', t => {
  const two = inRecords(helloMessage({ extensions: [serverName('a.test', 'b.test')] }));
  for (const bytes of [two, helloFor('192.0.2.1'), helloFor('a\0.test')])
    t.same(gateOf()(bytes), { kind: 'refuse', reason: 'badClientHello' });
  t.end();
});

void t.test('it waits for the whole message, and for no more than that', t => {
  const ask = gateOf();
  t.same(ask(NOTHING.bytes), { kind: 'more', bytes: 2_048, withinMs: 70 });
  const long = inRecords(helloMessage({ extensions: [serverName('a.test'), [21, Buffer.alloc(5_000)]] }));
  t.same(ask(long.subarray(0, 2_048)), { kind: 'more', bytes: long.length, withinMs: 70 });
  t.equal(ask(long).kind, 'pass');
  t.equal(ask(Buffer.concat([long, PLAIN])).kind, 'pass', 'early data may follow');
  t.end();
});

void t.test('a listener has this gate where it is wanted, behind the one that reads PROXY headers', t => {
  const gates = gatesOf<string>(
    listenerPlan('web', {
      hello: plan(),
      acceptProxy: { from: ['unix'], timeout: 1, required: true },
      firstByte: { timeout: 9 },
    }),
    SHARED,
    name => name,
  );
  t.equal(gates.length, 3);
  t.match(gates[1]?.(FACTS, NOTHING), { kind: 'more', withinMs: 70 });
  t.same(
    gatesOf(listenerPlan(), SHARED, name => name),
    [],
  );
  t.end();
});
