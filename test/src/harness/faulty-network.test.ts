/** Network faults are what they say, without lb4 in between. */
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import t, { type Test } from 'tap';
import type { Address } from '../../../src/support/address.ts';
import { scripts, startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import {
  addSlowPath,
  BACK_HOST,
  createFaultyNetwork,
  skipWithoutNetworkFaults,
  SLOW_BACK_HOST,
  startFullBackend,
  type FaultyNetwork,
} from '../../harness/faulty-network.ts';
import { pause } from '../../harness/until.ts';

const SILENCE_MS = 200;
const skip = await skipWithoutNetworkFaults();

function echo(t: Test, { back }: FaultyNetwork, host = BACK_HOST) {
  return back.run(() => startBackend(t, scripts.echo, { kind: 'tcp', host, port: 0 }));
}

/** What becomes of a connect from the front within a short time: 'connected', 'timeout' or an error code. */
function tryConnect(t: Test, { front }: FaultyNetwork, address: Address): Promise<string> {
  if (address.kind !== 'tcp') throw new Error('not TCP');
  return front.run(async () => {
    const socket = connect(address);
    t.teardown(() => socket.destroy());
    return new Promise<string>(resolve => {
      socket.once('connect', () => resolve('connected'));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      void pause(SILENCE_MS).then(() => resolve('timeout'));
    });
  });
}

const portOf = (address: Address): number => (address.kind === 'tcp' ? address.port : 0);

void t.test('network faults', { skip }, async t => {
  const network = await createFaultyNetwork(t);
  const { front, back } = network;

  void t.test('the machine itself sees nothing of the namespaces', async t => {
    const { address } = await echo(t, network);
    const hosts = Object.values(networkInterfaces()).flatMap(all => all?.map(({ address }) => address));
    t.notOk(hosts.includes(BACK_HOST));
    const client = await front.run(() => connectClient(t, address));
    await client.send('hello');
    await client.untilText('hello');
  });

  for (const [verdict, expected] of [
    ['drop', 'timeout'],
    ['reject with tcp reset', 'ECONNREFUSED'],
    ['reject with icmpx type host-unreachable', 'EHOSTUNREACH'],
  ] as const) {
    void t.test(`${verdict}: ${expected}, until it is undone, for that port alone`, async t => {
      const [{ address }, other] = [await echo(t, network), await echo(t, network)];
      const undo = await back.filter(portOf(address), verdict);
      t.equal(await tryConnect(t, network, address), expected);
      t.equal(await tryConnect(t, network, other.address), 'connected');
      await undo();
      t.equal(await tryConnect(t, network, address), 'connected');
    });
  }

  void t.test('with the cable pulled nothing arrives and nobody is told; plugged in, it arrives', async t => {
    const { address } = await echo(t, network);
    const client = await front.run(() => connectClient(t, address));
    await network.cable('down');
    t.teardown(() => network.cable('up'));
    await client.send('hello');
    await pause(SILENCE_MS);
    t.equal(client.receivedBytes, 0);
    t.equal(client.ending, undefined);
    await network.cable('up');
    await client.untilText('hello');
  });

  void t.test('a full backlog lets connects hang', async t => {
    const address = await startFullBackend(t, network);
    t.equal(await tryConnect(t, network, address), 'timeout');
  });

  void t.test('a killed connection is a reset for the other side', async t => {
    const backend = await echo(t, network);
    const client = await front.run(() => connectClient(t, backend.address));
    await backend.next();
    t.equal(await back.killConnections('sport', '=', String(portOf(backend.address))), 1);
    t.equal(await client.untilEnded(), 'reset');
  });

  void t.test('with the ports used up a connect fails at once, and works when one is free again', async t => {
    const { address } = await echo(t, network);
    await front.set('ipv4/ip_local_port_range', '50000 50003');
    t.teardown(() => front.set('ipv4/ip_local_port_range', '32768 60999'));
    const clients = await front.run(() => Promise.all([1, 2, 3, 4].map(() => connectClient(t, address))));
    t.equal(await tryConnect(t, network, address), 'EADDRNOTAVAIL');
    clients[0]?.reset();
    t.equal(await tryConnect(t, network, address), 'connected');
  });

  void t.test('the slow path is as slow as it is told, and loses nothing that TCP cannot mend', async t => {
    await addSlowPath(t, network, { delayMs: 20, lossPercent: 2 });
    const { address } = await echo(t, network, SLOW_BACK_HOST);
    const client = await front.run(() => connectClient(t, address));
    const from = performance.now();
    await client.send('?');
    await client.untilText('?');
    const tripMs = performance.now() - from;
    t.ok(tripMs >= 40, `${tripMs} ms there and back`);
    const bytes = randomBytes(100_000);
    await client.send(bytes);
    await client.untilBytes(1 + bytes.length);
    const sent = createHash('sha256').update('?').update(bytes).digest('hex');
    t.equal(client.checksum(), sent);
  });
});
