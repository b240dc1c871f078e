/** Valid configurations as chance will have them, with every kind of value that the schema has, for fast-check. */
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { fc } from './properties.ts';

type Upstream = ConfigInput['upstreams'][number];
type Listener = ConfigInput['listeners'][number];
type LogInput = NonNullable<ConfigInput['log']>;

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const duration = fc.constantFrom('250ms', '1s', '2s', '5s');
const names = ['app', 'b', 'c'];

const backends: fc.Arbitrary<Upstream['backends']> = fc
  .uniqueArray(
    fc.record({
      address: fc.oneof(
        fc.constantFrom('[fd00::1]:80', 'unix:/run/b.sock', 'db.internal:5432'),
        fc.integer({ min: 1, max: 6 }).map(i => `10.0.0.${i}:80`),
      ),
      weight: fc.integer({ min: 0, max: 256 }),
      maxSessions: maybe(fc.integer({ min: 1, max: 100 })),
      backup: fc.boolean(),
    }),
    { selector: ({ address }) => address, minLength: 1, maxLength: 4 },
  )
  // One of them must be none.
  .map(all => all.map((each, i) => ({ ...each, backup: i > 0 && each.backup })));

const upstreamOf = (name: string): fc.Arbitrary<Upstream> =>
  fc
    .record({
      name: fc.constant(name),
      strategy: fc.constantFrom('leastconn', 'roundrobin', './mine.mjs'),
      backends,
      health: fc.constantFrom<Upstream['health']>(
        'off',
        {},
        { type: 'http', path: '/up', status: 204, tls: true },
        { type: 'http', host: 'x', tls: { verify: false } },
        { type: 'sendExpect', send: 'AUTH hunter2\r\n', expect: 'OK' },
        { type: 'sendExpect', preset: 'redis', interval: '3s' },
      ),
      ejection: fc.constantFrom<Upstream['ejection']>('off', {}, { failures: 3 }),
      panicBelow: fc.constantFrom<Upstream['panicBelow']>(0, 50, 'off'),
      backups: fc.constantFrom<Upstream['backups']>('whenFull', { which: 'first' }),
      slowStart: duration,
      sticky: maybe(
        fc.record({ ttl: duration.filter(text => text !== '250ms'), max: fc.integer({ min: 1, max: 9 }) }),
      ),
      queue: fc.record({ max: fc.integer({ min: 0, max: 9 }), timeout: duration }),
      keepalive: fc.constantFrom<Upstream['keepalive']>('off', {}, { count: 3 }),
      sendBuffer: fc.constantFrom<Upstream['sendBuffer']>(undefined, '64KiB', 5000),
      dscp: fc.constantFrom<Upstream['dscp']>(undefined, 'EF', 0),
      mptcp: fc.boolean(),
      source: fc.constantFrom<Upstream['source']>(undefined, ['10.0.0.9', 'fd00::9'], 'client'),
      pool: fc.record({ warm: fc.integer({ min: 0, max: 3 }), reuse: fc.boolean() }),
      sendProxy: fc.constantFrom<Upstream['sendProxy']>('off', 'v1', 'v2', {
        version: 'v2',
        tlvs: ['uniqueId', 'crc32c'],
      }),
    })
    // A header excludes the reuse of its connection.
    .map(upstream => (upstream.sendProxy === 'off' ? upstream : { ...upstream, pool: { warm: 1 } }))
    // These exclude parked connections.
    .map(upstream => (upstream.mptcp || upstream.source === 'client' ? { ...upstream, pool: {} } : upstream));

