/** Whatever is asked of the admin API, its answer has the form that its OpenAPI document says. */
import { connect } from 'node:net';
import t from 'tap';
import { routes } from '../../../src/admin/routes.ts';
import type { AdminPort } from '../../../src/admin/port.ts';
import type { ReloadReport } from '../../../src/model/reload-report.ts';
import type { UpgradeReport } from '../../../src/model/upgrade-report.ts';
import type { Address } from '../../../src/support/address.ts';
import { portOf, startAdmin, type Answered, type AskOptions } from '../../harness/admin.ts';
import { FakeBalancer, sessionView } from '../../harness/fake-balancer.ts';
import { OpenApiAnswers } from '../../harness/openapi-answers.ts';
import { fc } from '../../harness/properties.ts';
import type { Teardown } from '../../harness/teardown.ts';

const BACKEND = '/api/v1/upstreams/{upstream}/backends/{backend}';
const done: ReloadReport = {
  ...{ ok: true, at: '2026-11-27T08:00:00.000Z', trigger: 'api', dryRun: false, file: 'lb4.yaml' },
  changes: [{ kind: 'added', what: 'upstream', path: ['upstreams', 'b'], text: 'upstream b added' }],
  warnings: [{ text: 'lb4.yaml:1:1  a warning', file: 'lb4.yaml', line: 1, column: 1 }],
};
const failed: ReloadReport = {
  ...{ ok: false, at: done.at, trigger: 'signal', dryRun: false, reason: 'invalid' },
  problems: [{ text: 'it is empty' }],
};
const upgraded: UpgradeReport = { ok: true, pid: 2, version: '0.2.0' };
const upgradeFails = (reason: 'refused' | 'failed'): UpgradeReport => ({
  ...{ ok: false, reason },
  problems: ['why'],
});

async function started(t: Teardown, parts: Partial<AdminPort> = {}) {
  const balancer = new FakeBalancer();
  balancer.running = ['1-a', '1-b', '1-c'].map(id => sessionView(id));
  const admin = await startAdmin(t, { port: portOf(balancer, parts) });
  const document = new OpenApiAnswers((await admin.ask('GET', '/api/v1/openapi.json')).json);
  const seen = new Set<string>();
  /** Asks for a route with these parameters, and holds the answer to the document. */
  const ask = async (method: string, form: string, options: AskOptions & { path?: string } = {}) => {
    const named = form
      .replace('{upstream}', 'app')
      .replace('{backend}', '10.0.0.1:80')
      .replace('{id}', '1-a');
    const answered = await admin.ask(method, options.path ?? named, options);
    seen.add(document.expect(method, form, answered));
    return answered;
  };
  return { ...admin, balancer, document, seen, ask };
}

