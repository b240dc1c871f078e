import t from 'tap';
import { hostNameOf } from '../../../src/support/host-name.ts';

void t.test('a host has one name, and an address is none', t => {
  t.equal(hostNameOf('Example.COM.'), 'example.com');
  t.equal(hostNameOf('a_b-c.test'), 'a_b-c.test');
  t.equal(hostNameOf('a'.repeat(63)), 'a'.repeat(63));
  t.equal(hostNameOf('\u212Aelvin.test'), undefined, 'small letters are made after it is known to be ASCII');
  for (const text of [
    '',
    '.',
    '10.0.0.1',
    '10.0.0.1.',
    '::1',
    'a..b',
    'a b',
    'é',
    'a\n',
    `${'a.'.repeat(126)}ab`,
  ])
    t.equal(hostNameOf(text), undefined, JSON.stringify(text));
  t.end();
});
