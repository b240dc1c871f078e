import t from 'tap';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import type { ConfigInput } from '../../../../src/config/schema/schema.ts';
import {
  listener,
  problems,
  upstream,
  withBackend,
  withListener,
  withTop,
  withUpstream,
} from '../small-inputs.ts';

await t.test('a unix socket may be a mapping, and a backend with an abstract name may have a weight', t => {
  const parsed = parseConfig({
    listeners: [
      {
        name: 'web',
        bind: [
          'unix:@front',
          { address: 'unix:/run/a', mode: '0660', user: 'www', group: '33' },
          { address: ':80' },
        ],
        upstream: 'app',
      },
    ],
    upstreams: [{ name: 'app', backends: ['unix:@5', 'unix:@back@2'] }],
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  t.match(parsed.config.listeners[0]?.bind, [
    { kind: 'unix', path: '@front' },
    { kind: 'unix', path: '/run/a', access: { mode: 0o660, user: 'www', group: 33 } },
    { kind: 'tcp', host: '', port: 80 },
  ]);
  t.match(parsed.config.upstreams[0]?.backends, [
    { id: 'unix:@5', weight: 1 },
    { id: 'unix:@back', weight: 2 },
  ]);
  t.end();
});

await t.test('the smallest configuration is completed with every default', t => {
  const result = parseConfig(withTop({ $schema: './lb4.schema.json' }));
  t.strictSame(result, {
    ok: true,
    config: {
      listeners: [
        {
          name: 'web',
          bind: [{ kind: 'tcp', host: '127.0.0.1', port: 8080 }],
          upstream: 'app',
          limits: {},
          timeouts: { idle: 3_600_000, halfClosed: 60_000, lifetime: 0, lifetimeJitter: 0 },
          keepalive: { idle: 60_000, interval: 10_000, count: 6 },
          userTimeout: 0,
          deferAccept: 0,
          ...{ noDelay: true, freebind: false, fastOpen: 0, mptcp: false, stopWhenDown: false },
          whenDenied: 'reset',
          dryRun: false,
          whenUnavailable: 'reset',
        },
      ],
      upstreams: [
        {
          name: 'app',
          strategy: 'leastconn',
          hashBy: 'client',
          balanceFactor: 'off',
          backends: [
            {
              id: '10.0.0.1:80',
              address: { kind: 'tcp', host: '10.0.0.1', port: 80 },
              weight: 1,
              maxSessions: undefined,
              backup: false,
            },
          ],
          health: {
            type: 'tcp',
            interval: 2000,
            rise: 2,
            fall: 3,
            jitter: 5,
            initial: 'up',
            timeout: 2000,
          },
          ejection: { failures: 5, base: 5000, max: 60_000, maxPercent: 50, earlyClose: 0 },
          panicBelow: 0,
          backups: { when: 'down', which: 'all' },
          slowStart: 0,
          whenDown: 'keep',
          leaveBackups: 'keep',
          removed: 'keep',
          queue: { max: 1024, timeout: 5000 },
          limits: {},
          connect: {
            timeout: 5000,
            retriesPerBackend: 0,
            retryDelay: 10,
            rounds: 1,
            backoff: 100,
            deadline: 0,
            retryBudget: { percent: 20, minPerSecond: 10 },
          },
          connectWhen: { when: 'now', timeout: 30_000 },
          keepalive: { idle: 60_000, interval: 10_000, count: 6 },
          userTimeout: 0,
          ...{ noDelay: true, mptcp: false },
          pool: { warm: 0, maxIdle: 5000, reuse: false },
          sendProxy: 'off',
        },
      ],
      limits: {},
      name: 'default',
      admin: { socket: 'auto', readyNeeds: 'listeners' },
      drainTimeout: 30_000,
      drain: { delay: 0, spread: 0.2 },
      engine: 'auto',
      workers: 'auto',
      workerStallTimeout: 30_000,
      log: { level: 'info', to: { type: 'stderr' }, access: false },
    },
  });
  t.end();
});

await t.test('every short form means the long one', t => {
  const backendOf = (backend: unknown) => {
    const result = parseConfig(withBackend(backend));
    return result.ok ? result.config.upstreams[0]?.backends[0] : problems(withBackend(backend));
  };
  const pairs: [unknown, unknown][] = [
    ['10.0.0.1:80@2', { address: '10.0.0.1:80', weight: 2 }],
    ['[FD00::1]:80@0', { address: '[fd00::1]:80', weight: 0 }],
    ['unix:/run/a.sock@3', { address: 'unix:/run/a.sock', weight: 3 }],
    ['unix:/run/a@b', { address: 'unix:/run/a@b' }],
    ['App.Internal:80', { address: 'app.internal:80', weight: 1 }],
  ];
  for (const [short, long] of pairs) t.strictSame(backendOf(short), backendOf(long), JSON.stringify(short));
  t.match(backendOf('unix:/run/a@b'), { id: 'unix:/run/a@b', weight: 1 });

  const off = [parseConfig(withUpstream({ health: 'off' })), parseConfig(withUpstream({ health: false }))];
  for (const result of off) t.strictSame(result, parseConfig(withUpstream({ health: { type: 'off' } })));
  for (const [word, rules] of [
    ['whenDown', {}],
    ['whenFull', { when: 'full' }],
    ['all', { which: 'all' }],
    ['first', { which: 'first' }],
  ])
    t.strictSame(parseConfig(withUpstream({ backups: word })), parseConfig(withUpstream({ backups: rules })));
  t.match(parseConfig(withUpstream({ backups: { when: 'full', which: 'first' } })), { ok: true });
  const never = parseConfig(withUpstream({ panicBelow: 'off' }));
  t.match(never, { config: { upstreams: [{ panicBelow: 'off' }] } });
  t.strictSame(parseConfig(withUpstream({ panicBelow: false })), never);
  t.strictSame(parseConfig(withListener({ bind: [':80'] })), parseConfig(withListener({ bind: ':80' })));
  t.end();
});

await t.test('what is allowed at the edges is accepted', t => {
  const accepted = [
    withListener({
      bind: ['0.0.0.0:443', '[::]:443', ':8080', 'unix:/run/x.sock', '127.0.0.1:0', '[::1]:0'],
    }),
    withListener({ timeouts: { idle: 0, halfClosed: '0', lifetime: '168h' } }),
    withListener({ bind: ['127.0.0.1:0', '127.0.0.1:0', '0.0.0.0:1', '[::]:1', '127.0.0.1:1'] }),
    withListener({ limits: { maxSessions: 1_000_000 } }),
    withUpstream({ strategy: './mine.js' }),
    withUpstream({ strategy: '/opt/x' }),
    withUpstream({ strategy: '../x.mjs' }),
    withUpstream({ strategy: 'mine.mjs' }),
    withBackend({ address: '10.0.0.1:80', weight: 256 }),
    withTop({ drainTimeout: '0s', log: { format: 'text' } }),
  ];
  for (const input of accepted) t.equal(problems(input), '', JSON.stringify(input));
  t.end();
});

await t.test('the library may give durations as milliseconds, a file may not', t => {
  const input: ConfigInput = {
    ...withListener({ timeouts: { idle: 250 } }),
    drainTimeout: 1500,
  };
  const result = parseConfig(input);
  t.match(result, { ok: true, config: { drainTimeout: 1500, listeners: [{ timeouts: { idle: 250 } }] } });
  t.equal(
    problems(input, { requireUnits: true }),
    'listeners[0].timeouts.idle: expected a duration with its unit, such as 250ms, 5s, 10m or 1h, got 250\n' +
      'drainTimeout: expected a duration with its unit, such as 250ms, 5s, 10m or 1h, got 1500',
  );
  t.equal(problems(withTop({ drainTimeout: 0 }), { requireUnits: true }), '');
  t.end();
});

await t.test('a checked configuration cannot be changed by accident', t => {
  const result = parseConfig(withListener({}));
  if (!result.ok) throw new Error('refused');
  const { config } = result;
  for (const part of [
    config,
    config.listeners,
    config.listeners[0],
    config.upstreams[0]?.backends[0],
    config.log,
  ]) {
    t.ok(Object.isFrozen(part));
  }
  t.end();
});

await t.test('a prototype given as a key is an unknown key', t => {
  const input: unknown = JSON.parse(`{"__proto__": {"x": 1}, ${JSON.stringify(withListener({})).slice(1)}`);
  t.match(problems(input), 'unknown key "__proto__"; expected one of the keys');
  t.end();
});

await t.test('all problems are reported at once, of shape and of meaning', t => {
  const input = {
    listeners: [
      { name: 'web', bind: [], upstream: 'ap' },
      { ...listener, name: 'web' },
    ],
    upstreams: [
      { name: 'app', strategy: 'x', backends: ['10.0.0.1:80', '10.0.0.1:80', '10.0.0.1'], colour: 1 },
    ],
    drainTimeout: '5x',
  };
  const result = parseConfig(input);
  if (result.ok) throw new Error('accepted');
  t.strictSame(result.issues.map(issue => issue.path.join('.')).sort(), [
    'drainTimeout',
    'listeners.0.bind',
    'listeners.0.upstream',
    'listeners.1.name',
    'upstreams.0.backends.1',
    'upstreams.0.backends.2',
    'upstreams.0.colour',
    'upstreams.0.strategy',
  ]);
  t.end();
});

await t.test('an issue says in parts what its message says whole', t => {
  const result = parseConfig(withUpstream({ strategy: 'lestconn' }));
  t.match(result, {
    issues: [
      {
        path: ['upstreams', 0, 'strategy'],
        kind: 'value',
        got: '"lestconn"',
        suggestion: 'leastconn',
        expected: /^one of/,
      },
    ],
  });
  t.match(parseConfig(withTop({ x: 1 })), { issues: [{ kind: 'unknownKey', path: ['x'] }] });
  t.match(parseConfig(withListener({ name: undefined })), { issues: [{ kind: 'missing', got: 'nothing' }] });
  t.end();
});

await t.test('a value that must not be shown is shown as written, and in no other part of the issue', t => {
  const secret = 'hunter2';
  const written = () => '${SECRET}';
  const inputs = [
    withBackend(secret),
    withBackend({ address: secret }),
    withListener({ bind: secret }),
    withListener({ bind: [secret] }),
    withListener({ upstream: secret }),
    withUpstream({ name: secret }),
    withUpstream({ strategy: secret }),
    withTop({ drainTimeout: secret }),
    withTop({
      upstreams: [
        { ...upstream, name: secret },
        { ...upstream, name: secret },
      ],
    }),
  ];
  for (const input of inputs) {
    const result = parseConfig(input, { written });
    t.match(result, { ok: false, issues: [{ got: '"${SECRET}"' }] }, JSON.stringify(input));
    t.notMatch(JSON.stringify(result), secret, JSON.stringify(input));
  }
  t.end();
});

await t.test('of very many misspelled keys the first hundred get a suggestion, and all are reported', t => {
  const keys = Array.from({ length: 150 }, (_, index) => `limits${index.toString(36).padStart(2, '0')}`);
  const result = parseConfig(withTop(Object.fromEntries(keys.map(key => [key, 1]))));
  const issues = result.ok ? [] : result.issues;
  t.equal(issues.length, 150);
  t.equal(issues.filter(({ suggestion }) => suggestion === 'limits').length, 100);
  t.end();
});
