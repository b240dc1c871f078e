/** By what clients are known. */
import { isIPv6 } from 'node:net';
import t from 'tap';
import { clientOf, stickyKeyOf } from '../../../../src/data/dispatch/client-keys.ts';
import { fc } from '../../../harness/properties.ts';

const PREFIX = { by: 'clientPrefix', v4: 24, v6: 64 } as const;
const TLV = { by: 'proxyTlv', type: 5 } as const;
const tlvs = (value: string, type = 5) => ({ proxied: { tlvs: [{ type, value: Buffer.from(value) }] } });

void t.test('where the address decides, it is all there is', t => {
  const client = clientOf(undefined, undefined)('192.0.2.7', tlvs('x'));
  t.equal(client, '192.0.2.7');
  t.equal(stickyKeyOf(client), '192.0.2.7');
  t.end();
});

void t.test('the network of an address has one key, and other networks have others', t => {
  const key = (address: string, v4 = 24, v6 = 64): string =>
    stickyKeyOf(clientOf(undefined, { by: 'clientPrefix', v4, v6 })(address, undefined));
  t.equal(key('192.0.2.7'), '192.0.2.0');
  t.equal(key('::ffff:192.0.2.9'), '192.0.2.0');
  t.equal(key('192.0.3.7'), '192.0.3.0');
  t.equal(key('255.255.255.255', 1), '128.0.0.0');
  t.equal(key('255.255.255.255', 32), '255.255.255.255');
  t.equal(key('2001:db8:1:2:3::4'), '2001:db8:1:2:0:0:0:0');
  t.equal(key('2001:db8:1:2:ffff::'), key('2001:db8:1:2::1'));
  t.not(key('2001:db8:1:3::1'), key('2001:db8:1:2::1'));
  t.equal(key('2001:db8::1', 24, 128), '2001:db8:0:0:0:0:0:1');
  t.equal(key('fe80::1%eth0'), 'fe80:0:0:0:0:0:0:0');
  t.equal(key(''), '', 'a client of a unix socket has none');
  t.end();
});

void t.test('a network is decided by its leading bits, and by nothing else', t => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.integer({ min: 1, max: 32 }), (a, b, v4) => {
      const text = (word: number): string => [24, 16, 8, 0].map(by => (word >>> by) & 255).join('.');
      const key = (word: number): string =>
        stickyKeyOf(clientOf(undefined, { by: 'clientPrefix', v4, v6: 64 })(text(word), undefined));
      const isSame = a >>> (32 - v4) === b >>> (32 - v4);
      return (key(a) === key(b)) === isSame;
    }),
  );
  t.end();
});

void t.test('the value of a TLV is a key, whatever the address', t => {
  const of = clientOf(TLV, TLV);
  const one = of('192.0.2.7', tlvs('one'));
  t.same(of('198.51.100.1', tlvs('one')), { ...(one as object), address: '198.51.100.1' });
  t.not(stickyKeyOf(of('192.0.2.7', tlvs('two'))), stickyKeyOf(one));
  t.ok(isIPv6(stickyKeyOf(one)), 'one that fits into the table of clients');
  t.match(one, { address: '192.0.2.7', hash: stickyKeyOf(one) });
  for (const none of [undefined, {}, tlvs('one', 6), { proxied: { tlvs: [] } }])
    t.match(of('192.0.2.7', none), { hash: '192.0.2.7', sticky: '192.0.2.7' });
  t.ok(isIPv6(stickyKeyOf(of('', tlvs('')))), 'also an empty one, of a client without an address');
  t.end();
});

void t.test('the name of a host is a key, whatever the address', t => {
  const of = clientOf({ by: 'sni' }, { by: 'sni' });
  const one = stickyKeyOf(of('192.0.2.7', { serverName: 'a.test' }));
  t.ok(isIPv6(one));
  t.match(of('198.51.100.1', { serverName: 'a.test' }), { hash: one, sticky: one });
  t.not(stickyKeyOf(of('192.0.2.7', { serverName: 'b.test' })), one);
  for (const none of [undefined, {}, tlvs('a.test')])
    t.equal(stickyKeyOf(of('192.0.2.7', none)), '192.0.2.7');
  t.end();
});

void t.test('each of the two has its own', t => {
  t.match(clientOf(PREFIX, TLV)('192.0.2.7', undefined), { hash: '192.0.2.0', sticky: '192.0.2.7' });
  t.match(clientOf(undefined, PREFIX)('192.0.2.7', undefined), { hash: '192.0.2.7', sticky: '192.0.2.0' });
  t.end();
});
