/** Addresses as people write them, in one form each. */
import { networkInterfaces } from 'node:os';
import t from 'tap';
import { formatAddress, parseAddress } from '../../../src/support/address.ts';
import { scopeOf, splitZone, withNamedZone, zoneOf } from '../../../src/support/zone.ts';

function canonical(text: string): string {
  const parsed = parseAddress(text);
  return parsed.ok ? formatAddress(parsed.address) : `expected ${parsed.expected}`;
}

void t.test('every way to write an address gives the same text, which gives itself', t => {
  for (const [written, expected] of [
    ['App.Internal:80', 'app.internal:80'],
    ['[2001:DB8:0:0:0:0:0:1]:80', '[2001:db8::1]:80'],
    ['[2001:db8::0:1]:080', '[2001:db8::1]:80'],
    ['[::FFFF:10.0.0.1]:80', '[::ffff:10.0.0.1]:80'],
    ['[::ffff:a00:1]:80', '[::ffff:10.0.0.1]:80'],
    ['[0::0]:80', '[::]:80'],
  ] as const) {
    t.equal(canonical(written), expected);
    t.equal(canonical(expected), expected);
  }
  t.end();
});

void t.test('a unix address is a path, or on Linux a name behind an @', t => {
  const on = (platform: NodeJS.Platform, text: string): string => {
    const parsed = parseAddress(text, { platform });
    return parsed.ok ? formatAddress(parsed.address) : `expected ${parsed.expected}`;
  };
  for (const text of ['unix:/run/lb4.sock', 'unix:./@file', 'unix:@name', 'unix:@a/b@c', 'unix:@@'])
    t.equal(on('linux', text), text);
  t.equal(on('darwin', 'unix:./@file'), 'unix:./@file');
  t.equal(
    on('darwin', 'unix:@name'),
    'expected a path after unix: (names, as in unix:@name, are for Linux only)',
  );
  t.equal(on('linux', 'unix:@'), 'expected a name after unix:@');
  t.equal(on('linux', `unix:@${'x'.repeat(107)}`), `unix:@${'x'.repeat(107)}`);
  t.equal(on('linux', `unix:@${'x'.repeat(108)}`), 'expected a name of at most 107 bytes');
  t.equal(on('linux', `unix:/${'x'.repeat(107)}`), 'expected a path of at most 107 bytes');
  t.equal(on('linux', 'unix:@a\0b'), 'expected a path without a NUL byte');
  t.end();
});

void t.test('the zone of an address stays as it was written', t => {
  t.equal(canonical('[FE80::1%enP2s1]:80'), '[fe80::1%enP2s1]:80');
  t.equal(canonical('[fe80:0::1%eth0.100]:80'), '[fe80::1%eth0.100]:80');
  t.equal(canonical('[fe80::1%3]:80'), '[fe80::1%3]:80');
  t.same(splitZone('fe80::1%Eth0'), ['fe80::1', 'Eth0']);
  t.same(splitZone('fe80::1'), ['fe80::1', undefined]);
  t.end();
});

void t.test('a zone that Node cannot use is refused, and said to be the trouble', t => {
  t.match(canonical('[fe80::1%br lan]:80'), /^expected an interface named by letters/);
  t.match(canonical('[fe80::1%]:80'), /^expected an interface/);
  t.equal(canonical('[fe80::x%eth0]:80'), 'expected an IPv6 address between the brackets');
  t.end();
});

void t.test('an interface is known by its name and by its number', t => {
  t.equal(scopeOf('7'), 7);
  t.equal(scopeOf('no-such-interface'), 0);
  t.equal(zoneOf(999_999), '999999');
  t.equal(withNamedZone('fe80::1%999999'), 'fe80::1%999999');
  t.equal(withNamedZone('fe80::1%Eth0'), 'fe80::1%Eth0');
  t.equal(withNamedZone('10.0.0.1'), '10.0.0.1');
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    const scoped = addresses.find(each => each.address.startsWith('fe80:'));
    if (scoped?.family !== 'IPv6') continue;
    t.equal(scopeOf(name), scoped.scopeid);
    t.equal(zoneOf(scoped.scopeid), name);
    t.equal(withNamedZone(`fe80::1%${scoped.scopeid}`), `fe80::1%${name}`);
  }
  t.end();
});
