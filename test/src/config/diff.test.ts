/** Differences between configurations: what people read, what programs get, and that no secret is in either. */
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { diffConfigs } from '../../../src/config/diff.ts';
import { effectiveOf } from '../../../src/config/report/effective.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';
import type { Config } from '../../../src/config/schema/schema.ts';
import { fc } from '../../harness/properties.ts';
import { randomConfig } from '../../harness/random-config.ts';
import { withBackend, withListener, withTop, withUpstream } from './small-inputs.ts';

function parsed(input: unknown): Config {
  const result = parseConfig(input);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.config;
}

/** A key without a value is the same as none. */
const normal = (config: Config): unknown => JSON.parse(JSON.stringify(config));
const diff = (before: unknown, after: unknown) => diffConfigs(parsed(before), parsed(after));
const words = (before: unknown, after: unknown): string[] => diff(before, after).map(({ text }) => text);

void t.test('values are shown as in the file, from and to', async t => {
  t.same(words(withListener({}), withListener({ timeouts: { idle: '30m' } })), [
    'listener web: timeouts.idle 1h → 30m',
  ]);
  t.same(words(withUpstream({}), withUpstream({ strategy: 'p2c', slowStart: '5s' })), [
    'upstream app: strategy leastconn → p2c',
    'upstream app: slowStart 0 → 5s',
  ]);
  t.same(words(withTop({}), withTop({ log: { level: 'debug' }, limits: { maxSessions: 9 } })), [
    'limits.maxSessions not set → 9',
    'log.level info → debug',
  ]);
  t.same(words(withListener({}), withListener({ bind: [':1', 'unix:/a'] })), [
    'listener web: bind [127.0.0.1:8080] → [:1, unix:/a]',
  ]);
  t.same(words(withUpstream({}), withUpstream({ sticky: {} })), [
    'upstream app: sticky not set → { by: client, ttl: 30m, max: 100000 }',
  ]);
  t.same(words(withUpstream({ health: 'off' }), withUpstream({ health: 'off', keepalive: 'off' })), [
    'upstream app: keepalive { idle: 1m, interval: 10s, count: 6 } → off',
  ]);
});

void t.test('`tls: true` is `tls: {}`, also for what compares whole sections', t => {
  const [short, long] = [true, {}].map(tls => withUpstream({ health: { type: 'tls', tls } }));
  t.same(words(short, long), []);
  t.ok(isDeepStrictEqual(parsed(short), parsed(long)), 'so checks go on');
  t.end();
});

void t.test('backends are told apart by their addresses, however these are written', async t => {
  const changes = diff(
    withUpstream({ backends: ['10.0.0.1:80', '10.0.0.2:80', '[::1]:80'] }),
    withUpstream({ backends: [{ address: '[0:0::1]:80' }, '10.0.0.1:80@3', '10.0.0.9:80'] }),
  );
  t.same(
    changes.map(({ text }) => text),
    [
      'backend 10.0.0.1:80 of app: weight 1 → 3',
      'backend 10.0.0.9:80 of app added',
      'backend 10.0.0.2:80 of app removed',
      'upstream app: backends have another order',
    ],
  );
  t.same(changes[0], {
    ...{ kind: 'changed', what: 'key', from: '1', to: '3' },
    path: ['upstreams', 'app', 'backends', '10.0.0.1:80', 'weight'],
    text: 'backend 10.0.0.1:80 of app: weight 1 → 3',
  });
  t.same(changes[1], {
    ...{ kind: 'added', what: 'backend', path: ['upstreams', 'app', 'backends', '10.0.0.9:80'] },
    text: 'backend 10.0.0.9:80 of app added',
  });
});

void t.test('listeners and upstreams come and go by name, and their order means nothing', async t => {
  const one = { name: 'one', bind: '127.0.0.1:1', upstream: 'a' };
  const two = { name: 'two', bind: '127.0.0.1:2', upstream: 'a' };
  const a = { name: 'a', backends: ['10.0.0.1:80'] };
  const b = { name: 'b', backends: ['10.0.0.1:80'] };
  t.same(words({ listeners: [one], upstreams: [a, b] }, { listeners: [two], upstreams: [a] }), [
    'listener two added',
    'listener one removed',
    'upstream b removed',
  ]);
  t.same(
    words({ listeners: [one, two], upstreams: [a, b] }, { listeners: [two, one], upstreams: [b, a] }),
    [],
  );
});

void t.test('of a secret only that it has changed is shown', async t => {
  const redis = (keys: object) => withTop({ redis: { url: 'redis://r', ...keys } });
  t.same(words(redis({ url: 'redis://me:old@r' }), redis({ url: 'redis://me:new@r' })), [
    'redis.url changed (not shown)',
  ]);
  t.same(words(redis({ url: 'redis://me:old@r/1' }), redis({ url: 'rediss://me:old@r2:1/1' })), [
    'redis.url redis://***@r:6379/1 → rediss://***@r2:1/1',
  ]);
  t.same(words(redis({ username: 'old' }), redis({ username: 'new' })), [
    'redis.username changed (not shown)',
  ]);
  const send = (text: string) => withUpstream({ health: { type: 'sendExpect', send: text, expect: 'OK' } });
  t.same(words(send('AUTH old'), send('AUTH new')), ['upstream app: health.send changed (not shown)']);
});

void t.test('control characters of a path do not get into the words', async t => {
  const text = words(withBackend('10.0.0.1:80'), withBackend('unix:/a\u001b[31m')).join();
  t.notMatch(text, /\u001b/);
});

void t.test('an effective configuration, parsed again, is the same configuration', async t => {
  fc.assert(
    fc.property(randomConfig, input => {
      const config = parsed(input);
      const again = parseConfig(effectiveOf(config), { requireUnits: true });
      t.same(again.ok ? normal(again.config) : again.issues, normal(config));
      return again.ok;
    }),
    { numRuns: 200 },
  );
});

void t.test('there are no differences if and only if nothing differs, and no secret is in any', async () => {
  const inOrder = (config: Config): unknown =>
    normal({
      ...config,
      listeners: config.listeners.toSorted((a, b) => a.name.localeCompare(b.name)),
      upstreams: config.upstreams.toSorted((a, b) => a.name.localeCompare(b.name)),
    });
  fc.assert(
    fc.property(randomConfig, randomConfig, (one, other) => {
      const [before, after] = [parsed(one), parsed(other)];
      const changes = diffConfigs(before, after);
      const isSame = isDeepStrictEqual(inOrder(before), inOrder(after));
      return (changes.length === 0) === isSame && !JSON.stringify(changes).includes('hunter2');
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(randomConfig, input => diffConfigs(parsed(input), parsed(input)).length === 0));
});
