/** What is wrong in `health` and `agent`, in plain words. */
import t from 'tap';
import { problems, upstream, withUpstream, type Keys } from './small-inputs.ts';

const HEALTH = 'upstreams[0].health';
const AGENT = 'upstreams[0].agent';
const TYPES = 'tcp, http, sendExpect, tls, off';

const BAD: [name: string, keys: Keys, line: string][] = [
  ['an unknown type', { type: 'tpc' }, `.type: expected one of ${TYPES}, got "tpc"; did you mean "tcp"?`],
  ['rise of 0', { rise: 0 }, '.rise: expected an integer from 1 to 100, got 0'],
  ['fall of 101', { fall: 101 }, '.fall: expected an integer from 1 to 100, got 101'],
  ['jitter of 51', { jitter: 51 }, '.jitter: expected an integer from 0 to 50, got 51'],
  ['a port of 0', { port: 0 }, '.port: expected an integer from 1 to 65535, got 0'],
  ['an unknown initial state', { initial: 'on' }, '.initial: expected one of up, down, checked, got "on"'],
  [
    'an interval that is too short',
    { interval: '1ms' },
    '.interval: expected a duration from 10ms to 1h, got "1ms"',
  ],
  [
    'a timeout longer than the interval',
    { interval: '1s', timeout: '2s' },
    '.timeout: expected a duration from 10ms to 1s, the shortest interval, got "2s"',
  ],
  [
    'a timeout longer than the usual interval',
    { timeout: '3s' },
    '.timeout: expected a duration from 10ms to 2s, the shortest interval, got "3s"',
  ],
  [
    'a timeout longer than the interval while down',
    { interval: '10s', intervalDown: '5s', intervalChanging: '500ms', timeout: '6s' },
    '.timeout: expected a duration from 10ms to 5s, the shortest interval, got "6s"',
  ],
  [
    'a name as the address of checks',
    { address: 'app.internal:80' },
    '.address: expected an IP address with a port, such as 10.0.0.1:8080 or [fd00::1]:8080, or unix:/path, got "app.internal:80"',
  ],
  [
    'both port and address',
    { port: 81, address: '10.0.0.1:81' },
    '.address: expected only one of port and address, got "10.0.0.1:81"',
  ],
  [
    'a key of http with tcp',
    { path: '/up' },
    '.path: expected no such key with type tcp; it belongs to http, got "/up"',
  ],
  [
    'tls without a check',
    { type: 'off', tls: true },
    '.tls: expected no such key with type off; it belongs to tcp, http, sendExpect, tls, got true',
  ],
  [
    'an expectation with http',
    { type: 'http', expect: 'x' },
    '.expect: expected no such key with type http; it belongs to sendExpect, got "x"',
  ],
  [
    'a path without a slash',
    { type: 'http', path: 'up' },
    '.path: expected a path that begins with / and has no space in it, got "up"',
  ],
  [
    'a path with a space',
    { type: 'http', path: '/a b' },
    '.path: expected a path that begins with / and has no space in it, got "/a b"',
  ],
  [
    'a method that changes things',
    { type: 'http', method: 'DELETE' },
    '.method: expected one of GET, HEAD, OPTIONS, POST, got "DELETE"',
  ],
  [
    'a status below 100',
    { type: 'http', status: '99-200' },
    '.status: expected statuses such as 200, 200-399 or 200-299,301, each from 100 to 599, got "99-200"',
  ],
  [
    'a status that is no status',
    { type: 'http', status: 200.5 },
    '.status: expected statuses such as 200, 200-399 or 200-299,301, each from 100 to 599, got 200.5',
  ],
  [
    'statuses as a list',
    { type: 'http', status: [200] },
    '.status: expected statuses such as 200, 200-399 or 200-299,301, each from 100 to 599, got a list',
  ],
  [
    'a body with HEAD',
    { type: 'http', method: 'HEAD', body: 'ok' },
    '.body: expected no body with method HEAD, which is answered without one, got "ok"',
  ],
  [
    'a host with a line end',
    { type: 'http', host: 'a\nb' },
    String.raw`.host: expected a host such as app.internal or 10.0.0.1:8080, in plain ASCII, got "a\nb"`,
  ],
  [
    'a name for TLS that is none',
    { type: 'tls', tls: { serverName: 'a b' } },
    '.tls.serverName: expected a host such as app.internal or 10.0.0.1:8080, in plain ASCII, got "a b"',
  ],
  [
    'a handshake without TLS',
    { type: 'tls', tls: false },
    '.tls: expected true or a mapping with type tls, or type tcp, got false',
  ],
  [
    'sendExpect without an expectation',
    { type: 'sendExpect', send: 'x' },
    ': expected with type sendExpect one of expect, expectPattern and preset, got a mapping',
  ],
  [
    'text and bytes to send',
    { type: 'sendExpect', send: 'x', sendHex: '00', expect: 'y' },
    '.sendHex: expected only one of send and sendHex, got a text that is not shown',
  ],
  [
    'two expectations',
    { type: 'sendExpect', expect: 'y', expectPattern: 'z' },
    '.expectPattern: expected only one of expect and expectPattern, got "z"',
  ],
  [
    'a preset and an expectation',
    { type: 'sendExpect', preset: 'smtp', expect: '220' },
    '.expect: expected only one of preset and expect, got "220"',
  ],
  [
    'an unknown preset',
    { type: 'sendExpect', preset: 'postgresql' },
    '.preset: expected one of redis, postgres, mysql, smtp, ssh, got "postgresql"; did you mean "postgres"?',
  ],
  [
    'what a check sends, which may be a password, with a type of a typing error',
    { type: 'sendExpct', send: 'AUTH secret' },
    '.type: expected one of tcp, http, sendExpect, tls, off, got "sendExpct"; did you mean "sendExpect"?\n' +
      `${HEALTH}.send: expected no such key with type sendExpct; it belongs to sendExpect, got a text that is not shown`,
  ],
  [
    'half a byte',
    { type: 'sendExpect', sendHex: '0', expect: 'y' },
    '.sendHex: expected bytes in hexadecimal such as "0d0a" or "0d 0a", got a text that is not shown',
  ],
  [
    'a text of no length',
    { type: 'sendExpect', expect: '' },
    '.expect: expected a text of 1 to 4096 characters, got ""',
  ],
];

