/** `access` of a listener: who comes in, who does not, and what becomes of them. Clients are addresses of 127.0.0.0/8. */
import { writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  createLoadBalancer,
  type ConfigInput,
  type EventMap,
  type LoadBalancer,
  type SessionRecord,
} from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { silenceOf } from '../../src/linux/silence.ts';
import { Counts, LISTENER } from '../../src/model/counter-view.ts';
import { formatAddress } from '../../src/support/address.ts';
import { socketPath } from '../contracts/engine/fixture.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, ONE_THREAD } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import { Peer } from '../harness/peer.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { pause, until } from '../harness/until.ts';

t.setTimeout(60_000);
const libc = loadLibc();

type Listener = Partial<ConfigInput['listeners'][number]>;

async function start(t: Test, listener: Listener, plane: Partial<ConfigInput> = ONE_THREAD) {
  const backend = await startBackend(t, scripts.echo);
  const folder = temporaryFolder(t);
  const configOf = (changed: Listener): ConfigInput => ({
    ...plane,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', ...changed }],
    upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)] }],
  });
  const balancer = createLoadBalancer(configOf(listener), { baseDir: folder });
  t.teardown(() => balancer.stop());
  const records: SessionRecord[] = [];
  const refused: EventMap['listener:refused'][] = [];
  balancer.on('session:closed', record => records.push(record));
  balancer.on('listener:refused', event => refused.push(event));
  return { backend, balancer, folder, records, refused, configOf };
}

/** From an address of one's own; does not wait for anything. */
function clientFrom(t: Test, balancer: LoadBalancer, localAddress: string): Peer {
  const address = addressOf(balancer);
  const socket = dial({
    host: address.host,
    port: address.port,
    localAddress,
    allowHalfOpen: true,
    noDelay: true,
  });
  t.teardown(() => socket.destroy());
  return new Peer(socket);
}

async function isLetIn(t: Test, balancer: LoadBalancer, address: string): Promise<boolean> {
  const client = clientFrom(t, balancer, address);
  client.send('hello').catch(() => undefined);
  await until('it is answered', () => client.text === 'hello' || client.ending !== undefined);
  const isIn = client.text === 'hello';
  client.reset();
  return isIn;
}

function counted(balancer: LoadBalancer, state: 'refused' | 'dryRun'): number {
  const [listener] = balancer.counters()?.listeners ?? [];
  const series = LISTENER.refused.series.findIndex(([reason, each]) => reason === 'denied' && each === state);
  return listener?.counts instanceof Counts ? listener.counts.of(LISTENER.refused, series) : -1;
}

const PLANES: Readonly<Record<string, Partial<ConfigInput>>> = {
  'no workers': { engine: 'node', workers: 0 },
  'node engine, two workers': { engine: 'node', workers: 2 },
  'epoll engine, two workers': { engine: 'epoll', workers: 2 },
};

for (const [name, plane] of Object.entries(
  DATA_PLANE.engine === undefined ? PLANES : { 'as asked': DATA_PLANE },
)) {
  const skip = plane.workers !== 0 && !libc.ok;
  void t.test(`${name}: the first key that has the client decides`, { skip }, async t => {
    const { backend, balancer, refused, records } = await start(
      t,
      { access: [{ deny: ['127.0.0.66'] }, { allow: ['127.0.0.0/25', '::1'] }, { deny: ['all'] }] },
      plane,
    );
    await balancer.start();
    const asked = ['127.0.0.1', '127.0.0.66', '127.0.0.127', '127.0.0.128'];
    const found: boolean[] = [];
    for (const address of asked) found.push(await isLetIn(t, balancer, address));
    t.same(found, [true, false, true, false]);
    t.equal(backend.peers.length, 2, 'no backend hears of those that are refused');
    t.equal(counted(balancer, 'refused'), 2);
    await until('all is reported', () => refused.reduce((sum, { times }) => sum + times, 0) === 2);
    t.match(refused[0], { listener: 'web', reason: 'denied', dryRun: false, clientAddress: '127.0.0.66' });
    await until('the two sessions have ended', () => records.length === 2);
    t.notOk(
      records.some(({ reason }) => reason === 'denied'),
      'they were no sessions',
    );
  });
}

void t.test('without a match an allow refuses, and denials alone do not', async t => {
  for (const [access, isIn] of [
    [{ allow: ['10.0.0.0/8'] }, false],
    [{ deny: ['10.0.0.0/8'] }, true],
    [{ deny: ['10.0.0.0/8'], allow: 'unix' }, false],
    [{ allow: ['10.0.0.0/8'], deny: 'reset' }, false],
  ] as const) {
    const { balancer } = await start(t, { access });
    await balancer.start();
    t.equal(await isLetIn(t, balancer, '127.0.0.1'), isIn, JSON.stringify(access));
    await balancer.stop();
  }
});

