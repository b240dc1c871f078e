import t from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';
import {
  listener,
  problems,
  upstream,
  withBackend,
  withListener,
  withTop,
  withUpstream,
} from './small-inputs.ts';

const DURATION = 'expected a duration such as 250ms, 5s, 10m or 1h, got';
const STRATEGY =
  'expected one of roundrobin, leastconn, iphash, random, p2c, ewma, first, or a path such as ./my-strategy.js';
const SHORT = 'host:port, [v6]:port or unix:/path';

const BAD: [name: string, input: unknown, lines: string | string[]][] = [
  [
    'nothing at all',
    undefined,
    'expected a mapping with keys such as listeners, upstreams, limits, drainTimeout, got nothing',
  ],
  [
    'null',
    null,
    'expected a mapping with keys such as listeners, upstreams, limits, drainTimeout, got nothing',
  ],
  ['a text', 'x', 'expected a mapping with keys such as listeners, upstreams, limits, drainTimeout, got "x"'],
  [
    'a list',
    [1],
    'expected a mapping with keys such as listeners, upstreams, limits, drainTimeout, got a list',
  ],
  [
    'an empty mapping',
    {},
    [
      'listeners: missing; expected a list of 1 to 1000 listeners',
      'upstreams: missing; expected a list of 1 to 1000 upstreams',
    ],
  ],
  [
    'a word for reuse',
    withUpstream({ pool: { reuse: 'yes' } }),
    'upstreams[0].pool.reuse: expected true or false, got "yes"',
  ],
  [
    'no listener',
    withTop({ listeners: [] }),
    'listeners: expected a list of 1 to 1000 listeners, got an empty list',
  ],
  [
    'a listener that is a text',
    withTop({ listeners: ['x'] }),
    'listeners[0]: expected a mapping with keys such as name, bind, upstream, limits, got "x"',
  ],
  [
    'no backend',
    withUpstream({ backends: [] }),
    'upstreams[0].backends: expected a list of 1 to 10000 backends, got an empty list',
  ],
  [
    'one backend not in a list',
    withUpstream({ backends: '10.0.0.1:80' }),
    'upstreams[0].backends: expected a list of 1 to 10000 backends, got "10.0.0.1:80"',
  ],
  [
    'no bind in a list',
    withListener({ bind: [] }),
    'listeners[0].bind: expected a list of 1 to 1000 addresses, got an empty list',
  ],
  [
    'a bind that is a number',
    withListener({ bind: 80 }),
    'listeners[0].bind: expected an address such as 0.0.0.0:443, or a list of addresses and mappings, got 80',
  ],
  [
    'a number among binds',
    withListener({ bind: [':80', 80] }),
    'listeners[0].bind[1]: expected an address such as 0.0.0.0:443, or a mapping such as { address: "unix:/run/lb4.sock", mode: "0660" }, got 80',
  ],
  [
    'a bind without a port',
    withListener({ bind: 'localhost' }),
    'listeners[0].bind: expected a port, as in localhost:5432, got "localhost"',
  ],
  [
    'a bind without a port in a list',
    withListener({ bind: [':80', 'localhost'] }),
    'listeners[0].bind[1]: expected a port, as in localhost:5432, got "localhost"',
  ],
  [
    'a name with a space',
    withListener({ name: 'a b' }),
    'listeners[0].name: expected a name of 1 to 64 letters, digits, ".", "_" or "-" that starts with a letter or digit, got "a b"',
  ],
  [
    'a missing name',
    withUpstream({ name: undefined }),
    'upstreams[0].name: missing; expected a name of 1 to 64 letters, digits, ".", "_" or "-" that starts with a letter or digit',
  ],
  [
    'an upstream that is no name',
    withListener({ upstream: 5 }),
    'listeners[0].upstream: expected the name of an upstream, got 5',
  ],
  [
    'an unknown upstream',
    withListener({ upstream: 'apps' }),
    'listeners[0].upstream: expected the name of an upstream (app), got "apps"; did you mean "app"?',
  ],
  [
    'an unknown upstream, near to nothing',
    withListener({ upstream: 'mail' }),
    'listeners[0].upstream: expected the name of an upstream (app), got "mail"',
  ],
  [
    'a duration with a wrong unit',
    withListener({ timeouts: { idle: '5x' } }),
    `listeners[0].timeouts.idle: ${DURATION} "5x"`,
  ],
  [
    'a duration that is a mapping',
    withListener({ timeouts: { idle: {} } }),
    `listeners[0].timeouts.idle: ${DURATION} a mapping`,
  ],
  [
    'a duration that is NaN',
    withListener({ timeouts: { idle: NaN } }),
    `listeners[0].timeouts.idle: ${DURATION} NaN`,
  ],
  [
    'a part that is more than the whole',
    withTop({ drain: { spread: 1.5 } }),
    'drain.spread: expected a number from 0 to 1, got 1.5',
  ],
  [
    'a duration of half a millisecond',
    withTop({ drainTimeout: 10.5 }),
    'drainTimeout: expected a duration from 10ms to 168h, or 0 for not waiting, got 10.5',
  ],
  [
    'a duration too long',
    withListener({ timeouts: { idle: '169h' } }),
    'listeners[0].timeouts.idle: expected a duration from 10ms to 168h, or 0 for none, got "169h"',
  ],
  [
    'a connect timeout of 0',
    withUpstream({ connect: { timeout: '0s' } }),
    'upstreams[0].connect.timeout: expected a duration from 10ms to 5m, got "0s"',
  ],
  [
    'an empty mapping in YAML',
    withListener({ timeouts: null }),
    'listeners[0].timeouts: expected a mapping with keys such as idle, halfClosed, lifetime, lifetimeJitter, got nothing',
  ],
  [
    'a mode that YAML has read as a number',
    withListener({ bind: [{ address: 'unix:/run/lb4.sock', mode: 660 }] }),
    'listeners[0].bind[0].mode: expected a mode in quotes of three octal digits, such as "0660", got 660',
  ],
  [
    'a mode with a digit that is not octal',
    withListener({ bind: [{ address: 'unix:/run/lb4.sock', mode: '0680' }] }),
    'listeners[0].bind[0].mode: expected a mode in quotes of three octal digits, such as "0660", got "0680"',
  ],
  [
    'an owner of no file',
    withListener({
      bind: [
        { address: '127.0.0.1:80', user: 'www' },
        { address: 'unix:@a', group: 'www' },
      ],
    }),
    'listeners[0].bind[0].user: expected no user, because only the path of a unix socket has one, got "www"\n' +
      'listeners[0].bind[1].group: expected no group, because only the path of a unix socket has one, got "www"',
  ],
  [
    'a user that is no name',
    withListener({ bind: [{ address: 'unix:/run/lb4.sock', user: 'a b', group: -1 }] }),
    'listeners[0].bind[0].user: expected the name of a user, or its number, got "a b"\n' +
      'listeners[0].bind[0].group: expected an integer from 0 to 4294967294, got -1',
  ],
  [
    'one unix socket twice, once as a mapping',
    withListener({ bind: ['unix:/run/lb4.sock', { address: 'unix:/run/lb4.sock', mode: '0660' }] }),
    'listeners[0].bind[1].address: expected an address that no other bind uses, got "unix:/run/lb4.sock" (also at listeners[0].bind[0])',
  ],
  [
    'keepalive that is neither off nor a mapping',
    withListener({ keepalive: true }),
    'listeners[0].keepalive: expected "off", or a mapping such as { idle: 60s, interval: 10s, count: 6 }, got true',
  ],
  [
    'keepalive in less than seconds',
    withUpstream({ keepalive: { idle: '500ms' } }),
    'upstreams[0].keepalive.idle: expected a duration from 1s to 9h, got "500ms"',
  ],
  [
    'keepalive that never asks',
    withListener({ keepalive: { count: 0 } }),
    'listeners[0].keepalive.count: expected an integer from 1 to 127, got 0',
  ],
  [
    'a user timeout of a day',
    withListener({ userTimeout: '24h' }),
    'listeners[0].userTimeout: expected a duration from 10ms to 1h, or 0 for the system\'s own, got "24h"',
  ],
  [
    'an unknown answer',
    withListener({ whenUnavailable: 'http502' }),
    'listeners[0].whenUnavailable: expected one of reset, close, http503, got "http502"; did you mean "http503"?',
  ],
  [
    'an answer of the wrong type',
    withListener({ whenUnavailable: true }),
    'listeners[0].whenUnavailable: expected one of reset, close, http503, got true',
  ],
  [
    'an unknown strategy',
    withUpstream({ strategy: 'lestconn' }),
    `upstreams[0].strategy: ${STRATEGY}, got "lestconn"; did you mean "leastconn"?`,
  ],
  ['a strategy that is a number', withUpstream({ strategy: 1 }), `upstreams[0].strategy: ${STRATEGY}, got 1`],
  [
    'a weight of -1',
    withBackend({ address: '10.0.0.1:80', weight: -1 }),
    'upstreams[0].backends[0].weight: expected an integer from 0 to 256, got -1',
  ],
  [
    'a weight of -1.5',
    withBackend({ address: '10.0.0.1:80', weight: -1.5 }),
    'upstreams[0].backends[0].weight: expected an integer from 0 to 256, got -1.5',
  ],
  [
    'a huge weight',
    withBackend({ address: '10.0.0.1:80', weight: 1e300 }),
    'upstreams[0].backends[0].weight: expected an integer from 0 to 256, got 1e+300',
  ],
  [
    'a weight that is a text',
    withBackend({ address: '10.0.0.1:80', weight: '2' }),
    'upstreams[0].backends[0].weight: expected an integer from 0 to 256, got "2"',
  ],
  [
    'a weight of -1 in short form',
    withBackend('10.0.0.1:80@-1'),
    'upstreams[0].backends[0]: expected a weight after the @ that is an integer from 0 to 256, got "10.0.0.1:80@-1"',
  ],
  [
    'a backend without a port',
    withBackend('127.0.0.1'),
    'upstreams[0].backends[0]: expected a port, as in 127.0.0.1:5432, got "127.0.0.1"',
  ],
  [
    'a backend without a port, in long form',
    withBackend({ address: 'host' }),
    'upstreams[0].backends[0].address: expected a port, as in host:5432, got "host"',
  ],
  [
    'a backend at port 0',
    withBackend('10.0.0.1:0'),
    'upstreams[0].backends[0]: expected a port from 1 to 65535, got "10.0.0.1:0"',
  ],
  [
    'a backend that is a number',
    withBackend(80),
    'upstreams[0].backends[0]: expected a backend such as 10.0.0.1:80, 10.0.0.1:80@2 or { address: 10.0.0.1:80, weight: 2 }, got 80',
  ],
  [
    'a backend without an address',
    withBackend({ weight: 1 }),
    `upstreams[0].backends[0].address: missing; expected ${SHORT}`,
  ],
  [
    'a misspelled key',
    withBackend({ address: '10.0.0.1:80', weigth: 2 }),
    'upstreams[0].backends[0]: unknown key "weigth"; did you mean "weight"?',
  ],
  [
    'an unknown key',
    withBackend({ address: '10.0.0.1:80', zone: 'a' }),
    'upstreams[0].backends[0]: unknown key "zone"; expected one of the keys address, weight, maxSessions, backup',
  ],
  [
    'a misspelled key at the top',
    withTop({ listener: [] }),
    'unknown key "listener"; did you mean "listeners"?',
  ],
  [
    'a misspelled required key, told once',
    withBackend({ adress: '10.0.0.1:80' }),
    'upstreams[0].backends[0]: unknown key "adress"; did you mean "address"?',
  ],
  [
    'health that is a text',
    withUpstream({ health: 'on' }),
    'upstreams[0].health: expected "off", or a mapping such as { type: tcp, interval: 2s }, got "on"',
  ],
  [
    'health that is true',
    withUpstream({ health: true }),
    'upstreams[0].health: expected "off", or a mapping such as { type: tcp, interval: 2s }, got true',
  ],
  [
    'a health check of an unknown type',
    withUpstream({ health: { type: 'tpc' } }),
    'upstreams[0].health.type: expected one of tcp, http, sendExpect, tls, off, got "tpc"; did you mean "tcp"?',
  ],
  [
    'an unknown key in health',
    withUpstream({ health: { intervall: '2s' } }),
    'upstreams[0].health: unknown key "intervall"; did you mean "interval"?',
  ],
  [
    'fall of 0',
    withUpstream({ health: { fall: 0 } }),
    'upstreams[0].health.fall: expected an integer from 1 to 100, got 0',
  ],
  [
    'access that is a text',
    withTop({ log: { access: 'yes' } }),
    'log.access: expected true, false, or a mapping such as { only: errors }, got "yes"',
  ],
  [
    'a level of the wrong case',
    withTop({ log: { level: 'INFO' } }),
    'log.level: expected one of error, warn, info, debug, got "INFO"; did you mean "info"?',
  ],
  [
    '$schema that is a number',
    withTop({ $schema: 1 }),
    '$schema: expected the address of a JSON Schema, got 1',
  ],
  [
    'the same backend twice',
    withUpstream({ backends: ['10.0.0.1:80', { address: '10.0.0.1:80', weight: 2 }] }),
    'upstreams[0].backends[1].address: expected each backend only once, got "10.0.0.1:80" (also at upstreams[0].backends[0])',
  ],
  [
    'the same backend twice, differently written',
    withUpstream({ backends: ['[FD00::1]:80', '[fd00::1]:80@2'] }),
    'upstreams[0].backends[1]: expected each backend only once, got "[fd00::1]:80@2" (also at upstreams[0].backends[0])',
  ],
  [
    'the same upstream name twice',
    withTop({ upstreams: [upstream, upstream] }),
    'upstreams[1].name: expected a name of its own, got "app" (also at upstreams[0].name)',
  ],
  [
    'the same listener name twice',
    withTop({ listeners: [listener, { ...listener, bind: ':1' }] }),
    'listeners[1].name: expected a name of its own, got "web" (also at listeners[0].name)',
  ],
  [
    'the same bind in two listeners',
    withTop({ listeners: [listener, { ...listener, name: 'b' }] }),
    'listeners[1].bind: expected an address that no other bind uses, got "127.0.0.1:8080" (also at listeners[0].bind)',
  ],
  [
    'the same bind twice in a list',
    withListener({ bind: ['unix:/x', 'unix:/x'] }),
    'listeners[0].bind[1]: expected an address that no other bind uses, got "unix:/x" (also at listeners[0].bind[0])',
  ],
  [
    'a wildcard within :port',
    withListener({ bind: ['[::]:80', ':80'] }),
    'listeners[0].bind[1]: expected an address that no other bind uses, got ":80" (also at listeners[0].bind[0])',
  ],
  [
    'a very long value',
    withUpstream({ strategy: 'x'.repeat(500) }),
    `upstreams[0].strategy: ${STRATEGY}, got "${'x'.repeat(79)}…`,
  ],
  [
    'a value that JSON does not have',
    withTop({ drainTimeout: 5n, log: () => 1 }),
    [
      `drainTimeout: ${DURATION} a bigint`,
      'log: expected a mapping with keys such as level, format, to, access, got a function',
    ],
  ],
];

for (const [name, input, lines] of BAD) {
  await t.test(`${name} is told in plain words`, t => {
    t.equal(problems(input), [lines].flat().join('\n'));
    t.end();
  });
}

await t.test('the epoll engine without workers is refused, and what to do is said', async t => {
  const result = parseConfig(withTop({ engine: 'epoll', workers: 0 }));
  t.equal(result.ok, false);
  t.match(JSON.stringify(result), /auto or at least 1, because the epoll engine runs in workers only/);
  for (const workers of [-1, 65, 1.5, 'many']) t.equal(parseConfig(withTop({ workers })).ok, false);
});