const BAD_AGENTS: [name: string, keys: Keys, line: string][] = [
  ['no place', {}, ': expected one of port and address, got a mapping'],
  [
    'port and address',
    { port: 1, address: '10.0.0.1:1' },
    '.address: expected only one of port and address, got "10.0.0.1:1"',
  ],
  [
    'a timeout longer than its interval',
    { port: 1, interval: '1s', timeout: '2s' },
    '.timeout: expected a duration from 10ms to 1s, the shortest interval, got "2s"',
  ],
  ['an unknown key', { port: 1, sent: 'x' }, ': unknown key "sent"; did you mean "send"?'],
];

for (const [name, keys, line] of BAD) {
  void t.test(`health: ${name}`, async t =>
    t.equal(problems(withUpstream({ health: keys })), `${HEALTH}${line}`),
  );
}

for (const [name, keys, line] of BAD_AGENTS) {
  void t.test(`agent: ${name}`, async t =>
    t.equal(problems(withUpstream({ agent: keys })), `${AGENT}${line}`),
  );
}

void t.test('a bad pattern is told with what is wrong in it', async t => {
  const keys = { type: 'sendExpect', expectPattern: '(' };
  t.match(
    problems(withUpstream({ health: keys })),
    /^upstreams\[0\]\.health\.expectPattern: expected a regular expression as in JavaScript, .*Unterminated group/,
  );
});

void t.test('a port goes with TCP backends only', async t => {
  const backends = [...upstream.backends, { address: 'unix:/run/app' }];
  const expected = 'expected address instead, because a unix socket has no port, got 81';
  t.equal(problems(withUpstream({ backends, health: { port: 81 } })), `${HEALTH}.port: ${expected}`);
  t.equal(problems(withUpstream({ backends, agent: { port: 81 } })), `${AGENT}.port: ${expected}`);
});

void t.test('what goes together is accepted', async t => {
  const good: Keys[] = [
    {
      type: 'http',
      method: 'HEAD',
      path: '/a?b=c',
      host: 'app.internal:8080',
      status: '200,301-302',
      tls: true,
    },
    { type: 'http', method: 'GET', body: 'größe', status: 200 },
    { type: 'tls', tls: { verify: false, serverName: 'app.internal' } },
    { type: 'sendExpect', sendHex: '00 ff', expectPattern: '^\\x00' },
    { type: 'sendExpect', preset: 'mysql', port: 3307 },
    {
      type: 'tcp',
      interval: '1s',
      intervalDown: '5s',
      intervalChanging: '500ms',
      timeout: '500ms',
      jitter: 0,
    },
    { type: 'tcp', interval: '500ms' },
    { type: 'off', interval: '1s' },
  ];
  for (const keys of good) t.equal(problems(withUpstream({ health: keys })), '', JSON.stringify(keys));
  t.equal(problems(withUpstream({ agent: { address: 'unix:/run/agent', send: 'x\n' } })), '');
});
