/** Who may ask the admin API, and what wrong requests get. */
import { statSync } from 'node:fs';
import t from 'tap';
import { startAdmin } from '../../harness/admin.ts';

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

void t.test('with a token, TCP needs it everywhere but for health and readiness', async t => {
  const { ask } = await startAdmin(t, { tcp: true, rules: { token: 'secret' } });
  for (const path of ['/api/v1/status', '/api/v1/upstreams', '/api/v1/no-such', '/dashboard/none']) {
    const without = await ask('GET', path);
    t.equal(without.status, 401, path);
    t.equal(without.headers['www-authenticate'], 'Bearer');
    for (const wrong of ['secre', 'secret2', 'SECRET']) {
      t.equal((await ask('GET', path, { headers: bearer(wrong) })).status, 401, `${path} with ${wrong}`);
    }
  }
  for (const path of ['/healthz', '/readyz']) t.equal((await ask('GET', path)).status, 200, path);
  t.equal((await ask('GET', '/api/v1/status', { headers: bearer('secret') })).status, 200);
  t.equal((await ask('GET', '/api/v1/status', { headers: { authorization: 'Basic secret' } })).status, 401);
});

void t.test('a unix socket needs no token, and only its user can open it', async t => {
  const { ask, address } = await startAdmin(t, { rules: { token: 'secret' } });
  t.equal((await ask('GET', '/api/v1/status')).status, 200);
  t.equal(address.kind === 'unix' && statSync(address.path).mode & 0o777, 0o600);
});

void t.test('by TCP the Host must be a name of this machine', async t => {
  const { ask } = await startAdmin(t, { tcp: true, rules: { hosts: ['lb.internal'] } });
  for (const host of [
    '127.0.0.1',
    '127.0.0.1:9090',
    '[::1]:9090',
    'localhost',
    'LOCALHOST:1',
    'Lb.Internal:9090',
  ]) {
    t.equal((await ask('GET', '/api/v1/status', { headers: { host } })).status, 200, host);
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'a@127.0.0.1',
    '[::1',
  ]) {
    t.equal((await ask('GET', '/api/v1/status', { headers: { host } })).status, 403, host);
    t.equal((await ask('GET', '/readyz', { headers: { host } })).status, 200, `${host}: readiness is open`);
  }
});

void t.test('a page of another origin changes nothing', async t => {
  const { ask, address } = await startAdmin(t, { tcp: true });
  const own = address.kind === 'tcp' ? `127.0.0.1:${address.port}` : '';
  const change = (headers: Record<string, string>) => ask('DELETE', '/api/v1/status', { headers });
  t.equal((await change({})).status, 405, 'no browser');
  t.equal((await change({ origin: `http://${own}` })).status, 405, 'a page of its own');
  for (const headers of [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: `https://${own}` },
    { origin: 'http://127.0.0.1:1' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]) {
    t.equal((await change(headers)).status, 403, JSON.stringify(headers));
  }
});

void t.test('what is wrong with a request is named', async t => {
  const { ask } = await startAdmin(t);
  const cases: readonly (readonly [string, string, number, RegExp])[] = [
    ['GET', '/nowhere', 404, /there is nothing at \/nowhere/],
    ['GET', '//evil/api/v1/status', 404, /nothing at/],
    ['POST', '/api/v1/status', 405, /takes GET/],
    ['GET', '/api/v1/status?colour=red', 400, /unknown parameter "colour"; there are none/],
    ['GET', '/api/v1/upstreams/%E0%A4%A', 400, /percent-encoded/],
  ];
  for (const [method, path, status, detail] of cases) {
    const answer = await ask(method, path);
    t.equal(answer.status, status, `${method} ${path}`);
    t.match(answer.json, { status, title: String, detail });
    t.match(answer.headers['content-type'], /^application\/problem\+json/);
  }
  t.equal((await ask('POST', '/api/v1/status')).headers['allow'], 'GET');
});
