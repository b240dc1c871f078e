/** What the gate for PROXY protocol headers makes of first bytes, by itself. */
import t from 'tap';
import { encodeProxyHeader, TLV, type ProxyHeaderInput } from '../../../../src/codec/proxy-protocol/index.ts';
import type { Facts, Gate } from '../../../../src/data/admission/gate.ts';
import { gatesOf } from '../../../../src/data/admission/gates.ts';
import { proxyGate, proxyIn } from '../../../../src/data/admission/proxy-gate.ts';
import { listenerPlan } from '../../../harness/plans.ts';

const PROXY: Facts<string> = { clientAddress: '10.0.0.1', clientPort: 5_000, upstream: 'app' };
const accept = { from: ['10.0.0.0/8', 'unix'], timeout: 3_000, required: true };
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** The gate's verdict on a header with payload behind it. */
function read(header: ProxyHeaderInput, gate: Gate<string> = proxyGate(accept)) {
  const bytes = encodeProxyHeader(header);
  const first = { bytes: Buffer.concat([bytes, bytesOf('GET /')]), isAll: false };
  return { verdict: gate(PROXY, first), bytes: bytes.length };
}

void t.test('a listener has this gate where it has senders to believe', async t => {
  const gates = (from?: readonly string[]): number =>
    gatesOf<string>(listenerPlan('web', from === undefined ? {} : { acceptProxy: { ...accept, from } }))
      .length;
  t.same([gates(), gates([]), gates(['10.0.0.0/8'])], [0, 0, 1]);
});

void t.test('a header gives the address of the client, and only its own bytes are taken', async t => {
  const source = { address: '::ffff:c000:201', port: 40_000 };
  const destination = { address: '2001:db8::1', port: 443 };
  const { verdict, bytes } = read({
    version: 2,
    command: 'proxy',
    addresses: { family: 'ipv6', transport: 'stream', source, destination },
  });
  t.match(verdict, {
    ...{ kind: 'pass', take: bytes },
    facts: { clientAddress: '192.0.2.1', clientPort: 40_000, proxied: { destination }, upstream: 'app' },
  });
});

void t.test('a header without addresses leaves those of the connection', async t => {
  const local = read({ version: 2, command: 'local', addresses: undefined });
  t.same(local.verdict, { kind: 'pass', facts: PROXY, take: local.bytes });
  const unknown = read({ version: 1, command: 'proxy', addresses: undefined });
  t.match(unknown.verdict, { kind: 'pass', facts: { clientAddress: '10.0.0.1', proxied: { tlvs: [] } } });
  const unix = read({
    version: 2,
    command: 'proxy',
    addresses: {
      family: 'unix',
      transport: 'stream',
      source: bytesOf('/run/a'),
      destination: bytesOf('/run/b'),
    },
  });
  t.match(unix.verdict, { kind: 'pass', facts: { clientAddress: '', clientPort: 0 } });
});

void t.test(
  'others are never looked at, and of trusted senders nothing is believed but a header',
  async t => {
    const gate = proxyGate<string>(accept);
    const lenient = proxyGate<string>({ ...accept, required: false });
    const header = bytesOf('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n');
    t.same(gate({ ...PROXY, clientAddress: '11.0.0.1' }, { bytes: header, isAll: false }), { kind: 'pass' });
    const first = (text: string, isAll = false) => ({ bytes: bytesOf(text), isAll });
    t.same(gate(PROXY, first('GET / HTTP/1.1\r\n')), { kind: 'refuse', reason: 'noProxyHeader' });
    t.same(lenient(PROXY, first('GET / HTTP/1.1\r\n')), { kind: 'pass' });
    t.same(lenient(PROXY, first('PROXY TCP4 1.2.3.4\r\n')), { kind: 'refuse', reason: 'badProxyHeader' });
    t.match(gate(PROXY, first('PROXY TCP4 1.2.')), { kind: 'more', withinMs: 3_000 });
    t.match(gate(PROXY, first('', true)), { kind: 'more' }, 'the admission ends what can never be whole');
    t.same(lenient(PROXY, first('', true)), { kind: 'pass' }, 'a client that waits for the server to speak');
  },
);

void t.test('the record of a session names the proxy and its id', async t => {
  const at = { peerAddress: '10.0.0.1' };
  const withId = (value: Uint8Array) => proxyIn({ tlvs: [{ type: TLV.uniqueId, value }] }, at);
  t.same(proxyIn({ tlvs: [] }, at), { proxyAddress: '10.0.0.1', uniqueId: undefined });
  t.equal(withId(bytesOf('a-1')).uniqueId, 'a-1');
  t.equal(withId(bytesOf('a 1')).uniqueId, '612031', 'what is no word, in hexadecimal');
});
