import t from 'tap';
import { configFromFlags, optionName } from '../../../../src/config/source/flags.ts';
import { loadConfig } from '../../../../src/config/source/load.ts';
import type { FlagName, RunFlags } from '../../../../src/config/source/flags.ts';
import { HEALTH_PRESETS } from '../../../../src/config/schema/health-schema.ts';

const file = {
  listeners: [{ name: 'web', bind: ':80', upstream: 'app' }],
  upstreams: [{ name: 'app', backends: ['10.0.0.1:80'], health: { interval: '1s' } }],
};
const inputOf = (flags: RunFlags, base?: unknown) => configFromFlags(flags, base).input;
/** The problems of flags alone, as people see them. */
const problems = (flags: RunFlags, fromEnvironment: FlagName[] = []) => {
  const sourceOf = (flag: FlagName) => (fromEnvironment.includes(flag) ? 'environment' : 'flag');
  const result = loadConfig({ flags, sourceOf, env: {} });
  return result.ok ? '' : result.message;
};

await t.test('flags alone make one listener and one upstream, both named default', t => {
  t.strictSame(inputOf({ backends: '127.0.0.1:8081,[::1]:82@3,unix:/x' }), {
    listeners: [{ name: 'default', bind: ['127.0.0.1:8080'], upstream: 'default' }],
    upstreams: [{ name: 'default', backends: ['127.0.0.1:8081', '[::1]:82@3', 'unix:/x'] }],
  });
  t.end();
});

await t.test('every flag has its place in the configuration', t => {
  const result = loadConfig({
    env: {},
    flags: {
      backends: ' 127.0.0.1:8081 , 127.0.0.1:8082',
      strategy: 'p2c',
      listen: [':80', 'unix:/run/x'],
      health: 'tcp',
      healthInterval: '3s',
      connectTimeout: '4s',
      idleTimeout: '5m',
      drainTimeout: '6s',
      poolWarm: '7',
      sendProxy: 'v2',
      acceptProxy: '10.0.0.0/8, ::1',
      maxSessions: '8',
      logLevel: 'debug',
      logFormat: 'json',
      accessLog: true,
    },
  });
  t.match(result, {
    ok: true,
    config: {
      listeners: [
        {
          bind: [
            { host: '', port: 80 },
            { kind: 'unix', path: '/run/x' },
          ],
          timeouts: { idle: 300_000 },
        },
      ],
      upstreams: [
        {
          strategy: 'p2c',
          backends: [{ id: '127.0.0.1:8081' }, { id: '127.0.0.1:8082' }],
          health: { type: 'tcp', interval: 3000 },
          connect: { timeout: 4000 },
          pool: { warm: 7 },
        },
      ],
      drainTimeout: 6000,
      limits: { maxSessions: 8 },
      log: { level: 'debug', format: 'json', access: {} },
    },
  });
  t.end();
});

await t.test('a flag stands over the file, whose other keys stay, and the file is not changed', t => {
  const before = structuredClone(file);
  t.strictSame(inputOf({ strategy: 'first', health: 'off', drainTimeout: '1s' }, file), {
    listeners: file.listeners,
    upstreams: [{ ...file.upstreams[0], strategy: 'first', health: { interval: '1s', type: 'off' } }],
    drainTimeout: '1s',
  });
  t.strictSame(file, before);
  t.strictSame(inputOf({}, file), file);
  t.end();
});

await t.test('an interval does not switch on health checks that the file has switched off', t => {
  for (const health of ['off', false]) {
    const base = { ...file, upstreams: [{ ...file.upstreams[0], health }] };
    t.match(inputOf({ healthInterval: '1s' }, base), {
      upstreams: [{ health: { type: 'off', interval: '1s' } }],
    });
  }
  t.end();
});

await t.test('a file without listeners or upstreams is completed by the flags', t => {
  t.match(inputOf({ backends: ':1' }, { log: {} }), {
    listeners: [{ name: 'default', bind: ['127.0.0.1:8080'], upstream: 'default' }],
    upstreams: [{ name: 'default' }],
  });
  t.match(inputOf({ listen: [':1'] }, { upstreams: file.upstreams }), {
    listeners: [{ name: 'default', bind: [':1'], upstream: 'app' }],
  });
  t.match(inputOf({ backends: ':1' }, { listeners: file.listeners }), { upstreams: [{ name: 'app' }] });
  t.strictSame(inputOf({ strategy: 'first' }, { upstreams: file.upstreams }), {
    upstreams: [{ ...file.upstreams[0], strategy: 'first' }],
  });
  t.end();
});

