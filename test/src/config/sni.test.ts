/** `sni` of listeners: what is accepted, what is refused, and where it stands. */
import t from 'tap';
import { formatPath } from '../../../src/config/report/issue.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { warningsOf } from '../../../src/config/checks/warnings.ts';

const UPSTREAMS = [
  { name: 'app', backends: ['10.2.2.2:443'] },
  { name: 'api', backends: ['10.2.2.3:443'] },
];
const configOf = (sni: unknown, upstreams: readonly object[] = UPSTREAMS) => ({
  listeners: [{ name: 'web', bind: ':8443', upstream: 'app', sni }],
  upstreams,
});

function sniOf(sni: unknown) {
  const parsed = parseConfig(configOf(sni));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.config.listeners[0]?.sni;
}

/** Places, and the beginnings of what is expected there. */
function issuesOf(sni: unknown): string[] {
  const parsed = parseConfig(configOf(sni));
  return parsed.ok
    ? []
    : parsed.issues.map(
        ({ path, expected }) => `${formatPath(path).replace('listeners[0].sni', '')} ${expected}`,
      );
}

void t.test('a list alone has the defaults of the mapping, and names have one spelling', t => {
  t.strictSame(
    sniOf([
      { match: 'API.Example.com.', upstream: 'api' },
      { alpn: 'acme-tls/1', upstream: 'app' },
    ]),
    {
      routes: [
        { match: ['api.example.com'], upstream: 'api' },
        { alpn: ['acme-tls/1'], upstream: 'app' },
      ],
      others: 'upstream',
      timeout: 5_000,
    },
  );
  t.match(
    sniOf({
      routes: [{ match: ['*.A.test', '**.a.test'], upstream: 'api' }],
      others: 'refuse',
      timeout: '1s',
    }),
    {
      routes: [{ match: ['*.a.test', '**.a.test'] }],
      ...{ others: 'refuse', timeout: 1_000 },
    },
  );
  const once = sniOf([{ match: '*.A.test', alpn: ['h2', 'http/1.1'], upstream: 'api' }]);
  t.strictSame(sniOf(once), once, 'and what is parsed can be parsed again');
  t.equal(sniOf(undefined), undefined);
  t.end();
});

void t.test('names and protocols that no client can send are refused', t => {
  for (const match of [
    '',
    '*',
    '*.',
    '**.',
    'a.*.test',
    '*a.test',
    '***.a',
    '10.0.0.1',
    'bücher.test',
    'a b',
    'a..b',
    '.a',
  ])
    t.match(issuesOf([{ match, upstream: 'api' }]), [/^\[0\]\.match a host name in ASCII/], match);
  for (const alpn of ['', 'h 2', 'é', 'x'.repeat(256)])
    t.match(issuesOf([{ alpn, upstream: 'api' }]), [/^\[0\]\.alpn a protocol/], alpn);
  t.match(issuesOf([{ upstream: 'api' }]), [/^\[0\] a route with match, alpn or both/]);
  t.match(issuesOf([]), [/a list of 1 to 1000 routes/]);
  t.match(issuesOf('a.test'), [/a list of 1 to 1000 routes such as/]);
  t.end();
});

void t.test('an upstream that does not exist is named with its place', t => {
  const routes = [{ match: 'a.test', upstream: 'ap' }];
  t.match(issuesOf(routes), [/^\[0\]\.upstream the name of an upstream \(app, api\)/]);
  t.match(issuesOf({ routes }), [/^\.routes\[0\]\.upstream the name of an upstream/]);
  t.end();
});

void t.test('two routes for the same clients are refused', t => {
  const twice = /each name and protocol in one route only/;
  t.match(issuesOf([{ match: ['a.test', 'A.test.'], upstream: 'api' }]), [twice]);
  t.match(
    issuesOf([
      { match: '*.a.test', upstream: 'api' },
      { match: '*.A.test', upstream: 'app' },
    ]),
    [twice],
  );
  t.match(
    issuesOf([
      { alpn: 'h2', upstream: 'api' },
      { alpn: ['x', 'h2'], upstream: 'app' },
    ]),
    [twice],
  );
  t.same(
    issuesOf([
      { match: 'a.test', upstream: 'api' },
      { match: 'a.test', alpn: 'h2', upstream: 'app' },
      { match: ['*.a.test', '**.a.test'], upstream: 'app' },
      { alpn: 'h2', upstream: 'app' },
    ]),
    [],
  );
  t.end();
});

void t.test('an upstream of a route has clients, and a name as key needs a listener that looks', t => {
  const machine = { addressesOf: () => [], isOwn: () => false, hasInterface: () => true };
  const warned = (sni: unknown, app: object = {}) => {
    const parsed = parseConfig(configOf(sni, [{ ...UPSTREAMS[0], ...app }, UPSTREAMS[1] ?? {}]));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
    return warningsOf(parsed.config, machine).map(({ path }) => formatPath(path));
  };
  const sni = [{ match: 'a.test', upstream: 'api' }];
  t.same(warned(undefined), ['upstreams[1]']);
  t.same(warned(sni), []);
  const keys = { strategy: 'iphash', hashBy: 'sni', sticky: { by: 'sni' } };
  t.same(warned(undefined, keys), ['upstreams[1]', 'upstreams[0].hashBy', 'upstreams[0].sticky.by']);
  t.same(warned(sni, keys), []);
  t.same(warned(undefined, { ...keys, connectWhen: 'tlsHello' }), ['upstreams[1]']);
  t.end();
});
