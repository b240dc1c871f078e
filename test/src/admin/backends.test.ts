/** Changes of backends through the admin API: each takes effect, is logged with what was before, or changes nothing. */
import t from 'tap';
import { backend as backendSchema } from '../../../src/admin/schemas.ts';
import { portOf, startAdmin } from '../../harness/admin.ts';
import { backendView, FakeBalancer } from '../../harness/fake-balancer.ts';
import { fc } from '../../harness/properties.ts';
import type { Teardown } from '../../harness/teardown.ts';

const APP = '/api/v1/upstreams/app/backends';

async function started(t: Teardown, tcp = false) {
  const balancer = new FakeBalancer();
  const admin = await startAdmin(t, { port: portOf(balancer), tcp });
  return { balancer, ...admin, backends: () => balancer.snapshot().upstreams[0]?.backends ?? [] };
}

void t.test('PATCH sets a weight and a state, and logs what they were, and by which way', async t => {
  const { ask, entries } = await started(t);
  const answer = await ask('PATCH', `${APP}/10.0.0.1:80`, { body: { weight: 5, state: 'drain' } });
  t.equal(answer.status, 200);
  t.match(answer.json, { backend: '10.0.0.1:80', weight: 5, operator: 'drain', takesSessions: false });
  t.ok(backendSchema.parse(answer.json));
  t.match(entries, [
    { event: 'adminChange', fields: { what: 'state', before: 'ready', after: 'drain', via: 'socket' } },
    { event: 'adminChange', fields: { what: 'weight', before: 1, after: 5, upstream: 'app' } },
  ]);
});

void t.test(
  'a change is answered when all workers follow it, or one has stood still for a second',
  async t => {
    const { balancer, ask } = await started(t);
    let settle: () => void = () => undefined;
    balancer.settled = () => new Promise(resolve => (settle = resolve));
    let isAnswered = false;
    const asking = ask('PATCH', `${APP}/10.0.0.1:80`, { body: { weight: 5 } }).then(
      () => (isAnswered = true),
    );
    // Other requests come and go meanwhile.
    while ((await ask('GET', `${APP}/10.0.0.1:80`)).json['weight'] !== 5);
    t.notOk(isAnswered);
    settle();
    await asking;
    const { status } = await ask('PATCH', `${APP}/10.0.0.1:80`, { body: { weight: 6 } });
    t.equal(status, 200, 'a worker never settles');
  },
);

void t.test('a change by TCP is logged with its address', async t => {
  const { ask, entries } = await started(t, true);
  await ask('PATCH', `${APP}/10.0.0.1:80`, { body: { weight: 5 } });
  t.match(entries[0], {
    message: /weight 1 → 5 \(from 127.0.0.1\)$/,
    fields: { via: 'address', address: '127.0.0.1' },
  });
});

void t.test('an address may be percent-encoded, or written in another way', async t => {
  const { ask, balancer, backends } = await started(t);
  balancer.upstreams.get('app')?.set('unix:/run/a b.sock', backendView('unix:/run/a b.sock'));
  balancer.upstreams.get('app')?.set('[::1]:80', backendView('[::1]:80'));
  const others = [
    '10.0.0.1%3A80',
    encodeURIComponent('unix:/run/a b.sock'),
    encodeURIComponent('[0:0::1]:80'),
  ];
  for (const [index, path] of others.entries()) {
    const { status } = await ask('PATCH', `${APP}/${path}`, { body: { weight: 40 + index } });
    t.equal(status, 200, path);
  }
  t.same(
    backends().map(({ weight }) => weight),
    [40, 1, 41, 42],
  );
});

void t.test(
  'PUT adds a backend once; repeated it changes nothing, and with another weight the weight',
  async t => {
    const { ask, entries, backends } = await started(t);
    const put = (body?: object) => ask('PUT', `${APP}/10.0.0.3:80`, body === undefined ? {} : { body });
    t.equal((await put({ weight: 2, maxSessions: 10 })).status, 201);
    t.equal((await put({ weight: 2, maxSessions: 10 })).status, 200);
    t.equal((await put()).status, 200);
    t.equal(entries.length, 1);
    t.match((await put({ weight: 3 })).json, { backend: '10.0.0.3:80', weight: 3, maxSessions: 10 });
    const other = await put({ maxSessions: 11 });
    t.same([other.status, backends().length], [409, 3]);
    t.match(other.json['detail'], /maxSessions of a backend that is there cannot be changed \(it is 10\)/);
  },
);

void t.test('a ttl needs a registration source, and adds nothing without one', async t => {
  const { ask, backends } = await started(t);
  const { status, json } = await ask('PUT', `${APP}/10.0.0.3:80`, { body: { ttl: '15s' } });
  t.same([status, backends().length], [409, 2]);
  t.match(json['detail'], /no discovery source of type registration/);
});

