/** A backend that registers itself at a real admin API. */
import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/source/parse.ts';
import { LoadBalancer } from '../../src/load-balancer.ts';
import { register, type RegisterOptions } from '../../src/register.ts';
import { formatAddress } from '../../src/support/address.ts';
import { portOf, startAdmin } from '../harness/admin.ts';
import { until } from '../harness/until.ts';

async function start(t: Test) {
  const parsed = parseConfig({
    workers: 0,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [{ name: 'app', health: 'off', discovery: [{ type: 'registration' }] }],
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  const balancer = new LoadBalancer(parsed.config);
  t.teardown(() => balancer.stop());
  await balancer.start();
  const shown = (): string =>
    (balancer.snapshot().upstreams[0]?.backends ?? [])
      .map(({ backend, weight }) => `${backend}@${weight}`)
      .join();
  return { balancer, shown };
}

function begin(t: Test, options: Partial<RegisterOptions> & { admin: string }) {
  const reported: string[] = [];
  const registration = register({
    ...{ upstream: 'app', address: '10.0.0.4:80', ttlMs: 1_000 },
    onRegistered: () => reported.push('registered'),
    onFailed: reason => reported.push(reason),
    ...options,
  });
  t.teardown(() => registration.end());
  return { registration, reported };
}

void t.test('a backend registers, stays for longer than its time, and leaves at its end', async t => {
  const { balancer, shown } = await start(t);
  const { url } = await startAdmin(t, { port: portOf(balancer), rules: { token: 'secret' }, tcp: true });
  const { registration, reported } = begin(t, { admin: url, token: () => 'secret', weight: 7 });
  await until('it is registered', () => registration.isRegistered);
  t.equal(shown(), '10.0.0.4:80@7');
  await new Promise(resolve => setTimeout(resolve, 2_200));
  t.match(balancer.snapshot().upstreams[0]?.backends, [{ state: 'up' }], 'heartbeats have come in time');
  await registration.end();
  t.same([shown(), reported, registration.isRegistered], ['', ['registered'], false]);
  await registration.end();
});

void t.test('at the unix socket no token is needed', async t => {
  const { balancer, shown } = await start(t);
  const { address } = await startAdmin(t, { port: portOf(balancer) });
  const { registration } = begin(t, { admin: formatAddress(address) });
  await until('it is registered', () => registration.isRegistered);
  t.equal(shown(), '10.0.0.4:80@1');
});

void t.test('each reason of a failure is reported once, and the end of it', async t => {
  const { balancer } = await start(t);
  const port = portOf(balancer);
  const { url, server } = await startAdmin(t, { port, rules: { token: 'secret' }, tcp: true });
  let token = 'wrong';
  const { registration, reported } = begin(t, { admin: url, token: () => token });
  await until('it is refused', () => reported.length === 1);
  await new Promise(resolve => setTimeout(resolve, 700));
  t.same(reported, ['401: the bearer token is another one']);
  token = 'secret';
  await until('it is registered', () => registration.isRegistered);
  server.close();
  await until('lb4 is gone', () => reported.length === 3);
  t.match(reported, ['401', 'registered', /^(ECONNREFUSED|ECONNRESET)$/]);
});

void t.test('whatever is at the address, nothing is thrown, and the end does not wait for it', async t => {
  const silent = createServer(() => undefined);
  const strange = createServer((_, response) => response.writeHead(500).end('<html>'));
  t.teardown(() => {
    for (const server of [silent, strange]) server.close().closeAllConnections();
  });
  for (const server of [silent, strange])
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const urls = [silent, strange].map(server => {
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  });
  const ended = [...urls, 'http://127.0.0.1:1', 'unix:/nowhere/lb4.sock'].map(async admin => {
    const { registration, reported } = begin(t, { admin });
    await until('it has failed', () => reported.length > 0);
    const startedMs = performance.now();
    await registration.end();
    t.ok(performance.now() - startedMs < 5_000);
    return reported[0];
  });
  t.match(await Promise.all(ended), [
    /^no answer within 0\.3/,
    '500: not the answer of an lb4',
    'ECONNREFUSED',
    'ENOENT',
  ]);
  t.throws(
    () => register({ admin: '127.0.0.1:9090', upstream: 'app', address: 'a:1' }),
    /^admin: expected an address/,
  );
  const { reported } = begin(t, { admin: 'http://127.0.0.1:1', token: () => 'a\nb' });
  await until('it has failed', () => reported.length > 0);
  t.match(reported, [/Invalid character/]);
});
