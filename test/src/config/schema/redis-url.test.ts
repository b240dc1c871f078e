import t from 'tap';
import { parseRedisUrl, REDIS_URL_PATTERN, type RedisUrl } from '../../../../src/config/schema/redis-url.ts';
import { fc } from '../../../harness/properties.ts';

const node = (host: string, port = 6379) => ({ host, port });
const one = (host: string, port?: number) => ({ kind: 'single', node: node(host, port) }) as const;

const GOOD: [text: string, url: Partial<RedisUrl>][] = [
  ['redis://localhost', { topology: one('localhost') }],
  ['redis://localhost/', { topology: one('localhost') }],
  ['REDISS://Redis.Example:6380', { topology: one('redis.example', 6380), tls: true }],
  ['redis://[FD00::1]:1/15', { topology: one('fd00::1', 1), database: 15 }],
  ['redis://[::1]/2/', { topology: one('::1'), database: 2 }],
  ['redis://10.0.0.1:65535/65535', { topology: one('10.0.0.1', 65_535), database: 65_535 }],
  ['redis://lb4@h', { topology: one('h'), username: 'lb4' }],
  ['redis://:pw@h', { topology: one('h'), password: 'pw' }],
  ['redis://@h', { topology: one('h') }],
  ['redis://:@h', { topology: one('h') }],
  ['redis://u:a:b@h', { topology: one('h'), username: 'u', password: 'a:b' }],
  [
    'rediss://l%62%34:%40%2F%3a%25%0A%C3%BC@h:7/3',
    { topology: one('h', 7), database: 3, tls: true, username: 'lb4', password: '@/:%\nü' },
  ],
  [
    'redis+sentinel://u:p@s1,s2:1,[::3]/my-master_1.x',
    {
      topology: {
        kind: 'sentinel',
        nodes: [node('s1', 26_379), node('s2', 1), node('::3', 26_379)],
        master: 'my-master_1.x',
      },
      username: 'u',
      password: 'p',
    },
  ],
  [
    'rediss+sentinel://s1/m/4',
    { topology: { kind: 'sentinel', nodes: [node('s1', 26_379)], master: 'm' }, database: 4, tls: true },
  ],
  ['redis+cluster://c1,c2:1', { topology: { kind: 'cluster', nodes: [node('c1'), node('c2', 1)] } }],
  ['rediss+cluster://[::1]:2/', { topology: { kind: 'cluster', nodes: [node('::1', 2)] }, tls: true }],
];

void t.test('every form of a Redis URL is read, with its defaults', async t => {
  for (const [text, url] of GOOD) {
    t.strictSame(parseRedisUrl(text), { ok: true, url: { database: 0, tls: false, ...url } }, text);
    t.match(text, new RegExp(REDIS_URL_PATTERN), 'the JSON Schema takes it, too');
  }
});

