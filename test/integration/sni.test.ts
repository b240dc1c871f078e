/** `sni`, `connectWhen: tlsHello`, and names as keys: TLS clients go where their first message says, and it stays whole. */
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput, type SessionRecord } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { helloFor, helloMessage, inRecords, serverName } from '../harness/client-hello.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import { until } from '../harness/until.ts';

type Listener = Partial<ConfigInput['listeners'][number]>;
type Upstream = Partial<ConfigInput['upstreams'][number]>;

const PLACES = { workers: DATA_PLANE, ...OWN_THREAD } as const;
const NAMES = ['app', 'a', 'b', 'acme'] as const;
const ROUTES: NonNullable<Listener['sni']> = [
  { match: ['A.test', 'a.example.com'], upstream: 'a' },
  { match: '*.example.com', upstream: 'b' },
  { alpn: 'acme-tls/1', upstream: 'acme' },
];
const PLAIN = 'GET / HTTP/1.1\r\n\r\n';

for (const [place, dataPlane] of Object.entries(PLACES)) {
  /** Each backend answers with the name of its upstream. */
  const start = async (t: Test, listener: Listener, upstream: Upstream = {}) => {
    const backends = await Promise.all(
      NAMES.map(name => startBackend(t, peer => peer.socket.once('data', () => void peer.send(`<${name}>`)))),
    );
    const configOf = (listener: Listener): ConfigInput => ({
      ...dataPlane,
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', ...listener }],
      upstreams: NAMES.map((name, i) => ({
        ...{ name, health: 'off' as const, backends: [formatAddress(backends[i]!.address)] },
        ...upstream,
      })),
    });
    const balancer = createLoadBalancer(configOf(listener));
    t.teardown(() => balancer.stop());
    const records: SessionRecord[] = [];
    balancer.on('session:closed', record => records.push(record));
    await balancer.start();
    const connect = () => connectClient(t, addressOf(balancer));
    const record = async () => {
      await until('it is recorded', () => records.length > 0);
      return records.shift()!;
    };
    /** Who answers these bytes. */
    const ask = async (...pieces: readonly (Uint8Array | string)[]) => {
      const client = await connect();
      for (const piece of pieces) await client.send(piece);
      await until('it answers or ends', () => client.text.endsWith('>') || client.ending !== undefined);
      const { text, ending } = client;
      client.reset();
      return ending ?? text;
    };
    const apply = (listener: Listener) => balancer.apply(configOf(listener));
    return { backends, balancer, connect, record, ask, apply };
  };

  void t.test(`over ${place}`, t => {
    void t.test('clients go where their names and protocols belong', async t => {
      const { ask, record, backends } = await start(t, { sni: ROUTES });
      t.equal(await ask(helloFor('a.test')), '<a>');
      t.match(await record(), { upstream: 'a', serverName: 'a.test' });
      t.equal(await ask(helloFor('a.example.com', 'h2')), '<a>');
      t.equal(await ask(helloFor('B.example.com.')), '<b>');
      t.equal(await ask(helloFor('a.test', 'acme-tls/1')), '<acme>');
      t.equal(await ask(helloFor('x.b.example.com')), '<app>');
      t.equal(await ask(helloFor(undefined)), '<app>');
      t.equal(await ask(PLAIN), '<app>');
      t.same(backends[1]?.peers[0]?.bytes, helloFor('a.test'), 'as the client has sent it');
    });

    void t.test('a hello may come in many records and pieces, and all of it arrives', async t => {
      const { connect, backends, record } = await start(t, { sni: ROUTES });
      const hello = inRecords(
        helloMessage({ extensions: [[21, Buffer.alloc(300)], serverName('a.test')] }),
        [7],
      );
      const client = await connect();
      for (let at = 0; at < hello.length; at += 50) await client.send(hello.subarray(at, at + 50));
      await client.untilText('<a>');
      t.same(backends[1]?.peers[0]?.bytes, hello);
      client.reset();
      t.match(await record(), { bytesFromClient: hello.length, serverName: 'a.test' });
      const long = inRecords(
        helloMessage({ extensions: [[21, Buffer.alloc(16_000)], serverName('b.example.com')] }),
        [50],
      );
      const other = await connect();
      await other.send(Buffer.concat([long, Buffer.alloc(50_000)]));
      await other.untilText('<b>');
      await until('all has arrived', () => backends[2]?.peers[0]?.receivedBytes === long.length + 50_000);
    });

    void t.test('others may be refused, and the record says which name', async t => {
      const { ask, record, backends, balancer } = await start(t, {
        sni: { routes: ROUTES, others: 'refuse' },
      });
      const refused: unknown[] = [];
      balancer.on('listener:refused', ({ reason }) => refused.push(reason));
      const admission = { by: 'balancer', phase: 'admission', attempts: 0 };
      t.equal(await ask(helloFor('nowhere.test')), 'reset');
      t.match(await record(), { ...admission, reason: 'noRoute', serverName: 'nowhere.test' });
      t.equal(await ask(PLAIN), 'reset');
      t.match(await record(), { ...admission, reason: 'noClientHello', serverName: undefined });
      t.equal(await ask(helloFor('192.0.2.1')), 'reset');
      t.match(await record(), { ...admission, reason: 'badClientHello' });
      t.equal(await ask(helloFor('a.test')), '<a>');
      t.same(refused, ['noRoute', 'noClientHello', 'badClientHello']);
      t.equal(backends[0]?.peers.length, 0);
    });

    void t.test('one that does not finish its hello is reset in time, and reaches no backend', async t => {
      const { connect, record, backends } = await start(t, { sni: { routes: ROUTES, timeout: 50 } });
      for (const bytes of ['', helloFor('a.test').subarray(0, 60)]) {
        const client = await connect();
        await client.send(bytes);
        t.equal(await client.untilEnded(), 'reset');
        t.match(await record(), { by: 'balancer', phase: 'admission', reason: 'timeout', attempts: 0 });
      }
      const ended = await connect();
      ended.socket.end(helloFor('a.test').subarray(0, 60));
      await ended.untilEnded();
      t.match(await record(), { by: 'client', phase: 'admission', reason: 'closed' });
      t.ok(backends.every(({ peers }) => peers.length === 0));
    });

    void t.test('many that never finish their hello leave room for honest clients', async t => {
      const limits = { maxSessions: 20 };
      const { connect, ask, balancer, backends } = await start(t, {
        sni: { routes: ROUTES, timeout: '1m' },
        limits,
      });
      for (let i = 0; i < 40; i++) void (await connect()).send(helloFor('a.test').subarray(0, i + 1));
      await until('they fill the listener', () => balancer.snapshot().listeners[0]?.paused === true);
      t.equal(await ask(helloFor('b.example.com')), '<b>');
      t.equal(backends[1]?.peers.length, 0);
    });

    void t.test('a reload changes routes for the clients that come then', async t => {
      const { connect, ask, apply, balancer } = await start(t, { sni: ROUTES });
      const before = await connect();
      await before.send(helloFor('a.test'));
      await before.untilText('<a>');
      await apply({ sni: [{ match: '**.test', upstream: 'b' }] });
      t.equal(await ask(helloFor('a.test')), '<b>');
      t.equal(await ask(helloFor('a.b.test')), '<b>');
      t.same(balancer.snapshot().listeners[0]?.sni, {
        routes: [{ match: ['**.test'], alpn: [], upstream: 'b' }],
        others: 'upstream',
      });
      await apply({});
      t.equal(await ask(helloFor('a.test')), '<app>');
      t.equal(balancer.snapshot().listeners[0]?.sni, undefined);
      t.equal(before.ending, undefined, 'and the session goes on');
      const [view] = await balancer.sessions({ upstream: 'a' });
      t.match(view, { serverName: 'a.test', phase: 'relay' });
    });

    void t.test('behind a proxy in front the header comes first', async t => {
      const acceptProxy = { from: ['127.0.0.0/8'] };
      const { ask, record, backends } = await start(t, { sni: ROUTES, acceptProxy });
      t.equal(await ask('PROXY TCP4 192.0.2.7 198.51.100.1 51034 443\r\n', helloFor('a.test')), '<a>');
      t.match(await record(), { clientAddress: '192.0.2.7', serverName: 'a.test' });
      t.same(backends[1]?.peers[0]?.bytes, helloFor('a.test'));
    });

    void t.test('connectWhen: tlsHello lets nothing else than TLS through', async t => {
      const { ask, record, backends, connect, balancer } = await start(t, {}, { connectWhen: 'tlsHello' });
      t.equal(await ask(helloFor('anything.test')), '<app>');
      t.match(await record(), { serverName: 'anything.test' });
      t.equal(await ask(PLAIN), 'reset');
      t.match(await record(), { reason: 'noClientHello', attempts: 0 });
      const client = await connect();
      await client.send(helloFor('a.test').subarray(0, 40));
      await until('it waits', async () => {
        const phases = (await balancer.sessions()).map(({ phase }) => phase);
        return phases.length === 1 && phases[0] === 'admission';
      });
      t.equal(backends[0]?.peers.length, 1);
      await client.send(helloFor('a.test').subarray(40));
      await client.untilText('<app>');
    });

    void t.test('a name may be the key of a hash, and of what is remembered', async t => {
      const one = await startBackend(t, scripts.echo);
      const two = await startBackend(t, scripts.echo);
      const three = await startBackend(t, scripts.echo);
      const backends = [one, two, three].map(({ address }) => formatAddress(address));
      const { ask, record } = await start(
        t,
        {},
        { backends, connectWhen: 'tlsHello', strategy: 'iphash', hashBy: 'sni', sticky: { by: 'sni' } },
      );
      const where = async (name: string) => {
        await ask(Buffer.concat([helloFor(name), Buffer.from('>')]));
        return (await record()).backend;
      };
      const names = Array.from({ length: 12 }, (_, i) => `host-${i}.test`);
      const first = [];
      for (const name of names) first.push(await where(name));
      t.ok(new Set(first).size > 1, 'one address, several backends');
      for (const [i, name] of names.entries()) t.equal(await where(name), first[i]);
    });
    t.end();
  });
}
