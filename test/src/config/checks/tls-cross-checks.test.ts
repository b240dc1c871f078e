/** Keys of `tls` that need or exclude others. */
import t from 'tap';
import { formatPath } from '../../../../src/config/report/issue.ts';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import '../../../harness/run-once.ts';

function issuesOf(listener: object, upstream: object = {}): string[] {
  const parsed = parseConfig({
    listeners: [{ name: 'web', bind: ':0', upstream: 'app', ...listener }],
    upstreams: [{ name: 'app', backends: ['a.test:1'], ...upstream }],
  });
  return parsed.ok ? [] : parsed.issues.map(({ path, expected }) => `${formatPath(path)}: ${expected}`);
}

const pair = { cert: 'c.pem', key: 'k.pem' };

void t.test('a listener with tls', async t => {
  t.same(issuesOf({ tls: pair }), []);
  t.same(issuesOf({ tls: { certificates: [pair], clientCa: 'ca.pem', clientCert: 'optional' } }), []);
  t.same(issuesOf({ tls: {} }), ['listeners[0].tls: cert and key, or certificates']);
  t.same(issuesOf({ tls: { cert: 'c.pem' } }), ['listeners[0].tls.cert: cert together with key']);
  t.same(issuesOf({ tls: { key: 'k.pem' } }), ['listeners[0].tls.key: key together with cert']);
  t.same(issuesOf({ tls: { certificates: [pair], ocsp: 'o.der' } }), [
    'listeners[0].tls.ocsp: no ocsp without cert',
  ]);
  t.same(issuesOf({ tls: { ...pair, clientCert: 'required' } }), [
    'listeners[0].tls.clientCert: no clientCert without clientCa',
  ]);
  t.match(issuesOf({ tls: pair, sni: [{ match: 'a.test', upstream: 'app' }] }), [
    /^listeners\[0\]\.tls: no tls together with sni/,
  ]);
  t.match(issuesOf({ tls: { ...pair, timeout: '2m' } }), [/a duration from 100ms to 1m/]);
});

void t.test('an upstream with tls', async t => {
  t.same(issuesOf({}, { tls: true, pool: { warm: 2 } }), []);
  t.same(issuesOf({}, { tls: false, pool: { reuse: true } }), []);
  t.same(issuesOf({}, { tls: true, pool: { reuse: true } }), ['upstreams[0].pool.reuse: no reuse with tls']);
  t.match(issuesOf({}, { tls: {}, sendProxy: 'v2', pool: { warm: 1 } }), [
    /^upstreams\[0\]\.pool\.warm: no spare connections with sendProxy and tls/,
  ]);
  t.same(issuesOf({}, { tls: { cert: 'c.pem' } }), ['upstreams[0].tls.cert: cert together with key']);
  t.match(issuesOf({}, { tls: { serverName: 'a b' } }), [/^upstreams\[0\]\.tls\.serverName: a host such as/]);
});
