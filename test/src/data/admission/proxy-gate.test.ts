/** What the gate for PROXY protocol headers makes of first bytes, by itself. */
import t from 'tap';
import { encodeProxyHeader, TLV, type ProxyHeaderInput } from '../../../../src/codec/proxy-protocol/index.ts';
import { V2_SIGNATURE } from '../../../../src/codec/proxy-protocol/header.ts';
import type { Facts, Gate } from '../../../../src/data/admission/gate.ts';
import { gatesOf } from '../../../../src/data/admission/gates.ts';
import { proxyGate, proxyIn } from '../../../../src/data/admission/proxy-gate.ts';
import { prefaceOf } from '../../../../src/data/session/preface.ts';
import { FORWARDED_TLVS } from '../../../../src/model/send-proxy.ts';
import { ipKey } from '../../../../src/shared-memory/ip-key.ts';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { listenerPlan } from '../../../harness/plans.ts';
import { fc } from '../../../harness/properties.ts';

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
    gatesOf<string>(
      listenerPlan('web', from === undefined ? {} : { acceptProxy: { ...accept, from } }),
      new ControlledState({ slots: 1 }),
      name => name,
    ).length;
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

/** Addresses as they are sent, what they become from version 1, and from version 2, which carries bytes. */
const SPELLINGS = [
  ['::ffff:c000:201', '192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:201', '192.0.2.1', '192.0.2.1'],
  ['0:0::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
  ['::ffff:0:0', '0.0.0.0', '0.0.0.0'],
  ['0:0:0:0:0:ffff::', '0.0.0.0', '0.0.0.0'],
  // Those that only look like mapped ones.
  ['::ffff:1', '::ffff:1', '::ffff:1'],
  ['::ffff:1:2:3', '::ffff:1:2:3', '::ffff:1:2:3'],
  ['::ffff:0:192.0.2.1', '::ffff:0:192.0.2.1', '::ffff:0:c000:201'],
  ['2001:db8::ffff:c000:201', '2001:db8::ffff:c000:201', '2001:db8::ffff:c000:201'],
] as const;

void t.test('a mapped address is IPv4 in whatever way it is written, and no other one is', t => {
  for (const [sent, ...given] of SPELLINGS)
    for (const version of [1, 2] as const) {
      const end = { address: sent, port: 443 };
      const addresses = { family: 'ipv6', transport: 'stream', source: end, destination: end } as const;
      const { verdict } = read({ version, command: 'proxy', addresses });
      const address = given[version - 1];
      const facts = verdict.kind === 'pass' ? verdict.facts : undefined;
      const both = [facts?.clientAddress, facts?.proxied?.destination?.address];
      t.strictSame(both, [address, address], `${sent}, version ${version}`);
    }
  t.end();
});

/** An IPv6 address, its zeros shortened or not, the last 32 bits dotted or not. */
const ipv6 = fc
  .record({
    groups: fc.array(
      fc.oneof(fc.constantFrom(0, 0, 0, 0xffff, 0xffff, 1, 0xc000), fc.integer({ min: 0, max: 0xffff })),
      { minLength: 8, maxLength: 8 },
    ),
    zeros: fc.nat(8),
    isDotted: fc.boolean(),
    shorten: fc.option(fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 8 })), { nil: undefined }),
    isLoud: fc.boolean(),
  })
  .map(({ groups, zeros, isDotted, shorten, isLoud }) => {
    const values = groups.map((group, i) => (i < zeros ? 0 : group));
    const texts = values.map(value => value.toString(16));
    const [high = 0, low = 0] = values.slice(6);
    if (isDotted) texts.splice(6, 2, [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.'));
    const [from, count] = shorten ?? [0, 0];
    const isShort = count > 0 && values.slice(from, from + count).every(value => value === 0);
    const text =
      isShort && (!isDotted || from + count <= 6)
        ? `${texts.slice(0, from).join(':')}::${texts.slice(from + count).join(':')}`
        : texts.join(':');
    return isLoud ? text.toUpperCase() : text;
  });
const port = fc.integer({ min: 0, max: 65_535 });
const line = fc
  .oneof(
    fc.tuple(fc.constant('TCP6'), ipv6, ipv6, port, port),
    fc.tuple(fc.constant('TCP4'), fc.ipV4(), fc.ipV4(), port, port),
  )
  .map(parts => ({ bytes: bytesOf(`PROXY ${parts.join(' ')}\r\n`), source: parts[1] }));
const tlv = fc.record({ type: fc.integer({ min: 0, max: 255 }), value: fc.uint8Array({ maxLength: 130 }) });
const MAPPED = [...new Array<number>(10).fill(0), 0xff, 0xff];
/** Version 2, with addresses of each family and TLVs of any type. */
const binary = fc
  .record({
    kind: fc.constantFrom(0x11, 0x12, 0x21, 0x22, 0x31, 0x00),
    start: fc.constantFrom([], MAPPED, [0, 0, ...MAPPED]),
    rest: fc.uint8Array({ minLength: 216, maxLength: 216 }),
    tlvs: fc.array(tlv, { maxLength: 4 }),
  })
  .map(({ kind, start, rest, tlvs }) => {
    const addresses = [...start, ...rest].slice(0, [0, 12, 36, 216][kind >> 4]);
    const body = [...addresses, ...tlvs.flatMap(({ type, value }) => [type, 0, value.length, ...value])];
    const bytes = Buffer.from([...V2_SIGNATURE, 0x21, kind, body.length >> 8, body.length & 0xff, ...body]);
    return { bytes, source: undefined };
  });

void t.test('whatever header is accepted, it names the same client, and can be passed on', t => {
  const gate = proxyGate<string>(accept);
  const here = { localAddress: '[2001:db8::1]:443' };
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(line, binary), ({ bytes, source }) => {
      const verdict = gate(PROXY, { bytes, isAll: false });
      if (verdict.kind !== 'pass' || verdict.facts === undefined) return source === undefined;
      accepted++;
      const { facts } = verdict;
      prefaceOf({ version: 'v1', tlvs: [] }, facts, here, '1-1');
      prefaceOf({ version: 'v2', tlvs: FORWARDED_TLVS }, facts, here, '1-1');
      return source === undefined || keyOf(facts.clientAddress) === keyOf(source);
    }),
    { numRuns: 3_000 },
  );
  t.ok(accepted > 1_000, String(accepted));
  t.end();
});

