/** Keys about sockets: what they mean, and what is refused. */
import t from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';
import type { Config } from '../../../src/config/schema/schema.ts';
import { problems, withListener, withUpstream } from './small-inputs.ts';

function parsed(input: unknown): Config {
  const result = parseConfig(input);
  if (!result.ok) throw new Error('refused');
  return result.config;
}

void t.test('a class of service has a name or a number', t => {
  const dscp = (value: unknown): unknown => parsed(withListener({ dscp: value })).listeners[0]?.dscp;
  for (const [name, number] of [
    ...([
      [0, 0],
      [63, 63],
      ['EF', 46],
      ['ef', 46],
      ['VA', 44],
      ['LE', 1],
    ] as const),
    ...([
      ['CS0', 0],
      ['CS1', 8],
      ['CS7', 56],
    ] as const),
    ...([
      ['AF11', 10],
      ['AF23', 22],
      ['AF41', 34],
      ['AF43', 38],
    ] as const),
  ])
    t.equal(dscp(name), number, String(name));
  const expected = 'an integer from 0 to 63, or a class such as EF, AF41 or CS1';
  for (const wrong of ['AF44', 'CS8', ''])
    t.equal(
      problems(withUpstream({ dscp: wrong })),
      `upstreams[0].dscp: expected ${expected}, got ${JSON.stringify(wrong)}`,
    );
  t.equal(
    problems(withUpstream({ dscp: 64 })),
    'upstreams[0].dscp: expected an integer from 0 to 63, got 64',
  );
  t.end();
});

void t.test('a buffer has a size in bytes, KiB or MiB', t => {
  const size = (value: unknown): unknown =>
    parsed(withUpstream({ sendBuffer: value })).upstreams[0]?.sendBuffer;
  t.equal(size('64KiB'), 65_536);
  t.equal(size('1MiB'), 1_048_576);
  t.equal(size('1GiB'), 2 ** 30);
  t.equal(size('4096'), 4096);
  t.equal(size(4096), 4096);
  for (const wrong of ['4095', '64kb', '-1', '1.5MiB', '2GiB', 0, 5000.5, true])
    t.equal(
      problems(withListener({ receiveBuffer: wrong })),
      `listeners[0].receiveBuffer: expected a size such as 64KiB or 1MiB, from 4KiB to 1GiB, got ${JSON.stringify(wrong)}`,
    );
  t.end();
});

void t.test('an interface has a name that the kernel would take', t => {
  const expected = 'the name of an interface such as eth0, of at most 15 characters';
  for (const name of ['eth0', 'br-0a1b2c3d4e5f', 'eth0.100', 'wg_a'])
    t.equal(parsed(withListener({ interface: name })).listeners[0]?.interface, name);
  for (const wrong of ['', 'a b', 'eth0/1', 'eth0:1', '..', 'sixteen-letters-'])
    t.equal(
      problems(withListener({ interface: wrong })),
      `listeners[0].interface: expected ${expected}, got ${JSON.stringify(wrong)}`,
    );
  t.end();
});

void t.test('a listener with unix sockets alone has none of them', t => {
  for (const [key, value] of Object.entries({
    ...{ sendBuffer: '64KiB', receiveBuffer: '64KiB', dscp: 'EF', interface: 'eth0' },
    ...{ freebind: true, fastOpen: 5, mptcp: true },
  })) {
    t.match(
      problems(withListener({ bind: ['unix:/tmp/a'], [key]: value })),
      `listeners[0].${key}: expected no ${key}, because unix sockets have none`,
    );
    t.equal(parseConfig(withListener({ bind: ['unix:/tmp/a', ':80'], [key]: value })).ok, true, key);
  }
  t.equal(parseConfig(withListener({ bind: ['unix:/tmp/a'], fastOpen: 0, freebind: false })).ok, true);
  t.equal(parseConfig(withListener({ bind: ['unix:/tmp/a'], backlog: 5 })).ok, true, 'a queue they have');
  t.end();
});

void t.test('an address has a listener for each interface', t => {
  const two = (one: object, other: object): unknown => ({
    listeners: [
      { name: 'one', bind: ':80', upstream: 'app', ...one },
      { name: 'other', bind: '0.0.0.0:80', upstream: 'app', ...other },
    ],
    upstreams: [{ name: 'app', backends: ['10.0.0.1:80'] }],
  });
  t.equal(parseConfig(two({ interface: 'eth0' }, { interface: 'eth1' })).ok, true);
  t.match(problems(two({ interface: 'eth0' }, { interface: 'eth0' })), 'an address that no other bind uses');
  t.match(problems(two({}, {})), 'an address that no other bind uses');
  t.end();
});

void t.test('sources are different IP addresses, or the client', t => {
  const source = (value: unknown): unknown => parsed(withUpstream({ source: value })).upstreams[0]?.source;
  t.same(source(['10.0.0.1', 'FD00::0:1', 'fe80::1%eth0']), ['10.0.0.1', 'fd00::1', 'fe80::1%eth0']);
  t.equal(source('client'), 'client');
  const expected =
    'a list of 1 to 64 IP addresses of this machine, such as [10.0.0.100, 10.0.0.101], or client';
  for (const wrong of [[], '10.0.0.1', 'backend', true])
    t.match(problems(withUpstream({ source: wrong })), `upstreams[0].source: expected ${expected}`);
  for (const wrong of ['app.internal', '10.0.0.1:80', '[::1]', '10.0.0', ''])
    t.match(
      problems(withUpstream({ source: [wrong] })),
      'upstreams[0].source[0]: expected an IP address of this machine, such as 10.0.0.100',
    );
  t.match(problems(withUpstream({ source: ['::1', '0::1'] })), 'a list of different IP addresses');
  t.end();
});

void t.test('what belongs to one client, or hides what has arrived, is not parked', t => {
  for (const [keys, said] of [
    [{ source: 'client' }, 'source: client'],
    [{ mptcp: true }, 'mptcp'],
  ] as const) {
    t.match(
      problems(withUpstream({ ...keys, pool: { warm: 2, reuse: true } })),
      `upstreams[0].pool.warm: expected nothing parked with ${said}, got 2\nupstreams[0].pool.reuse: expected nothing parked with ${said}, got true`,
    );
    t.equal(parseConfig(withUpstream({ ...keys, pool: { warm: 0 } })).ok, true);
  }
  t.equal(parseConfig(withUpstream({ source: ['10.0.0.1'], pool: { warm: 2, reuse: true } })).ok, true);
  t.end();
});
