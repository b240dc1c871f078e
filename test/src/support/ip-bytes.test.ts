/** IP addresses between text and bytes, against what Node prints. */
import { SocketAddress } from 'node:net';
import t from 'tap';

import {
  bytesOfIPv4,
  bytesOfIPv6,
  formatIPv4,
  formatIPv6,
  isMappedIPv4,
} from '../../../src/support/ip-bytes.ts';
import { fc } from '../../harness/properties.ts';

/** As Node prints the same address. */
function nodePrints(address: string, family: 'ipv4' | 'ipv6'): string {
  return new SocketAddress({ address, family }).address;
}

/** Many zeros, so that runs of them are common. */
const word = fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
const words = fc.array(word, { minLength: 8, maxLength: 8 });
const longForm = (groups: readonly number[]): string => groups.map(group => group.toString(16)).join(':');

void t.test('every IPv4 address is read and printed as it is', t => {
  fc.assert(
    fc.property(fc.ipV4(), text => {
      t.equal(formatIPv4(Uint8Array.from(bytesOfIPv4(text)), 0), nodePrints(text, 'ipv4'));
    }),
  );
  t.strictSame(bytesOfIPv4('192.0.2.255'), [192, 0, 2, 255]);
  t.equal(formatIPv4(Uint8Array.of(9, 9, 10, 0, 0, 1), 2), '10.0.0.1');
  t.end();
});

void t.test('every IPv6 address is printed as Node prints it', t => {
  fc.assert(
    fc.property(words, groups => {
      // Node dots the last 32 bits behind 96 zeros, which nobody has used since RFC 4291, and mapped addresses.
      fc.pre(groups.slice(0, 5).some(group => group !== 0));
      const bytes = Uint8Array.from(bytesOfIPv6(longForm(groups)));
      t.equal(bytes.length, 16);
      t.equal(formatIPv6(bytes, 0), nodePrints(longForm(groups), 'ipv6'));
    }),
  );
  for (const text of ['::', '::1', '2001:db8::', 'fe80::1:0:0:2', '1:0:0:2::', '1:0:2:3:4:5:6:7'])
    t.equal(formatIPv6(Uint8Array.from(bytesOfIPv6(text)), 0), nodePrints(text, 'ipv6'));
  t.end();
});

void t.test('what is printed is read back', t => {
  fc.assert(
    fc.property(words, groups => {
      const bytes = bytesOfIPv6(longForm(groups));
      t.strictSame(bytesOfIPv6(formatIPv6(Uint8Array.from(bytes), 0)), bytes);
    }),
  );
  t.end();
});

void t.test('a mapped IPv4 address is known as one, dotted or not, and nothing else is', t => {
  const bytesOf = (text: string): Uint8Array => Uint8Array.from(bytesOfIPv6(text));
  t.strictSame(bytesOf('::ffff:192.0.2.1'), bytesOf('::ffff:c000:201'));
  t.ok(isMappedIPv4(bytesOf('::ffff:192.0.2.1'), 0));
  for (const text of [
    '::',
    '::1',
    '::fffe:192.0.2.1',
    '::ff:192.0.2.1',
    '1::ffff:192.0.2.1',
    '64:ff9b::1.2.3.4',
  ])
    t.notOk(isMappedIPv4(bytesOf(text), 0), text);
  t.ok(isMappedIPv4(Uint8Array.of(7, 7, ...bytesOf('::ffff:1.2.3.4')), 2), 'at an offset');
  t.end();
});

void t.test('a zone is left out', t => {
  t.strictSame(bytesOfIPv6('fe80::1%eth0'), bytesOfIPv6('fe80::1'));
  t.end();
});