/** An address as numbers, whatever its spelling. */
function keyOf(address: string): string {
  const key = new Int32Array(4);
  return ipKey(address, key) ? key.join() : 'no address';
}

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
    for (const text of ['', 'P', 'PROXY', '\r\n', '\r\n\r\n\0\r\nQUIT']) {
      t.match(lenient(PROXY, first(text)), { kind: 'more' });
      t.same(
        lenient(PROXY, first(text, true)),
        { kind: 'pass' },
        'what may be a header and has not become one',
      );
      t.match(gate(PROXY, first(text, true)), { kind: 'more' });
    }
    for (const text of ['PROXY ', 'PROXY TCP4 1', '\r\n\r\n\0\r\nQUIT\n'])
      t.match(lenient(PROXY, first(text, true)), { kind: 'more' }, 'what is one is never passed on');
  },
);

void t.test('the record of a session names the proxy and its id', async t => {
  const at = { peerAddress: '10.0.0.1' };
  const withId = (value: Uint8Array) => proxyIn({ tlvs: [{ type: TLV.uniqueId, value }] }, at);
  t.same(proxyIn({ tlvs: [] }, at), { proxyAddress: '10.0.0.1', uniqueId: undefined });
  t.equal(withId(bytesOf('a-1')).uniqueId, 'a-1');
  t.equal(withId(bytesOf('a 1')).uniqueId, '612031', 'what is no word, in hexadecimal');
});
