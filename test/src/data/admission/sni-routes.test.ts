/** Where a client goes by its name and its protocols. */
import t from 'tap';
import { SniRoutes } from '../../../../src/data/admission/sni-routes.ts';
import type { SniRoute } from '../../../../src/model/hello-plan.ts';

const route = (upstream: string, match: readonly string[], alpn: readonly string[] = []): SniRoute => ({
  ...{ match, alpn, upstream },
});
const finder = (...routes: readonly SniRoute[]) => {
  const found = new SniRoutes(routes, name => name);
  return (serverName?: string, ...alpn: readonly string[]) =>
    found.find({ serverName, alpn, versions: [0x0304] });
};

void t.test('the most specific name decides, whatever the order', t => {
  const routes = [
    route('deep', ['**.example.com']),
    route('one', ['*.example.com']),
    route('exact', ['www.example.com', 'example.net']),
    route('deeper', ['**.eu.example.com']),
  ];
  for (const all of [routes, routes.toReversed()]) {
    const find = finder(...all);
    t.equal(find('www.example.com'), 'exact');
    t.equal(find('example.net'), 'exact');
    t.equal(find('api.example.com'), 'one');
    t.equal(find('eu.example.com'), 'one');
    t.equal(find('a.b.example.com'), 'deep');
    t.equal(find('a.eu.example.com'), 'deeper');
    t.equal(find('a.b.c.eu.example.com'), 'deeper');
    for (const none of ['example.com', 'com', 'wwwexample.com', 'a.example.org', undefined])
      t.equal(find(none), undefined, none ?? 'no name');
  }
  t.end();
});

void t.test('a wildcard has one label', t => {
  const find = finder(route('one', ['*.example.com']));
  t.equal(find('a.example.com'), 'one');
  for (const none of ['example.com', 'a.b.example.com', 'a.example.com.evil.test'])
    t.equal(find(none), undefined, none);
  t.end();
});

void t.test('routes with protocols come first', t => {
  const find = finder(
    route('site', ['a.test']),
    route('any-h2', [], ['h2', 'h3']),
    route('challenge', [], ['acme-tls/1']),
    route('own-challenge', ['b.test'], ['acme-tls/1']),
  );
  t.equal(find('a.test'), 'site');
  t.equal(find('a.test', 'http/1.1'), 'site');
  t.equal(find('a.test', 'http/1.1', 'h2'), 'any-h2');
  t.equal(find('x.test', 'h3'), 'any-h2');
  t.equal(find(undefined, 'h2'), 'any-h2', 'also of a client without a name');
  t.equal(find('a.test', 'acme-tls/1'), 'challenge');
  t.equal(find('b.test', 'acme-tls/1'), 'own-challenge');
  t.equal(find('a.test', 'acme-tls/1', 'h2'), 'any-h2', 'in the order of the configuration');
  t.equal(find('x.test', 'spdy/1'), undefined);
  t.end();
});

void t.test('a protocol without a route for the name leaves it to the others', t => {
  const find = finder(route('h2', ['a.test'], ['h2']), route('plain', ['b.test']));
  t.equal(find('b.test', 'h2'), 'plain');
  t.equal(find('a.test', 'http/1.1'), undefined);
  t.end();
});

void t.test('of two routes for the same clients the first one holds', t => {
  t.equal(finder(route('one', ['*.a.test']), route('two', ['*.a.test']))('x.a.test'), 'one');
  t.equal(finder(route('one', [], ['h2']), route('two', [], ['h2']))(undefined, 'h2'), 'one');
  t.end();
});
