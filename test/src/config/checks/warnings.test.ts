/** What is probably a mistake in a valid configuration. */
import t from 'tap';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import type { Machine } from '../../../../src/config/checks/this-machine.ts';
import { thisMachine } from '../../../../src/config/checks/this-machine.ts';
import { warningsOf } from '../../../../src/config/checks/warnings.ts';
import { formatPath } from '../../../../src/config/report/issue.ts';

const MACHINE: Machine = {
  hasInterface: name => name === 'eth0',
  isOwn: address => ['10.1.1.1', 'fd00::1', '::1', 'fe80::1'].includes(address) || address.startsWith('127.'),
  addressesOf: name =>
    ({ localhost: ['127.0.0.1', '::1'], own: ['10.1.1.1'], other: ['10.9.9.9'] })[name] ?? [],
};

type Listeners = Record<string, { bind: string | string[]; to: string }>;

/** `path: message` of each warning. */
function warnings(
  listeners: Listeners,
  upstreams: Record<string, (string | { address: string })[]>,
): string[] {
  const parsed = parseConfig({
    listeners: Object.entries(listeners).map(([name, { bind, to }]) => ({ name, bind, upstream: to })),
    upstreams: Object.entries(upstreams).map(([name, backends]) => ({ name, backends })),
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return warningsOf(parsed.config, MACHINE).map(({ path, message }) => `${formatPath(path)}: ${message}`);
}

/** Of one listener with one backend. */
const one = (bind: string | string[], backend: string): string[] =>
  warnings({ a: { bind, to: 'app' } }, { app: [backend] });

void t.test('a backend that is the address of its own listener', t => {
  t.same(one('127.0.0.1:80', '127.0.0.1:80'), [
    'upstreams[0].backends[0]: 127.0.0.1:80 leads back to listeners[0].bind (127.0.0.1:80): each session opens another one, until descriptors run out',
  ]);
  for (const [bind, backend] of [
    [':80', '127.0.0.1:80'],
    [':80', '127.8.9.1:80'],
    [':80', '[::1]:80'],
    [':80', '10.1.1.1:80'],
    [':80', '[fd00::1]:80'],
    [':80', '[fe80::1%eth0]:80'],
    ['0.0.0.0:80', '10.1.1.1:80'],
    ['[::]:80', '[fd00::1]:80'],
    ['10.1.1.1:80', 'own:80'],
    ['own:80', '10.1.1.1:80'],
    ['127.0.0.1:80', 'localhost:80'],
    ['127.0.0.1:80', '0.0.0.0:80'],
    ['[::1]:80', '[::]:80'],
    ['127.0.0.1:80', '[::ffff:127.0.0.1]:80'],
    ['unix:/run/a.sock', 'unix:/run//x/../a.sock'],
    ['unix:@name', 'unix:@name'],
  ] as const)
    t.match(one(bind, backend), [/leads back to listeners\[0\]\.bind/], `${bind} ${backend}`);
  t.end();
});

void t.test('one that only looks like it', t => {
  for (const [bind, backend] of [
    [':80', '127.0.0.1:81'],
    [':80', '10.9.9.9:80'],
    [':80', 'unknown:80'],
    ['127.0.0.1:80', '127.0.0.2:80'],
    ['0.0.0.0:80', '[::1]:80'],
    ['[::]:80', '127.0.0.1:80'],
    ['[fe80::1%eth0]:80', '[fe80::1%eth1]:80'],
    ['127.0.0.1:0', '127.0.0.1:80'],
    ['unix:/run/a.sock', 'unix:/run/b.sock'],
    ['unix:@name', 'unix:@other'],
  ] as const)
    t.same(one(bind, backend), [], `${bind} ${backend}`);
  t.end();
});

void t.test('a way over several listeners is a loop when it comes back, and none when it ends', t => {
  const listeners = { a: { bind: ':1', to: 'x' }, b: { bind: ':2', to: 'y' }, c: { bind: ':3', to: 'z' } };
  t.same(warnings(listeners, { x: ['127.0.0.1:2'], y: ['127.0.0.1:3'], z: ['10.9.9.9:80'] }), []);
  t.match(
    warnings(listeners, { x: ['127.0.0.1:2'], y: ['127.0.0.1:3'], z: ['10.9.9.9:80', '127.0.0.1:2'] }),
    [
      /^upstreams\[1\]\.backends\[0\]: 127\.0\.0\.1:3 leads through other backends back to listeners\[2\]\.bind/,
      /^upstreams\[2\]\.backends\[1\]: 127\.0\.0\.1:2 leads through other backends back to listeners\[1\]\.bind/,
    ],
  );
  t.end();
});

void t.test('binds that exclude each other, and those that do not', t => {
  const both = (...bind: string[]): string[] => one(bind, '10.9.9.9:80');
  t.same(both(':80', '127.0.0.1:80'), [
    'listeners[0].bind[1]: 127.0.0.1:80 overlaps listeners[0].bind[0] (:80): only one of them can be bound, and lb4 does not start',
  ]);
  for (const binds of [
    ['127.0.0.1:80', ':80'],
    ['0.0.0.0:80', '10.1.1.1:80'],
    ['[fd00::1]:80', '[::]:80'],
    ['localhost:80', '127.0.0.1:80'],
    ['127.0.0.1:80', '[::ffff:127.0.0.1]:80'],
    ['unix:/run/a', 'unix:/run/./a'],
  ])
    t.equal(both(...binds).length, 1, binds.join(' '));
  for (const binds of [
    ['0.0.0.0:80', '[::]:80'],
    ['0.0.0.0:80', '[::1]:80'],
    ['127.0.0.1:80', '127.0.0.2:80'],
    [':80', '127.0.0.1:81'],
    ['127.0.0.1:0', ':0'],
  ])
    t.same(both(...binds), [], binds.join(' '));
  t.match(
    warnings({ a: { bind: ':80', to: 'x' }, b: { bind: '10.1.1.1:80', to: 'x' } }, { x: ['10.9.9.9:1'] }),
    [/^listeners\[1\]\.bind: 10\.1\.1\.1:80 overlaps listeners\[0\]\.bind/],
  );
  t.end();
});

void t.test('one backend in two spellings', t => {
  const two = (...backends: (string | { address: string })[]): string[] =>
    warnings({ a: { bind: ':1', to: 'x' } }, { x: backends });
  t.same(two('10.0.0.1:80', { address: '[::ffff:10.0.0.1]:80' }), [
    'upstreams[0].backends[1]: [::ffff:10.0.0.1]:80 leads to the same place as upstreams[0].backends[0] (10.0.0.1:80): it counts as two backends',
  ]);
  for (const backends of [
    ['localhost:80', '127.0.0.1:80'],
    ['other:80', '10.9.9.9:80'],
    ['unix:/run/a', 'unix:/run/b/../a'],
  ])
    t.equal(two(...backends).length, 1, backends.join(' '));
  t.same(two('10.0.0.1:80', '10.0.0.1:81', '10.0.0.2:80', 'unknown:80'), []);
  t.end();
});

void t.test('an upstream that no listener names, and a link-local address without its interface', t => {
  t.same(warnings({ a: { bind: ':1', to: 'x' } }, { x: ['[fe80::2]:80'], spare: ['10.0.0.1:80'] }), [
    'upstreams[1]: no listener names this upstream: its backends are checked, and get no sessions',
    'upstreams[0].backends[0]: [fe80::2]:80 cannot be reached; expected a link-local address with its interface, such as [fe80::1%eth0]:80',
  ]);
  t.end();
});

void t.test('ten thousand backends and thousands of binds take no time', t => {
  const binds = Array.from({ length: 64 }, (_, i) => `10.2.0.${i}:80`);
  const listeners = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [
      `l${i}`,
      { bind: binds.map(bind => bind.replace('10.2', `10.${i + 2}`)), to: 'x' },
    ]),
  );
  const backends = Array.from({ length: 10_000 }, (_, i) => `127.${i >> 8}.${i & 255}.1:80`);
  const begin = performance.now();
  t.same(warnings(listeners, { x: backends }), []);
  t.ok(performance.now() - begin < 5_000);
  t.end();
});

