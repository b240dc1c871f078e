/**
 * Backends that register themselves through the admin API of a balancer that runs.
 */
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/source/parse.ts';
import { LoadBalancer } from '../../src/load-balancer.ts';
import { portOf, startAdmin } from '../harness/admin.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { startHttpBackends } from '../harness/http-backend.ts';
import { addressOf } from '../harness/listening-address.ts';
import { keepLoading } from '../harness/paced-sessions.ts';
import { until } from '../harness/until.ts';

const TOKEN = { authorization: 'Bearer secret' };
const PATH = '/api/v1/upstreams/app/backends';
const placesUnderTest = { workers: DATA_PLANE, ...OWN_THREAD };

async function start(t: Test, upstream: object = {}, dataPlane: object = { workers: 0 }) {
  const parsed = parseConfig({
    ...dataPlane,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [{ name: 'app', health: 'off', discovery: [{ type: 'registration' }], ...upstream }],
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  const balancer = new LoadBalancer(parsed.config);
  t.teardown(() => balancer.stop());
  await balancer.start();
  const { ask, entries } = await startAdmin(t, {
    port: portOf(balancer),
    rules: { token: 'secret' },
    tcp: true,
  });
  const put = (backend: string, body: object, headers: Record<string, string> = TOKEN) =>
    ask('PUT', `${PATH}/${backend}`, { body, headers });
  const remove = (backend: string) => ask('DELETE', `${PATH}/${backend}`, { headers: TOKEN });
  const shown = (): string =>
    (balancer.snapshot().upstreams[0]?.backends ?? [])
      .map(({ backend, state }) => `${backend} ${state}`)
      .join(', ');
  return { balancer, put, remove, shown, ask, entries };
}

void t.test('a backend registers, drains when its heartbeats stay away, comes back, and goes', async t => {
  const { put, shown, balancer } = await start(t);
  t.match(await put('10.0.0.1:80', { ttl: '1s', weight: 3 }), {
    status: 201,
    json: { backend: '10.0.0.1:80', weight: 3, state: 'up', sources: ['registration'] },
  });
  t.match(await put('10.0.0.1:80', { ttl: '1s', weight: 3 }), { status: 200 });
  await until('it drains', () => shown() === '10.0.0.1:80 drain');
  t.match(balancer.snapshot().upstreams[0]?.backends[0]?.why, 'its source has not heard of it in time');
  t.match(await put('10.0.0.1:80', { ttl: '1s' }), { status: 200, json: { state: 'up', weight: 1 } });
  await until('it is gone', () => shown() === '');
});

void t.test('only those register that may, as long as they may, and as many as may', async t => {
  const { put, shown, ask } = await start(t, { discovery: [{ type: 'registration', ttl: '10s', max: 2 }] });
  const cases: [answer: Awaited<ReturnType<typeof put>>, status: number, detail: RegExp][] = [
    [await put('10.0.0.1:80', { ttl: '5s' }, {}), 401, /bearer token/],
    [await put('10.0.0.1:80', { ttl: '11s' }), 400, /ttl: expected at most 10s/],
    [await put('10.0.0.1:80', { ttl: '10ms' }), 400, /ttl: expected a duration .* from 1s to 3600s/],
    [await put('nonsense', { ttl: '5s' }), 400, /"nonsense"/],
    [await put(encodeURIComponent('10.0.0.1:80\u001b[2J\nforged'), { ttl: '5s' }), 400, /expected/],
    [await put('x'.repeat(4_000) + ':80', { ttl: '5s' }), 400, /expected/],
    [
      await ask('PUT', '/api/v1/upstreams/none/backends/10.0.0.1:80', {
        body: { ttl: '5s' },
        headers: TOKEN,
      }),
      404,
      /none/,
    ],
  ];
  for (const [answer, status, detail] of cases) t.match(answer, { status, json: { detail } });
  t.equal(shown(), '');
  for (const n of [1, 2]) t.match(await put(`10.0.0.${n}:80`, { ttl: '5s' }), { status: 201 });
  t.match(await put('10.0.0.3:80', { ttl: '5s' }), {
    status: 409,
    json: { detail: /as many registered backends/ },
  });
  t.match(await put('10.0.0.2:80', { ttl: '5s' }), { status: 200 });
  t.equal(shown(), '10.0.0.1:80 up, 10.0.0.2:80 up');
});

void t.test('DELETE takes a registered backend out at once, however often, and it may come back', async t => {
  const { put, remove, shown, balancer } = await start(t, { backends: ['10.0.0.9:80'] });
  for (let i = 0; i < 5; i++) {
    t.match(await put('10.0.0.1:80', { ttl: '5s' }), { status: 201 });
    t.equal(shown(), '10.0.0.9:80 up, 10.0.0.1:80 up');
    t.match(await remove('10.0.0.1:80'), { status: 200 });
    t.equal(shown(), '10.0.0.9:80 up');
  }
  t.same(balancer.snapshot().upstreams[0]?.overrides, []);
  t.match(
    await put('10.0.0.9:80', { ttl: '5s' }),
    { status: 200 },
    'one of the configuration may register, too',
  );
  await remove('10.0.0.9:80');
  t.equal(shown(), '');
  t.match(
    await put('10.0.0.9:80', { ttl: '5s' }),
    { status: 201 },
    'and come back after an operator has removed it',
  );
});

void t.test('without a token of its own the admin API at a TCP address takes no registration', async t => {
  const { balancer } = await start(t);
  const { ask } = await startAdmin(t, { port: portOf(balancer), tcp: true });
  const answer = await ask('PUT', `${PATH}/10.0.0.1:80`, { body: { ttl: '5s' } });
  t.match(answer, { status: 403, json: { detail: /with a token only/ } });
  const { ask: askSocket } = await startAdmin(t, { port: portOf(balancer) });
  t.match(await askSocket('PUT', `${PATH}/10.0.0.1:80`, { body: { ttl: '5s' } }), { status: 201 });
});

for (const [place, dataPlane] of Object.entries(placesUnderTest)) {
  void t.test(`members register and leave at 200 sessions a second, in ${place}: none fails`, async t => {
    const { addresses } = await startHttpBackends(t, ['one', 'two', 'three']);
    const [one = '', ...others] = addresses;
    const { balancer, put, remove } = await start(t, {}, dataPlane);
    await put(one, { ttl: '30s' });
    const load = { ratePerSecond: 200, durationMs: 2_000, answerWithinMs: 10_000 };
    const endLoad = keepLoading(t, { address: addressOf(balancer), ...load });
    const endMs = Date.now() + 2_000;
    while (Date.now() < endMs) {
      for (const each of others) t.match((await put(each, { ttl: '30s' })).status, 201);
      for (const each of others) t.match((await remove(each)).status, 200);
    }
    await endLoad();
    await until('its sessions have ended', () => balancer.snapshot().sessions === 0);
    await until('only one is left', () => balancer.snapshot().upstreams[0]?.backends.length === 1);
  });
}