await t.test('a flag for one of several is an issue, not a guess', t => {
  const [app] = file.upstreams;
  const base = { ...file, upstreams: [app, { ...app, name: 'mail' }] };
  const { input, issues } = configFromFlags({ strategy: 'first', listen: [':1'] }, base);
  t.match(issues, [
    {
      place: { option: '--strategy' },
      message: 'expected a configuration with only one upstream, got 2; set strategy in the file instead',
    },
  ]);
  t.equal(issues.length, 1);
  t.match(input, { listeners: [{ bind: [':1'] }], upstreams: base.upstreams });
  t.end();
});

await t.test('--health http:/path says the type and the path, http alone means /', t => {
  const app = { name: 'default', backends: ['a:1'] };
  const health = (flag: string, base?: unknown): unknown => {
    const input = inputOf({ backends: 'a:1', health: flag }, base);
    return (input as { upstreams: { health: unknown }[] }).upstreams[0]?.health;
  };
  t.strictSame(health('http:/up?x=1:2'), { type: 'http', path: '/up?x=1:2' });
  t.strictSame(health('http'), { type: 'http' });
  t.strictSame(health('tls'), { type: 'tls' });
  t.strictSame(health('http:/up', { upstreams: [{ ...app, health: 'off' }] }), { type: 'http', path: '/up' });
  t.strictSame(health('http:/up', { upstreams: [{ ...app, health: { path: '/', status: '204' } }] }), {
    type: 'http',
    path: '/up',
    status: '204',
  });
  const loaded = loadConfig({ flags: { backends: 'a:1', health: 'http:/up' }, env: {} });
  t.match(loaded, { ok: true, config: { upstreams: [{ health: { type: 'http', path: '/up' } }] } });
  t.end();
});

await t.test('what is wrong in a flag is told by the name of the flag', t => {
  const backends = '127.0.0.1:1';
  const TYPES = '--health: expected one of tcp, http:/path, tls, off, redis, postgres, mysql, smtp, ssh';
  const cases: [RunFlags, string][] = [
    [{}, '--backends: missing; expected a list of 1 to 10000 backends'],
    [{ backends: '127.0.0.1' }, '--backends: expected a port, as in 127.0.0.1:5432, got "127.0.0.1"'],
    [{ backends: '' }, '--backends: expected a port, as in 127.0.0.1:5432, got ""'],
    [{ backends: 'a:1,,b:2' }, '--backends: expected a port, as in 127.0.0.1:5432, got ""'],
    [
      { backends: 'a:1,a:1@2' },
      '--backends: expected each backend only once, got "a:1@2" (also at upstreams[0].backends[0])',
    ],
    [
      { backends, strategy: 'lestconn' },
      '--strategy: expected one of roundrobin, leastconn, iphash, random, p2c, ewma, first, or a path such as ./my-strategy.js, got "lestconn"; did you mean "leastconn"?',
    ],
    [{ backends, listen: [':80', '80'] }, '--listen: expected a colon before the port, as in :80, got "80"'],
    [
      { backends, listen: '5000-5009' },
      '--listen: expected a colon before the port, as in :5000-5009, got "5000-5009"',
    ],
    [{ backends: '5432' }, '--backends: expected a host before the port, as in 127.0.0.1:5432, got "5432"'],
    [{ backends, health: 'on' }, `${TYPES}, got "on"`],
    [{ backends, health: 'tcp:/up' }, `${TYPES}, got "tcp:/up"`],
    [
      { backends, health: 'http:up' },
      '--health: expected a path that begins with / and has no space in it, got "up"',
    ],
    [
      { backends, health: 'http:' },
      '--health: expected a path that begins with / and has no space in it, got ""',
    ],
    [{ backends, health: 'sendExpect' }, `${TYPES}, got "sendExpect"`],
    [{ backends, health: 'http://a/up' }, `${TYPES}, got "http://a/up"`],
    [{ backends, health: 'Postgresql' }, `${TYPES}, got "Postgresql"; did you mean "postgres"?`],
    [{ backends, health: 'htp' }, `${TYPES}, got "htp"; did you mean "http"?`],
    [
      { backends, healthInterval: '5x' },
      '--health-interval: expected a duration such as 250ms, 5s, 10m or 1h, got "5x"',
    ],
    [
      { backends, idleTimeout: '5' },
      '--idle-timeout: expected a duration such as 250ms, 5s, 10m or 1h, got "5"',
    ],
    [{ backends, poolWarm: '-1' }, '--pool-warm: expected an integer from 0 to 1000, got -1'],
    [{ backends, maxSessions: 'many' }, '--max-sessions: expected an integer from 1 to 1000000, got "many"'],
    [
      { backends, accessLog: 'maybe' },
      '--access-log: expected true, false, or a mapping such as { only: errors }, got "maybe"',
    ],
    [
      { backends, accessLog: 'constructor' },
      '--access-log: expected true, false, or a mapping such as { only: errors }, got "constructor"',
    ],
    [{ backends, logLevel: 'loud' }, '--log-level: expected one of error, warn, info, debug, got "loud"'],
  ];
  for (const [flags, line] of cases) t.equal(problems(flags), line);
  t.end();
});