void t.test('the machine knows its own addresses and what its hosts file says', t => {
  const machine = thisMachine();
  t.ok(machine.isOwn('127.1.2.3') && machine.isOwn('::1'));
  t.notOk(machine.isOwn('192.0.2.1'));
  t.ok(machine.addressesOf('localhost').includes('127.0.0.1'));
  t.same(machine.addressesOf('no-such-name.invalid'), []);
  t.end();
});

void t.test('an upstream whose clients and backends wait for each other', t => {
  const found = (health: object, connectWhen: 'now' | 'firstByte' = 'firstByte'): number => {
    const parsed = parseConfig({
      listeners: [{ name: 'web', bind: ':80', upstream: 'app' }],
      upstreams: [{ name: 'app', backends: ['10.2.2.2:80'], connectWhen, health }],
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
    return warningsOf(parsed.config, MACHINE).filter(
      ({ path, message }) =>
        formatPath(path) === 'upstreams[0].connectWhen' && /wait for its backends to speak/.test(message),
    ).length;
  };
  for (const preset of ['mysql', 'smtp', 'ssh']) t.equal(found({ type: 'sendExpect', preset }), 1, preset);
  t.equal(found({ type: 'sendExpect', expect: 'ready' }), 1);
  t.equal(found({ type: 'sendExpect', preset: 'mysql' }, 'now'), 0);
  t.equal(found({ type: 'sendExpect', preset: 'redis' }), 0);
  t.equal(found({ type: 'sendExpect', send: 'a', expect: 'b' }), 0);
  t.equal(found({ type: 'sendExpect', sendHex: '00', expect: 'b' }), 0);
  t.equal(found({ type: 'tcp' }), 0);
  t.end();
});

void t.test('a listener that waits for its clients where the server speaks first', t => {
  const found = (deferAccept: string, preset: string): string[] => {
    const parsed = parseConfig({
      listeners: [{ name: 'web', bind: ':80', upstream: 'app', deferAccept }],
      upstreams: [{ name: 'app', backends: ['10.2.2.2:80'], health: { type: 'sendExpect', preset } }],
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
    return warningsOf(parsed.config, MACHINE).map(({ path, message }) => `${formatPath(path)}: ${message}`);
  };
  t.match(found('5s', 'smtp'), [
    /^listeners\[0\]\.deferAccept: .* each of them waits for all of deferAccept$/,
  ]);
  t.same(found('5s', 'redis'), []);
  t.same(found('0s', 'smtp'), []);
  t.end();
});

void t.test('an interface and source addresses that this machine does not have', t => {
  const found = (upstream: object): string[] => {
    const parsed = parseConfig({
      listeners: [{ name: 'web', bind: ':80', upstream: 'app' }],
      upstreams: [{ name: 'app', backends: ['10.2.2.2:80'], ...upstream }],
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
    return warningsOf(parsed.config, MACHINE).map(({ path, message }) => `${formatPath(path)}: ${message}`);
  };
  t.match(found({ interface: 'eth7' }), [
    /^upstreams\[0\]\.interface: this machine has no interface eth7 now/,
  ]);
  t.match(found({ source: ['10.1.1.1', '10.1.1.2', '0.0.0.0'] }), [
    /^upstreams\[0\]\.source\[1\]: no interface of this machine has 10\.1\.1\.2 now/,
    /^upstreams\[0\]\.source\[2\]: no interface of this machine has 0\.0\.0\.0 now/,
  ]);
  t.match(found({ source: ['10.1.1.1', 'fd00::1'] }), [
    /^upstreams\[0\]\.source\[1\]: fd00::1 is for no backend/,
  ]);
  t.same(found({ interface: 'eth0', source: ['10.1.1.1'] }), []);
  t.same(found({ source: 'client' }), []);
  t.same(found({ source: ['10.1.1.1', 'fd00::1'], backends: ['a-name:80'] }), [], 'a name may have both');
  t.end();
});

void t.test('the machine knows interfaces that have no address, too', t => {
  t.ok(thisMachine().hasInterface('lo') || process.platform !== 'linux');
  t.equal(thisMachine().hasInterface('nope7'), process.platform !== 'linux');
  t.end();
});

void t.test('keys of clients that no strategy looks at, or that no client has', t => {
  const found = (upstream: object, acceptProxy?: object): string[] => {
    const parsed = parseConfig({
      listeners: [{ name: 'web', bind: ':80', upstream: 'app', acceptProxy }],
      upstreams: [{ name: 'app', backends: ['10.2.2.2:80'], ...upstream }],
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
    return warningsOf(parsed.config, MACHINE).map(({ path, message }) => `${formatPath(path)}: ${message}`);
  };
  const from = { from: ['10.0.0.0/8'] };
  t.same(found({ hashBy: 'clientPrefix', balanceFactor: 1.5 }), [
    'upstreams[0].hashBy: strategy leastconn does not look at hashBy; iphash does',
    'upstreams[0].balanceFactor: strategy leastconn does not look at balanceFactor; iphash does',
  ]);
  t.same(found({ strategy: 'iphash', balanceFactor: 1.5 }), []);
  t.match(found({ strategy: 'iphash', hashBy: 'proxyTlv:5', sticky: { by: 'proxyTlv:5' } }, { from: [] }), [
    /^upstreams\[0\].hashBy: no listener of upstream app takes PROXY protocol headers/,
    /^upstreams\[0\].sticky.by: no listener of upstream app takes/,
  ]);
  t.same(found({ strategy: 'iphash', hashBy: 'proxyTlv:5', sticky: { by: 'proxyTlv:5' } }, from), []);
  t.same(found({ strategy: './mine.js', hashBy: 'clientPrefix', sticky: { by: 'clientIp' } }), []);
  t.end();
});
