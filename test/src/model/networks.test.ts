/** Whether an address is in one of a few networks. */
import t from 'tap';
import { Networks } from '../../../src/model/networks.ts';

void t.test('an address is in a network by its leading bits, IPv4 and mapped IPv6 alike', t => {
  const networks = new Networks(['10.0.0.0/8', '192.0.2.1', '198.51.100.128/25', 'fd00::/7', '2001:db8::1']);
  for (const inside of [
    '10.0.0.0',
    '10.255.255.255',
    '::ffff:10.1.2.3',
    '192.0.2.1',
    '198.51.100.200',
    'fd12::1',
    'fc00::',
    '2001:db8::1',
  ])
    t.ok(networks.has(inside), inside);
  for (const outside of [
    '11.0.0.0',
    '9.255.255.255',
    '192.0.2.2',
    '198.51.100.127',
    'fe00::',
    '2001:db8::2',
    '::a00:1',
    '',
    'no address',
  ])
    t.notOk(networks.has(outside), outside);
  t.end();
});

void t.test('all of a family, host bits, zones and unix sockets', t => {
  t.ok(new Networks(['0.0.0.0/0']).has('203.0.113.9'));
  t.notOk(new Networks(['0.0.0.0/0']).has('2001:db8::1'));
  t.ok(new Networks(['::/0']).has('2001:db8::1'));
  for (const wide of ['::/0', '::/80', '::ffff:0:0/95']) {
    t.notOk(new Networks([wide]).has('203.0.113.9'), `${wide} has no IPv4 address`);
    t.notOk(new Networks([wide]).has('::ffff:203.0.113.9'));
  }
  t.ok(new Networks(['::ffff:0:0/96']).has('203.0.113.9'));
  t.ok(new Networks(['10.1.2.3/8']).has('10.9.9.9'), 'bits behind the prefix do not count');
  t.ok(new Networks(['::ffff:10.0.0.0/104']).has('10.9.9.9'));
  t.ok(new Networks(['fe80::/10']).has('fe80::1%eth0'));
  t.ok(new Networks(['unix']).has(''));
  t.notOk(new Networks(['10.0.0.0/8']).has(''));
  t.notOk(new Networks([]).has('10.0.0.1'));
  t.end();
});
