/** The keys of the PROXY protocol: what they mean, and what is refused. */
import t from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { problems, withUpstream, type Keys } from './small-inputs.ts';

function upstreamOf(keys: Keys) {
  const parsed = parseConfig(withUpstream(keys));
  if (!parsed.ok) throw new Error(problems(withUpstream(keys)));
  return parsed.config.upstreams[0]!;
}

void t.test('sendProxy is a version, or a mapping with what the header says besides', t => {
  t.equal(upstreamOf({}).sendProxy, 'off');
  for (const off of ['off', false]) t.equal(upstreamOf({ sendProxy: off }).sendProxy, 'off');
  t.same(upstreamOf({ sendProxy: 'v1' }).sendProxy, { version: 'v1', tlvs: [] });
  t.same(upstreamOf({ sendProxy: {} }).sendProxy, { version: 'v2', tlvs: [] });
  const all = { version: 'v2', tlvs: ['uniqueId', 'authority', 'ssl', 'crc32c'] };
  t.same(upstreamOf({ sendProxy: all }).sendProxy, all);
  t.equal(upstreamOf({ health: { sendProxy: false } }).health.sendProxy, 'off');
  t.end();
});

const listenerOf = (acceptProxy: unknown): unknown => ({
  listeners: [{ name: 'web', bind: [':8080'], upstream: 'app', acceptProxy }],
  upstreams: [{ name: 'app', backends: ['10.0.0.1:80'] }],
});

void t.test('acceptProxy is the list of those who are believed, and how', t => {
  const accepts = (value: unknown) => {
    const parsed = parseConfig(listenerOf(value));
    if (!parsed.ok) throw new Error(problems(listenerOf(value)));
    return parsed.config.listeners[0]!.acceptProxy;
  };
  const from = ['10.0.0.0/8', 'fd00::/8', '192.0.2.1', '::1', '0.0.0.0/0', 'unix'];
  t.same(accepts({ from }), { from, timeout: 5_000, required: true });
  t.same(accepts({ from: [], timeout: '1s', required: false }), {
    from: [],
    timeout: 1_000,
    required: false,
  });
  t.equal(accepts(undefined), undefined);
  t.end();
});

const NETWORK = 'a network such as 10.0.0.0/8 or fd00::/8, an IP address, or unix';
for (const network of [
  '10.0.0.0/33',
  '::/129',
  '10.0.0/8',
  'proxy.internal',
  'fe80::1%eth0',
  '10.0.0.1:80',
  '',
  '/8',
])
  void t.test(`refused: the network "${network}"`, t => {
    const line = `listeners[0].acceptProxy.from[0]: expected ${NETWORK}, got "${network}"`;
    t.equal(problems(listenerOf({ from: [network] })), line);
    t.end();
  });

const WORDS = 'uniqueId, authority, alpn, ssl, netns, others, crc32c';

for (const [what, input, line] of [
  [
    'another version',
    withUpstream({ sendProxy: 'v3' }),
    'upstreams[0].sendProxy: expected v1, v2, "off", or a mapping such as { version: v2, tlvs: [uniqueId] }, got "v3"',
  ],
  [
    'an unknown TLV',
    withUpstream({ sendProxy: { tlvs: ['sni'] } }),
    `upstreams[0].sendProxy.tlvs[0]: expected one of ${WORDS}, got "sni"`,
  ],
  [
    'a TLV twice',
    withUpstream({ sendProxy: { tlvs: ['crc32c', 'crc32c'] } }),
    `upstreams[0].sendProxy.tlvs: expected a list of different words, each one of ${WORDS}, got a list`,
  ],
  [
    'TLVs of version 1',
    withUpstream({ sendProxy: { version: 'v1', tlvs: ['crc32c'] } }),
    'upstreams[0].sendProxy.tlvs: expected no tlvs with version v1, which has none, got a list',
  ],
  [
    'reuse beside it',
    withUpstream({ sendProxy: 'v1', pool: { reuse: true } }),
    'upstreams[0].pool.reuse: expected no reuse with sendProxy, got true',
  ],
  [
    'a version of checks',
    withUpstream({ health: { sendProxy: 1 } }),
    'upstreams[0].health.sendProxy: expected v1, v2 or "off", got 1',
  ],
] as const)
  void t.test(`refused: ${what}`, t => {
    t.equal(problems(input), line);
    t.end();
  });
