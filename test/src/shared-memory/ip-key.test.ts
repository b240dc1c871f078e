import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import t from 'tap';
import { ipKey } from '../../../src/shared-memory/ip-key.ts';
import { bytesOfIPv4, bytesOfIPv6, formatIPv6 } from '../../../src/support/ip-bytes.ts';
import { fc } from '../../harness/properties.ts';

/** The 16 bytes that the text stands for. */
function keyOf(text: string): number[] | undefined {
  // What was there before must not show through.
  const key = new Int32Array(4).fill(-1);
  if (!ipKey(text, key)) return undefined;
  return [...key].flatMap(word => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
}

void t.test('every IPv6 address has the bytes that stand in it', async () => {
  const bytes = fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 });
  fc.assert(fc.property(fc.ipV6(), text => assert.deepEqual(keyOf(text), bytesOfIPv6(text))));
  fc.assert(fc.property(bytes, each => assert.deepEqual(keyOf(formatIPv6(Uint8Array.from(each), 0)), each)));
});

void t.test('every IPv4 address is the same client as in IPv6 clothes', async () => {
  fc.assert(
    fc.property(fc.ipV4(), text => {
      const expected = [...new Array<number>(10).fill(0), 255, 255, ...bytesOfIPv4(text)];
      assert.deepEqual(keyOf(text), expected);
      assert.deepEqual(keyOf(`::ffff:${text}%eth0`), expected);
    }),
  );
});

void t.test('a zone is left out', async t => {
  t.same(keyOf('fe80::a%eth0'), keyOf('fe80::a'));
  t.same(keyOf('1:2:3:4:5:6:7::%0'), keyOf('1:2:3:4:5:6:7:0'));
  t.same(keyOf('fe80::a%br_lan'), keyOf('fe80::a'), 'also one that Node does not know');
});

void t.test('what is no address has no key', async t => {
  for (const text of ['', 'localhost', '10.0.0', '10.0.0.', '.10.0.0', '10..0.0', '10.0.0.256', '1.2.3.4.5'])
    t.equal(keyOf(text), undefined, text);
  for (const text of [
    ':',
    '1:2',
    '::g',
    '1:2:3:4:5:6:7:8:9',
    'unix:/run/a',
    '1.2.3.4%eth0',
    '::1.2.3.256',
    '1::2::3',
  ])
    t.equal(keyOf(text), undefined, text);
  const anything = fc.stringMatching(/^[0-9a-f:.%]{0,24}$/).filter(text => text.includes(':'));
  fc.assert(fc.property(anything, text => (keyOf(text) !== undefined) === isIPv6(text.replace(/%.*/, ''))));
});