void t.test('every status that is documented for a route is answered, and in that form', async t => {
  const { ask, balancer, document, seen, address } = await started(t, {
    ...{ reload: () => Promise.resolve(done), upgrade: () => Promise.resolve(upgraded) },
    lastReload: () => failed,
  });
  for (const { method, path } of routes)
    if (method === 'GET' && path !== '/api/v1/events') await ask('GET', path);
  await ask('GET', '/api/v1/upstreams/{upstream}', { path: '/api/v1/upstreams/none' });
  await ask('GET', '/metrics', { path: '/metrics?upstream=none' });
  await ask('GET', '/api/v1/events', { path: '/api/v1/events?upstream=none' });
  await ask('PATCH', BACKEND, { body: { weight: 5, state: 'maint' } });
  await ask('PUT', BACKEND, { body: { weight: 4 } });
  await ask('PUT', BACKEND, { body: { maxSessions: 4 } });
  await ask('PUT', BACKEND, { path: '/api/v1/upstreams/app/backends/b:1', body: { backup: true } });
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE'])
    await ask(method, BACKEND, {
      path: '/api/v1/upstreams/none/backends/b:1',
      ...(method.startsWith('P') ? { body: { weight: 1 } } : {}),
    });
  await ask('DELETE', BACKEND);
  await ask('DELETE', '/api/v1/sessions/{id}');
  await ask('DELETE', '/api/v1/sessions/{id}');
  await ask('DELETE', '/api/v1/sessions', { path: '/api/v1/sessions?client=192.0.2.0/24&limit=1' });
  await ask('POST', '/api/v1/reload');
  await ask('POST', '/api/v1/upgrade', { body: {} });
  await ask('POST', '/api/v1/drain', { body: { timeout: '5s' } });
  balancer.state = 'stopped';
  await ask('PATCH', BACKEND, { path: '/api/v1/upstreams/app/backends/b:1', body: { weight: 1 } });
  await ask('DELETE', BACKEND, { path: '/api/v1/upstreams/app/backends/b:1' });
  balancer.state = 'starting';
  balancer.counters = () => undefined as never;
  for (const path of ['/readyz', '/metrics']) await ask('GET', path);
  await ask('POST', '/api/v1/drain', { body: {} });
  balancer.state = 'running';

  const other = await started(t);
  for (const path of ['/api/v1/reload', '/api/v1/upgrade']) await other.ask('POST', path, { body: {} });
  const bad = await started(t, {
    reload: () => Promise.resolve(failed),
    upgrade: () => Promise.resolve(upgradeFails('refused')),
  });
  for (const path of ['/api/v1/reload', '/api/v1/upgrade']) await bad.ask('POST', path, { body: {} });
  const back = await started(t, { refusal: () => 'leads back to listener web' });
  await back.ask('PUT', BACKEND, { path: '/api/v1/upstreams/app/backends/b:1', body: {} });
  const worse = await started(t, { upgrade: () => Promise.resolve(upgradeFails('failed')) });
  await worse.ask('POST', '/api/v1/upgrade', { body: {} });

  // A stream has no end: only its beginning is looked at. 64 can be followed, and another one is a 503.
  const followers = await Promise.all(Array.from({ length: 64 }, () => begun(t, address)));
  for (const text of followers) t.match(text, /^HTTP\/1.1 200 OK\r\n.*content-type: text\/event-stream/is);
  seen.add('GET /api/v1/events 200');
  await ask('GET', '/api/v1/events');

  const all = new Set([seen, other.seen, bad.seen, back.seen, worse.seen].flatMap(each => [...each]));
  t.same(
    document.all().filter(each => !all.has(each)),
    [],
    'documented, and never answered',
  );
});

/** The beginning of a stream. */
function begun(t: Teardown, address: Address): Promise<string> {
  const socket = connect(address.kind === 'unix' ? { path: address.path } : { ...address });
  t.teardown(() => socket.destroy());
  socket.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return new Promise(resolve => socket.once('data', bytes => resolve(bytes.toString())));
}

/** Values as they stand in bodies, more of those that are nearly right. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    'ready',
    'drain',
    'maint',
    5,
    0,
    257,
    -1,
    1.5,
    true,
    null,
    '5s',
    {},
    [],
    'x'.repeat(9_999),
  ),
  fc.jsonValue(),
);
const key = fc.constantFrom(
  ...[
    'weight',
    'state',
    'maxSessions',
    'backup',
    'ttl',
    'timeout',
    'dryRun',
    '__proto__',
    'constructor',
    '',
    '\u202e',
  ],
);
const body = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.tuple(key, value), { maxLength: 4 }).map(jsonOf) },
  { weight: 1, arbitrary: fc.json() },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '{', '[]', '"', '{"weight":1}x', '{"weight":1,"weight":2}', '\0'),
  },
);
/** Parts of a path and of a query, as clients of other minds send them. */
const part = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('app', '10.0.0.1:80', '1-a') },
  fc.constantFrom('b:1', '__proto__', '..', '%', '%00', '%ff', 'a%2Fb', '%0A', '😀'),
  fc.constantFrom('unix:%2Frun%2Fx', 'unix:@', '[::1]:80', '[::1', ':80', 'a'.repeat(10_000)),
  fc.string({ maxLength: 20 }).map(encodeURIComponent),
);
const query: fc.Arbitrary<[string, string][]> = fc.array(
  fc.tuple(
    fc.constantFrom(
      'upstream',
      'limit',
      'client',
      'olderThan',
      'force',
      'status',
      'recent',
      'exclude',
      '__proto__',
      'x',
    ),
    part,
  ),
  { maxLength: 3 },
);
const request = fc.record({
  // A stream has no end.
  route: fc.constantFrom(
    ...routes
      .filter(({ path }) => path !== '/api/v1/events')
      .map(({ method, path }) => [method, path] as const),
  ),
  parts: fc.oneof(fc.constant(['app', '10.0.0.1:80']), fc.tuple(part, part)),
  query: fc.oneof({ weight: 3, arbitrary: fc.constant<[string, string][]>([]) }, query),
  body: fc.option(body),
  type: fc.constantFrom('application/json', 'application/json', 'text/plain', ''),
});
type Request = typeof request extends fc.Arbitrary<infer Values> ? Values : never;
/** Escapes that are none, with all the rest well: at random they are nearly always refused for something else. */
const MALFORMED = ['%', '%f', '%ff', '%ed%a0%80', '%00'].map((escape): [Request] => [
  {
    ...{ route: ['PATCH', BACKEND], parts: ['app', escape], query: [] },
    ...{ body: '{"weight":4}', type: 'application/json' },
  },
]);

