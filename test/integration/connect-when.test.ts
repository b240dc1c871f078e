/** `connectWhen: firstByte`: a client that says nothing costs no backend anything. */
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput, type SessionRecord } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import { until } from '../harness/until.ts';

type Listener = Partial<ConfigInput['listeners'][number]>;
type ConnectWhen = ConfigInput['upstreams'][number]['connectWhen'];

const PLACES = { workers: DATA_PLANE, ...OWN_THREAD } as const;

for (const [place, dataPlane] of Object.entries(PLACES)) {
  const start = async (t: Test, connectWhen: ConnectWhen, script = scripts.echo, listener: Listener = {}) => {
    const backend = await startBackend(t, script);
    const configOf = (connectWhen: ConnectWhen): ConfigInput => ({
      ...dataPlane,
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', ...listener }],
      upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)], connectWhen }],
    });
    const balancer = createLoadBalancer(configOf(connectWhen));
    t.teardown(() => balancer.stop());
    const records: SessionRecord[] = [];
    balancer.on('session:closed', record => records.push(record));
    await balancer.start();
    const connect = () => connectClient(t, addressOf(balancer));
    const record = async () => {
      await until('it is recorded', () => records.length > 0);
      return records.shift()!;
    };
    const inAdmission = (count: number) =>
      until('they wait', async () => {
        const phases = (await balancer.sessions()).map(({ phase }) => phase);
        return phases.filter(phase => phase === 'admission').length === count;
      });
    const apply = (connectWhen: ConnectWhen) => balancer.apply(configOf(connectWhen));
    return { backend, balancer, connect, record, inAdmission, apply };
  };

  void t.test(`over ${place}`, t => {
    void t.test('the backend is connected to when the client speaks, and gets every byte', async t => {
      const { backend, connect, record, inAdmission } = await start(t, 'firstByte');
      const client = await connect();
      await inAdmission(1);
      t.equal(backend.peers.length, 0);
      await client.send('q');
      await client.untilText('q');
      const long = 'z'.repeat(100_000);
      await client.send(long);
      await client.untilBytes(1 + long.length);
      client.halfClose();
      t.equal(await client.untilEnded(), 'fin');
      t.match(await record(), { reason: 'closed', bytesFromClient: 1 + long.length, attempts: 1 });
      const other = await connect();
      other.socket.end('all at once');
      t.equal(await other.untilEnded(), 'fin');
      t.equal(other.text, 'all at once', 'a client may have finished sending');
    });

    void t.test('one that ends before its first byte never reaches a backend', async t => {
      const { backend, connect, record, inAdmission } = await start(t, 'firstByte');
      const ended = await connect();
      ended.halfClose();
      await ended.untilEnded();
      t.match(await record(), { by: 'client', phase: 'admission', reason: 'closed', attempts: 0 });
      const reset = await connect();
      await inAdmission(1);
      reset.reset();
      t.match(await record(), { by: 'client', phase: 'admission', reason: 'reset', attempts: 0 });
      t.equal(backend.peers.length, 0);
    });

    void t.test('one that is silent for too long is reset', async t => {
      const { backend, connect, record } = await start(t, { when: 'firstByte', timeout: 50 });
      const client = await connect();
      t.equal(await client.untilEnded(), 'reset');
      t.match(await record(), { by: 'balancer', phase: 'admission', reason: 'timeout', attempts: 0 });
      t.equal(backend.peers.length, 0);
    });

    void t.test('a PROXY header is no first byte, and has a time of its own', async t => {
      const acceptProxy = { from: ['127.0.0.0/8'], timeout: 50 };
      const { backend, connect, inAdmission, record } = await start(t, 'firstByte', scripts.echo, {
        acceptProxy,
      });
      const client = await connect();
      await client.send('PROXY TCP4 192.0.2.7 198.51.100.1 51034 443\r\n');
      await inAdmission(1);
      const late = await connect();
      t.equal(await late.untilEnded(), 'reset');
      t.match(await record(), { reason: 'timeout' });
      await inAdmission(1);
      t.equal(backend.peers.length, 0, 'the other one waits on, longer than a header may take');
      await client.send('hello');
      await client.untilText('hello');
      client.reset();
      t.match(await record(), { clientAddress: '192.0.2.7', bytesFromClient: 5 });
      const both = await connect();
      both.socket.end('PROXY TCP4 192.0.2.7 198.51.100.1 51034 443\r\nhello');
      await both.untilEnded();
      t.equal(both.text, 'hello');
    });

    void t.test('a server that speaks first is heard with `now`, which a reload may set', async t => {
      const greet = (peer: Parameters<typeof scripts.echo>[0]): void => void peer.send('220 ready');
      const { connect, inAdmission, apply } = await start(t, 'firstByte', greet);
      const waiting = await connect();
      await inAdmission(1);
      await apply('now');
      const client = await connect();
      await client.untilText('220 ready');
      t.equal(waiting.receivedBytes, 0);
      await waiting.send('EHLO');
      await waiting.untilText('220 ready');
    });
    t.end();
  });
}