await t.test('a value that came from the environment is told by its variable', t => {
  t.equal(
    problems({ backends: 'x', poolWarm: 'x' }, ['backends']),
    'LB4_BACKENDS: expected a port, as in x:5432, got "x"\n--pool-warm: expected an integer from 0 to 1000, got "x"',
  );
  t.equal(optionName('healthInterval', 'environment'), 'LB4_HEALTH_INTERVAL');
  t.equal(optionName('healthInterval', 'flag'), '--health-interval');
  t.end();
});

await t.test('the access log is on or off, in any of the words for it', t => {
  for (const word of ['1', 'true', 'yes', 'on', 'TRUE', 'Yes', 'oN']) {
    t.match(inputOf({ accessLog: word }), { log: { access: true } }, word);
  }
  for (const word of ['0', 'false', 'no', 'off', 'FALSE', 'No', 'oFF']) {
    t.match(inputOf({ accessLog: word }), { log: { access: false } }, word);
  }
  const more = { log: { access: { only: 'errors' } } };
  t.match(inputOf({ accessLog: true }, more), more, 'what a file says of it stays');
  t.match(inputOf({ accessLog: 'no' }, more), { log: { access: false } });
  t.end();
});

await t.test('backends and addresses to listen on add up, with commas and without', t => {
  t.match(inputOf({ backends: ['a:1', 'b:2, c:3'], listen: [':1', ':2,:3'] }), {
    listeners: [{ bind: [':1', ':2', ':3'] }],
    upstreams: [{ backends: ['a:1', 'b:2', 'c:3'] }],
  });
  t.match(inputOf({ backends: 'a:1', listen: ':1,:2' }), { listeners: [{ bind: [':1', ':2'] }] });
  t.end();
});

await t.test('--health takes every preset by its name', t => {
  for (const preset of HEALTH_PRESETS) {
    const loaded = loadConfig({ flags: { backends: 'a:1', health: preset }, env: {} });
    t.match(loaded, { ok: true, config: { upstreams: [{ health: { type: 'sendExpect', preset } }] } });
  }
  t.end();
});

await t.test('--health replaces the check of the file, and what belongs to no other check stays', t => {
  const checks: [before: Record<string, unknown>, flag: string, after: Record<string, unknown>][] = [
    [{ type: 'http', path: '/up', status: '204', fall: 5 }, 'tcp', { type: 'tcp', fall: 5 }],
    [{ type: 'http', path: '/up', tls: true }, 'tls', { type: 'tls', tls: true }],
    [{ type: 'http', tls: true }, 'redis', { type: 'sendExpect', tls: true, preset: 'redis' }],
    [{ type: 'http', tls: true, port: 1 }, 'off', { type: 'off', port: 1 }],
    [{ type: 'sendExpect', send: 'a', expect: 'b' }, 'ssh', { type: 'sendExpect', preset: 'ssh' }],
    [{ type: 'sendExpect', preset: 'ssh' }, 'http:/up', { type: 'http', path: '/up' }],
    [{ type: 'http', path: '/up', status: '204' }, 'http', { type: 'http', path: '/up', status: '204' }],
  ];
  for (const [before, flag, after] of checks) {
    const base = { ...file, upstreams: [{ ...file.upstreams[0], health: before }] };
    t.strictSame(
      inputOf({ health: flag }, base),
      { ...base, upstreams: [{ ...file.upstreams[0], health: after }] },
      flag,
    );
  }
  const wrong = { ...file, upstreams: [{ ...file.upstreams[0], health: { type: 'tcp', path: '/up' } }] };
  t.match(
    inputOf({ health: 'redis' }, wrong),
    { upstreams: [{ health: { path: '/up' } }] },
    'what was wrong before is left for the checks',
  );
  t.end();
});

await t.test('a file that is no mapping, or has something else in the way, is left for the checks', t => {
  for (const base of ['x', [1], null]) t.strictSame(inputOf({ backends: 'a:1' }, base), base);
  const odd = { listeners: 'x', upstreams: [5], log: 'y', limits: [1] };
  t.strictSame(inputOf({ backends: 'a:1', listen: [':1'], logLevel: 'info', maxSessions: '1' }, odd), odd);
  t.end();
});