const listenerOf =
  (upstreams: readonly string[]) =>
  (name: string): fc.Arbitrary<Listener> =>
    fc.record({
      name: fc.constant(name),
      bind: fc.constantFrom<Listener['bind']>(
        ':0',
        ['127.0.0.1:0', '[::1]:0'],
        [{ address: `unix:/run/${name}.sock`, mode: '0660', group: 7 }],
      ),
      upstream: fc.constantFrom(...upstreams),
      noDelay: fc.boolean(),
      backlog: maybe(fc.integer({ min: 1, max: 9 })),
      sni: fc.oneof(
        fc.constant<Listener['sni']>(undefined),
        fc.constantFrom(...upstreams).map((upstream): Listener['sni'] => [{ match: 'a.test', upstream }]),
        fc.constantFrom(...upstreams).map((upstream): Listener['sni'] => ({
          routes: [{ match: ['**.A.test', 'b.'], alpn: 'h2', upstream }],
          ...{ others: 'refuse', timeout: '1s' },
        })),
      ),
      limits: fc.record({
        maxSessions: maybe(fc.integer({ min: 1, max: 99 })),
        bandwidth: maybe(fc.constantFrom('1MiB/s', '500kB/s', { fromClient: '1KiB/s' })),
        perSession: fc.constantFrom(undefined, {}, { bandwidth: { fromBackend: '3MB/s' } }),
        rate: maybe(fc.constantFrom('5/s', '10/h')),
        perClient: fc.constantFrom<NonNullable<Listener['limits']>['perClient']>(
          undefined,
          { sessions: 3 },
          { rate: '10/m', burst: 2, ipv4Prefix: 24, clients: 1 },
        ),
      }),
      timeouts: fc.record({
        idle: duration,
        lifetime: fc.constantFrom('0', '1h'),
        lifetimeJitter: fc.constantFrom('0%', '20%'),
      }),
      whenUnavailable: fc.constantFrom('reset', 'close', 'http503'),
      acceptProxy: fc.constantFrom<Listener['acceptProxy']>(
        undefined,
        { from: [] },
        { from: ['10.0.0.0/8', '::1', 'unix'], timeout: '1s', required: false },
      ),
    });

const redis = fc.constantFrom<ConfigInput['redis']>(
  undefined,
  { url: 'redis://r' },
  { url: 'rediss://me:p%40ss%2Fhunter2@r:7000/3', publish: '1s' },
  { url: 'redis+sentinel://:hunter2@a,[::1]:9/main/2', sentinelUsername: 'hunter2' },
  { url: 'redis+cluster://a,b:1', username: 'hunter2', passwordFile: 'hunter2', instance: 'one' },
);

/** Valid, and without a bind that excludes another one. Its only secret is `hunter2`. */
export const randomConfig: fc.Arbitrary<ConfigInput> = fc
  .shuffledSubarray(names, { minLength: 1 })
  .chain(upstreams =>
    fc.record({
      upstreams: fc.tuple(...upstreams.map(upstreamOf)),
      listeners: fc
        .shuffledSubarray(['web', 'tls'], { minLength: 1 })
        .chain(all => fc.tuple(...all.map(listenerOf(upstreams)))),
      limits: fc.record({ maxSessions: maybe(fc.integer({ min: 1, max: 99 })) }),
      drainTimeout: duration,
      name: fc.constantFrom(undefined, 'one'),
      admin: fc.constantFrom<ConfigInput['admin']>(
        undefined,
        { socket: 'off', hosts: ['a.example'] },
        { bind: ':9090', tokenFile: 'token', readyNeeds: 'upstream' },
      ),
      redis,
      log: fc.record({
        level: fc.constantFrom('info', 'debug'),
        format: fc.constantFrom('json', undefined),
        to: fc.constantFrom<LogInput['to']>(
          'stderr',
          'journald',
          { type: 'file', path: 'lb4.log' },
          { type: 'syslog', address: 'udp:[::1]:514', facility: 'local0', app: 'x' },
        ),
        access: fc.constantFrom<LogInput['access']>(
          true,
          false,
          { only: 'errors', slowerThan: '1s', sample: 0.5 },
          { format: 'tcplog', to: { type: 'file', path: 'access.log' } },
          { format: 'text', fields: ['client', 'reason'] },
        ),
      }),
    }),
  )
  .map(withoutUndefined);

/** As in a file, where a key that is not set is not there. */
function withoutUndefined(config: ConfigInput): ConfigInput {
  return JSON.parse(JSON.stringify(config)) as ConfigInput; // plain data
}