void t.test('DELETE removes a backend, and with force its sessions, too', async t => {
  const { ask, entries, backends, balancer } = await started(t);
  balancer.upstreams.get('app')?.set('10.0.0.1:80', backendView('10.0.0.1:80', { sessions: 3 }));
  const resets: boolean[] = [];
  const remove = balancer.removeBackend.bind(balancer);
  balancer.removeBackend = (upstream, backend, options?: { resetSessions: boolean }) => {
    resets.push(options?.resetSessions === true);
    remove(upstream, backend);
  };
  t.same((await ask('DELETE', `${APP}/10.0.0.1:80`)).json, {
    upstream: 'app',
    backend: '10.0.0.1:80',
    sessions: 3,
  });
  t.equal((await ask('DELETE', `${APP}/10.0.0.2:80?force`)).status, 200);
  t.same([resets, backends().length], [[false, true], 0]);
  t.match(
    entries.map(({ message }) => message),
    [/removed, with 3 sessions/, /removed, its sessions reset/],
  );
  t.equal((await ask('DELETE', `${APP}/10.0.0.1:80`)).status, 404);
});

void t.test('what does not exist, is out of range, or cannot be now, is refused and named', async t => {
  const { ask, balancer, entries, backends } = await started(t);
  const before = JSON.stringify(backends());
  const one = `${APP}/10.0.0.1:80`;
  const cases: readonly (readonly [string, string, unknown, number, RegExp])[] = [
    ['PATCH', one, { weight: 257 }, 400, /weight: expected an integer from 0 to 256/],
    ['PATCH', one, { weight: -1 }, 400, /integer from 0/],
    ['PATCH', one, { weight: 1.5 }, 400, /integer/],
    ['PATCH', one, { weight: '5' }, 400, /integer/],
    ['PATCH', one, { state: 'off' }, 400, /state: expected one of ready, drain, maint/],
    ['PATCH', one, { state: 'drain', wieght: 5 }, 400, /unknown key "wieght"; there are state, weight/],
    ['PATCH', one, {}, 400, /expected a state or a weight/],
    ['PATCH', one, undefined, 400, /expected a state or a weight/],
    ['PATCH', one, '[]', 400, /expected/],
    ['PATCH', one, 'null', 400, /expected/],
    ['PATCH', one, '{"weight": 5', 400, /not JSON/],
    ['PATCH', one, '{"__proto__": {"weight": 5}}', 400, /./],
    ['PATCH', `${APP}/10.0.0.9:80`, { weight: 5 }, 404, /upstream app has no backend 10.0.0.9:80/],
    ['PATCH', '/api/v1/upstreams/ap/backends/10.0.0.1:80', { weight: 5 }, 404, /"ap"; there are app/],
    ['PUT', '/api/v1/upstreams/ap/backends/10.0.0.1:80', {}, 404, /"ap"/],
    ['PUT', `${APP}/nonsense`, {}, 400, /expected/],
    ['PUT', `${APP}/10.0.0.1:99999`, {}, 400, /expected/],
    ['DELETE', `${one}?force=perhaps`, undefined, 400, /force: expected true or false/],
    ['DELETE', `${one}?force&force`, undefined, 400, /given twice/],
    ['DELETE', one, { force: true }, 400, /takes no body/],
    ['GET', `${APP}/10.0.0.9:80`, undefined, 404, /no backend/],
  ];
  for (const [method, path, body, status, detail] of cases) {
    const answer = await ask(method, path, { body });
    t.match(answer, { status, json: { status, detail } }, `${method} ${path} ${JSON.stringify(body)}`);
  }
  const form = await ask('PATCH', one, { body: 'weight=5', headers: { 'content-type': 'text/plain' } });
  t.equal(form.status, 415);
  balancer.state = 'stopped';
  t.equal((await ask('PATCH', one, { body: { weight: 5 } })).status, 409);
  t.same([JSON.stringify(backends()), entries.length], [before, 0]);
});

void t.test('whatever a body is, the answer is a change or a problem, never a defect', async t => {
  const { ask, entries, backends } = await started(t);
  const key = fc.constantFrom(
    'weight',
    'state',
    'maxSessions',
    'backup',
    'ttl',
    '__proto__',
    'constructor',
    '',
  );
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('drain', 'ready', '5s', 5, 0, 256));
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    fc.dictionary(key, value).map(each => JSON.stringify(each)),
  );
  const method = fc.constantFrom('PATCH', 'PUT');
  const address = fc.oneof(fc.constantFrom('10.0.0.1:80', '10.0.0.9:80'), fc.string({ minLength: 1 }));
  await fc.assert(
    fc.asyncProperty(method, address, body, async (verb, where, text) => {
      const before = JSON.stringify(backends());
      const { status, json } = await ask(verb, `${APP}/${encodeURIComponent(where)}`, { body: text });
      if (status === 200 || status === 201) return backendSchema.safeParse(json).success;
      const isProblem =
        typeof json['detail'] === 'string' && json['detail'] !== '' && json['status'] === status;
      return isProblem && status >= 400 && status < 500 && JSON.stringify(backends()) === before;
    }),
    { numRuns: 300 },
  );
  t.same(
    entries.filter(({ event }) => event === 'adminFailed'),
    [],
  );
});