void t.test(
  'whatever is asked, the answer has a documented form, and a refused request changes nothing',
  async t => {
    const { ask, balancer, entries } = await started(t, {
      ...{ reload: () => Promise.resolve(done), upgrade: () => Promise.resolve(upgraded) },
    });
    const state = (): string =>
      JSON.stringify([balancer.snapshot().upstreams, balancer.running.map(({ id }) => id)]);
    const tally = { good: 0, bad: 0 };
    await fc.assert(
      fc.asyncProperty(request, async ({ route, parts, query: asked, body: text, type }) => {
        const [method, form] = route;
        const left = [...parts];
        const path = form.replaceAll(/\{\w+\}/g, () => left.shift() ?? '');
        const params = asked.map(each => each.join('=')).join('&');
        const before = state();
        const options: AskOptions = text === null ? {} : { body: text, headers: { 'content-type': type } };
        // Node sends no other characters in a path; escapes stay as they are, also those that are none.
        const url = encodeURI(params === '' ? path : `${path}?${params}`).replaceAll('%25', '%');
        const answered: Answered = await ask(method, form, { ...options, path: url }).catch(
          (error: unknown) => {
            // A part such as `..` leads to another path: what is not there has no route to be documented at.
            if (isElsewhere(path)) return { status: 404, headers: {}, text: '', json: {} };
            throw error;
          },
        );
        tally[answered.status < 400 ? 'good' : 'bad'] += 1;
        if (answered.status >= 400 && state() !== before)
          throw new Error(`${method} ${url}: it has changed something`);
        if (answered.status >= 500 && answered.status !== 503) throw new Error(answered.text);
        if (answered.status >= 400 && answered.text.length > 1_500)
          throw new Error('it is too long for people');
        if (/\n\s+at /.test(answered.text) || answered.text.length > 2_000_000)
          throw new Error(answered.text);
        balancer.running = ['1-a', '1-b', '1-c'].map(id => sessionView(id));
      }),
      { numRuns: 300 + MALFORMED.length, examples: MALFORMED },
    );
    t.ok(tally.good > 15 && tally.bad > 50, JSON.stringify(tally));
    t.same(
      entries.filter(({ event }) => event !== 'adminChange'),
      [],
      'no defect is in the log',
    );
  },
);

function isElsewhere(path: string): boolean {
  return new URL(`http://lb4${path}`).pathname !== path || path.endsWith('/') || path.includes('//');
}

/** With keys in this order, also `__proto__`, which a mapping of JavaScript has no room for. */
function jsonOf(entries: readonly (readonly [string, unknown])[]): string {
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}:${JSON.stringify(each)}`).join(',')}}`;
}

void t.test('what is no HTTP, and what is too large for it, are problems as well', async t => {
  const { address } = await started(t);
  const cases: readonly (readonly [string, number])[] = [
    ['GARBAGE\r\n\r\n', 400],
    ['GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nxx', 400],
    [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['GET /healthz HTTP/1.1\r\n\r\n', 400],
  ];
  for (const [text, status] of cases) {
    const answer = await said(t, address, text);
    t.match(
      answer,
      new RegExp(`^HTTP/1.1 ${status} .*content-type: application/problem\\+json`, 'is'),
      text.slice(0, 40),
    );
    const [, body = ''] = answer.split('\r\n\r\n');
    t.match(JSON.parse(body), { status, title: String, detail: String });
  }
});

/** Everything that is answered to these bytes. */
function said(t: Teardown, address: Address, bytes: string): Promise<string> {
  const socket = connect(address.kind === 'unix' ? { path: address.path } : { ...address });
  t.teardown(() => socket.destroy());
  socket.write(bytes);
  let text = '';
  socket.on('data', piece => (text += piece.toString()));
  return new Promise(resolve => socket.once('close', () => resolve(text)));
}