const HOST = /^a host name, an IPv4 address or an IPv6 address in brackets/;
const PORT = /^a port from 1 to 65535/;
const DATABASE = /^the number of a database, from 0 to 65535/;
const MASTER = /^the master's name .* as in redis\+sentinel:\/\/host:26379\/mymaster$/;
const FORM = /^a Redis URL: redis:\/\/\[user.*redis\+sentinel:\/\/.*redis\+cluster:\/\/.*rediss for TLS$/;
const ENCODED = /percent-encoded characters \(%40 for @/;

const BAD: [text: string, expected: RegExp][] = [
  ['', FORM],
  ['localhost:6379', FORM],
  ['//localhost', FORM],
  ['http://localhost', FORM],
  ['redis+unix://x', FORM],
  ['constructor://x', FORM],
  [' redis://localhost', FORM],
  ['redis:/localhost', FORM],
  ['redis://', /^a host, as in redis:\/\/\[user\[:password\]@\]host\[:6379\]\[\/db\]$/],
  ['redis:///0', /^a host, as in/],
  ['redis://u:p@', /^a host, as in/],
  ['redis://:6379', /^a host, as in/],
  ['redis://[]:6379', /^a host, as in/],
  ['redis+cluster://a,,b', /^a host as host 2, as in redis\+cluster/],
  ['redis+sentinel://a,b,/m', /^a host as host 3, as in redis\+sentinel/],
  ['redis://h:', PORT],
  ['redis://h:0', PORT],
  ['redis://h:65536', PORT],
  ['redis://h:-1', PORT],
  ['redis://h:1e3', PORT],
  ['redis://user:password', PORT],
  ['redis://[::1]x', PORT],
  ['redis+cluster://a:1,b:x', /^a port from 1 to 65535 as host 2/],
  ['redis://::1', /^brackets around an IPv6 address/],
  ['redis://::1:6379', /^brackets around an IPv6 address/],
  ['redis://[::1', HOST],
  ['redis://[g::1]:1', HOST],
  ['redis://[::1]x:1', HOST],
  ['redis://256.1.1.1', HOST],
  ['redis://-h-', HOST],
  ['redis://h%20', HOST],
  ['redis://a,b', /^one host; several go with redis\+sentinel:\/\/ and redis\+cluster:\/\/ only$/],
  ['redis://h/x', DATABASE],
  ['redis://h/-1', DATABASE],
  ['redis://h/1.5', DATABASE],
  ['redis://h/65536', DATABASE],
  ['redis://h//', DATABASE],
  ['redis://h/1/2', DATABASE],
  ['redis+sentinel://h/m/x', DATABASE],
  ['redis+sentinel://h/m/1/2', DATABASE],
  ['redis+sentinel://h', MASTER],
  ['redis+sentinel://h/', MASTER],
  ['redis+sentinel://h//0', MASTER],
  ['redis+sentinel://h/my%20master', MASTER],
  ['redis+cluster://h/0', /^nothing after the hosts, because a cluster has no databases$/],
  ['redis://h?db=1', /^no query \(\?\) and no fragment \(#\) in the URL$/],
  ['redis://h/1#x', /^no query/],
  ['redis://u:p@ss@h', ENCODED],
  ['redis://u:p/ss@h', ENCODED],
  ['redis://u:p?ss@h', ENCODED],
  ['redis://u:p#ss@h', ENCODED],
  ['redis://u:100%@h', ENCODED],
  ['redis://%ff:p@h', ENCODED],
  ['redis://u:a b@h', /^no spaces and line ends/],
  ['redis://u:p\n@h', /^no spaces and line ends/],
  ['redis://h\n', /^no spaces and line ends/],
  ['redis://u:\u0000@h', /^no spaces and line ends/],
  [`redis://${'h'.repeat(5000)}`, /^a Redis URL of at most 4096 characters$/],
  [`redis+cluster://${'h,'.repeat(64)}h`, /^at most 64 hosts$/],
];

void t.test('what is no Redis URL is refused with what is expected', async t => {
  for (const [text, expected] of BAD) {
    const parsed = parseRedisUrl(text);
    t.match(parsed, { ok: false, expected }, JSON.stringify(text.slice(0, 40)));
  }
});

void t.test('user and password come back as they were encoded, whatever characters they have', async () => {
  const text = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
  fc.assert(
    fc.property(text, text, (username, password) => {
      const url = `redis://${encodeURIComponent(username)}:${encodeURIComponent(password)}@h`;
      const parsed = parseRedisUrl(url);
      return parsed.ok && parsed.url.username === username && parsed.url.password === password;
    }),
  );
});

void t.test(
  'no text makes it throw, and what it says is expected is the same for every password',
  async () => {
    const piece = fc.constantFrom(...Array.from('@/:#%?[], \n'), '%4', '%zz', '//', 'h', '1', 'ü');
    const scheme = fc.constantFrom(
      ...GOOD.map(([text]) => text.slice(0, text.indexOf('://') + 3)),
      '',
      'x://',
    );
    fc.assert(
      fc.property(scheme, fc.array(piece), fc.array(piece), (start, before, after) => {
        const parsed = parseRedisUrl(`${start}u:${before.join('')}Zq7Zq7${after.join('')}@h`);
        return parsed.ok || !parsed.expected.includes('Zq7');
      }),
      { numRuns: 2000 },
    );
  },
);