void t.test(
  'behind a trusted proxy the address of its header decides, and the refused session is recorded',
  async t => {
    const { balancer, records, refused } = await start(t, {
      acceptProxy: { from: ['127.0.0.1'] },
      access: { allow: ['192.0.2.0/24'] },
    });
    await balancer.start();
    const through = async (address: string): Promise<Peer> => {
      const client = await connectClient(t, addressOf(balancer));
      await client.send(`PROXY TCP4 ${address} 198.51.100.1 51034 443\r\nhello`);
      return client;
    };
    const friend = await through('192.0.2.7');
    await friend.untilText('hello');
    const stranger = await through('203.0.113.7');
    t.equal(await stranger.untilEnded(), 'reset');
    t.equal(await isLetIn(t, balancer, '127.0.0.2'), false, 'who is no proxy is judged by its own address');
    await until('it is recorded', () => records.length > 0);
    t.match(records, [
      { clientAddress: '203.0.113.7', by: 'balancer', phase: 'admission', reason: 'denied' },
    ]);
    t.match(refused[0], { clientAddress: '203.0.113.7', reason: 'denied' });
  },
);

void t.test('clients of unix sockets are unix, and no network has them', async t => {
  const path = socketPath(t);
  for (const [allow, isIn] of [
    [['unix'], true],
    [['0.0.0.0/0', '::/0'], false],
    [['all'], true],
  ] as const) {
    const { balancer } = await start(t, { bind: `unix:${path}`, access: { allow } });
    await balancer.start();
    const client = await connectClient(t, { kind: 'unix', path });
    client.send('hello').catch(() => undefined);
    await until('it is answered', () => client.text === 'hello' || client.ending !== undefined);
    t.equal(client.text === 'hello', isIn, allow.join());
    await balancer.stop();
  }
});

void t.test(
  'a file is read again with each configuration; a bad one changes nothing and is named',
  async t => {
    const { balancer, folder, configOf } = await start(t, {});
    const file = join(folder, 'friends.txt');
    const listener: Listener = { access: { allow: ['file:friends.txt'] } };
    await t.rejects(balancer.apply(configOf(listener)), { code: 'LB4_WRONG_STATE' });
    writeFileSync(file, '127.0.0.5\n');
    await balancer.start();
    await balancer.apply(configOf(listener));
    const whoIsIn = async (): Promise<string[]> => {
      const all: string[] = [];
      for (const address of ['127.0.0.5', '127.0.0.6'])
        if (await isLetIn(t, balancer, address)) all.push(address);
      return all;
    };
    t.same(await whoIsIn(), ['127.0.0.5']);
    writeFileSync(file, '127.0.0.6\n');
    await balancer.apply(configOf(listener));
    t.same(await whoIsIn(), ['127.0.0.6']);
    writeFileSync(file, `${'127.0.0.5\n'.repeat(40_000)}127.0.0.500\n`);
    await t.rejects(balancer.apply(configOf(listener)), {
      code: 'LB4_CONFIG_INVALID',
      message: `friends.txt (line 40001: 127.0.0.500 is no network)`,
    });
    t.same(await whoIsIn(), ['127.0.0.6'], 'the list before is in force');
  },
);

void t.test('a start with a file that is missing fails, with the key and the path', async t => {
  const { balancer, folder } = await start(t, {
    access: [{ deny: ['all'] }, { allow: ['10.0.0.1', 'file:none'] }],
  });
  await t.rejects(balancer.start(), {
    code: 'LB4_CONFIG_INVALID',
    message: `listeners[0].access[1].allow[1]: expected a file with a network, an IP address, all or unix on each line, got ${folder}/none (ENOENT)`,
  });
});

void t.test('a dry run lets clients in, and counts those that it would have refused', async t => {
  const { balancer, refused } = await start(t, { access: { deny: ['127.0.0.9'] }, dryRun: true });
  await balancer.start();
  t.same([await isLetIn(t, balancer, '127.0.0.9'), await isLetIn(t, balancer, '127.0.0.8')], [true, true]);
  t.same([counted(balancer, 'refused'), counted(balancer, 'dryRun')], [0, 1]);
  await until('it is reported', () => refused.length > 0);
  t.match(refused, [{ clientAddress: '127.0.0.9', dryRun: true, times: 1 }]);
});

const silence = libc.ok ? silenceOf(libc.libc) : undefined;
for (const engine of ['node', 'epoll'] as const) {
  const skip = silence !== 'full' || (DATA_PLANE.engine !== undefined && DATA_PLANE.engine !== engine);
  void t.test(`${engine} engine: a client that is dropped gets no answer`, { skip }, async t => {
    const answers: unknown[] = [];
    const { balancer } = await start(t, { access: { deny: 'drop' } }, { engine, workers: 1 });
    balancer.on('listener:answersDenied', event => answers.push(event));
    await balancer.start();
    const client = clientFrom(t, balancer, '127.0.0.1');
    await until('it is refused', () => counted(balancer, 'refused') === 1);
    await pause(100);
    t.equal(client.ending, undefined);
    await client.send('hello').catch(() => undefined);
    t.equal(await client.untilEnded(), 'reset', 'what it sends then meets no connection');
    t.same(answers, [], 'and nothing is wanting');
  });
}

void t.test(
  'where the system does not allow silence, the start says so',
  { skip: libc.ok && silence === 'full' },
  async t => {
    const answers: unknown[] = [];
    const { balancer } = await start(t, { access: { deny: ['127.0.0.1'] }, whenDenied: 'drop' });
    balancer.on('listener:answersDenied', event => answers.push(event));
    await balancer.start();
    t.match(answers, [{ listener: 'web' }]);
  },
);
