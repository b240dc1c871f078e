/**
 * What the network does to sessions, and what lb4 makes of it: lb4 in one network namespace, its backends in another
 * one, and the kernel's own means of losing, refusing and cutting between them.
 */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { ONE_THREAD } from '../harness/data-plane.ts';
import { startBackendProcess } from '../harness/faulty-backends.ts';
import {
  addSlowPath,
  BACK_HOST,
  createFaultyNetwork,
  FRONT_HOST,
  skipWithoutNetworkFaults,
  SLOW_BACK_HOST,
  startFullBackend,
} from '../harness/faulty-network.ts';
import { startLb4, type LogLine } from '../harness/lb4-process.ts';
import type { NetworkNamespace } from '../harness/network-namespace.ts';
import type { Peer } from '../harness/peer.ts';
import { pause, until } from '../harness/until.ts';

type UpstreamInput = ConfigInput['upstreams'][number];

/** Eleven processes are started, one after the other; that takes its time on a busy machine. */
const timeout = 120_000;
t.setTimeout(timeout);
const skip = await skipWithoutNetworkFaults();

void t.test('network faults', { skip, timeout }, async t => {
  const network = await createFaultyNetwork(t);
  const { front, back } = network;

  void t.test(
    'a backend behind a DROP: every client is served by another one, after connect.timeout',
    async t => {
      const lost = await echo(t);
      const others = [await echo(t), await echo(t)];
      await back.filter(portOf(lost), 'drop');
      const lb4 = await start(t, [lost, ...others], { connect: { timeout: '250ms' } });
      const sessions = await serveClients(t, lb4, 9);
      t.ok(sessions.every(({ backend }) => backend !== formatAddress(lost)));
      const redispatched = sessions.filter(({ attempts }) => attempts === 2);
      t.ok(redispatched.length > 0, `${redispatched.length} had a second attempt`);
      for (const { durationMs } of redispatched)
        t.ok(Number(durationMs) >= 245 && Number(durationMs) < 5_000, `${Number(durationMs)} ms`);
      t.match(await lb4.line(isFailure), { backend: formatAddress(lost), reason: 'timeout' });
    },
  );

  for (const [verdict, reason] of [
    ['reject with tcp reset', 'refused'],
    ['reject with icmpx type host-unreachable', 'unreachable'],
  ] as const) {
    void t.test(`a backend behind a ${verdict}: on another one at once`, async t => {
      const [bad, good] = [await echo(t), await echo(t)];
      await back.filter(portOf(bad), verdict);
      const lb4 = await start(t, [bad, good], { connect: { timeout: '60s' } });
      const sessions = await serveClients(t, lb4, 6);
      t.ok(sessions.every(({ backend }) => backend === formatAddress(good)));
      t.ok(
        sessions.some(({ attempts }) => attempts === 2),
        'some had a second attempt',
      );
      t.match(await lb4.line(isFailure), { backend: formatAddress(bad), reason });
    });

    void t.test(`every backend behind a ${verdict}: the access log says ${reason}`, async t => {
      const backends = [await echo(t), await echo(t)];
      for (const each of backends) await back.filter(portOf(each), verdict);
      const lb4 = await start(t, backends, { connect: { timeout: '60s' } });
      t.equal(await endingOf(front, t, lb4), 'reset');
      t.match(await lb4.line(isSession), { by: 'backend', phase: 'connect', reason, attempts: 2 });
    });
  }

  void t.test('a cable pulled in mid-session: idle ends it, and the backend is well again later', async t => {
    const backend = await echo(t);
    const lb4 = await start(
      t,
      [backend],
      { health: { type: 'tcp', interval: '200ms', timeout: '200ms', rise: 1, fall: 1 }, panicBelow: 'off' },
      '500ms',
    );
    const client = await talk(t, lb4);
    t.teardown(() => network.cable('up'));
    await network.cable('down');
    await client.send('into the void');
    t.equal(await client.untilEnded(), 'reset');
    t.match(await lb4.line(isSession), { by: 'balancer', phase: 'relay', reason: 'idle' });
    await lb4.line(({ event }) => event === 'backendDown');
    const before = lb4.lines.length;
    await network.cable('up');
    await until('the backend is up', () =>
      lb4.lines.slice(before).some(({ event }) => event === 'backendUp'),
    );
    t.equal((await talkOnceServed(t, lb4)).text, 'hello');
  });

  void t.test('a backend that is stopped: connected, no answer, ended after timeouts.idle', async t => {
    const stopped = await back.run(() => startBackendProcess(t, { stopped: 'serve' }, { host: BACK_HOST }));
    stopped.stop();
    const [backend] = stopped.backends;
    const lb4 = await start(t, [backend!.address], {}, '400ms');
    const client = await front.run(() => connectClient(t, lb4.where));
    await client.send('GET / HTTP/1.1\r\n\r\n');
    t.equal(await client.untilEnded(), 'reset');
    t.equal(client.receivedBytes, 0);
    const session = await lb4.line(isSession);
    t.match(session, { by: 'balancer', phase: 'relay', reason: 'idle', attempts: 1 });
    t.ok(Number(session['durationMs']) >= 390, `${Number(session['durationMs'])} ms`);
  });

  void t.test('a backend with a full backlog: connect.timeout, then another one', async t => {
    const [full, good] = [await startFullBackend(t, network), await echo(t)];
    const lb4 = await start(t, [full, good], { connect: { timeout: '250ms' } });
    const sessions = await serveClients(t, lb4, 6);
    t.ok(sessions.every(({ backend }) => backend === formatAddress(good)));
    t.match(await lb4.line(isFailure), { backend: formatAddress(full), reason: 'timeout' });
  });

  void t.test('no ports left: no backend is blamed, and service resumes by itself', async t => {
    const backends = [await echo(t), await echo(t)];
    const lb4 = await start(t, backends, {
      health: { type: 'tcp', interval: '100ms', timeout: '100ms', fall: 2 },
      ejection: { failures: 3 },
    });
    const portsAgain = (): Promise<void> => front.set('ipv4/ip_local_port_range', '32768 60999');
    t.teardown(portsAgain);
    await front.set('ipv4/ip_local_port_range', '50000 50003');
    for (const each of backends) await takeAllPorts(t, each);
    // Nothing tells of a health check that could not be made; this is time for five.
    await pause(500);
    // Clients come from where there are ports.
    for (let i = 0; i < 6; i++) t.equal(await endingOf(back, t, lb4), 'reset');
    const ended = await sessionsOf(lb4, 6);
    t.comment(`the access log says ${[...new Set(ended.map(({ reason }) => String(reason)))].join(', ')}`);
    await portsAgain();
    t.equal((await talk(t, lb4)).text, 'hello');
    const blamed = lb4.lines.filter(({ event }) => event === 'backendDown' || event === 'backendEjected');
    t.same(blamed, []);
  });

  void t.test('a connection to a backend that is killed: the client gets a reset', async t => {
    const backend = await echo(t);
    const lb4 = await start(t, [backend]);
    const client = await talk(t, lb4);
    t.equal(await back.killConnections('sport', '=', String(portOf(backend))), 1);
    t.equal(await client.untilEnded(), 'reset');
    t.match(await lb4.line(isSession), { by: 'backend', phase: 'relay', reason: 'reset' });
  });

  void t.test('100 ms there and back with 2 % of the packets lost: 1 MB each way, byte for byte', async t => {
    // Large packets, so that the losses of a megabyte are mended within seconds.
    await addSlowPath(t, network, { delayMs: 50, lossPercent: 2, mtuBytes: 9_000 });
    const lb4 = await start(t, [await echo(t, SLOW_BACK_HOST)]);
    const client = await front.run(() => connectClient(t, lb4.where));
    const bytes = randomBytes(1_000_000);
    const from = performance.now();
    await client.send(bytes);
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.comment(`took ${Math.round(performance.now() - from)} ms`);
    t.equal(client.receivedBytes, bytes.length);
    t.equal(client.checksum(), createHash('sha256').update(bytes).digest('hex'));
    t.match(await lb4.line(isSession), {
      reason: 'closed',
      bytesFromClient: 1_000_000,
      bytesFromBackend: 1_000_000,
    });
  });

  async function echo(t: Test, host = BACK_HOST): Promise<Address> {
    return (await back.run(() => startBackend(t, scripts.echo, { kind: 'tcp', host, port: 0 }))).address;
  }

  /** Starts lb4 in front of backends, without health checks unless `upstream` has some. */
  async function start(
    t: Test,
    backends: readonly Address[],
    upstream: Partial<UpstreamInput> = {},
    idle = '60s',
  ) {
    // One thread starts fastest, and sends its clients round all backends for certain.
    const config: ConfigInput = {
      ...ONE_THREAD,
      listeners: [{ name: 'in', bind: `${FRONT_HOST}:0`, upstream: 'all', timeouts: { idle } }],
      upstreams: [
        {
          name: 'all',
          strategy: 'roundrobin',
          health: 'off',
          backends: backends.map(formatAddress),
          ...upstream,
        },
      ],
      log: { access: true },
    };
    const file = join(t.testdir({}), 'lb4.json');
    writeFileSync(file, JSON.stringify(config));
    const lb4 = await front.run(() => startLb4(t, ['-c', file]));
    return { ...lb4, where: { kind: 'tcp', host: lb4.host, port: lb4.port } as const };
  }

  type Lb4 = Awaited<ReturnType<typeof start>>;

  /** Connects to a backend from lb4's side until that is no longer possible. */
  async function takeAllPorts(t: Test, address: Address): Promise<void> {
    for (;;) {
      try {
        await front.run(() => connectClient(t, address));
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EADDRNOTAVAIL') return;
        throw error;
      }
    }
  }

  /** A client that has been answered. */
  async function talk(t: Test, { where }: Lb4): Promise<Peer> {
    const client = await front.run(() => connectClient(t, where));
    await client.send('hello');
    await client.untilText('hello');
    return client;
  }

  /** The same as soon as there is an answer: workers hear a moment later of what the log tells, and refuse till then. */
  async function talkOnceServed(t: Test, { where }: Lb4): Promise<Peer> {
    for (;;) {
      const client = await front.run(() => connectClient(t, where)).catch(() => undefined);
      if (client === undefined) continue;
      void client.send('hello');
      await until('there is an answer or none', () => client.text === 'hello' || client.ending !== undefined);
      if (client.text === 'hello') return client;
    }
  }

  /** How a client ends that says nothing; the reset may come before its own system has told it that it is connected. */
  async function endingOf(where: NetworkNamespace, t: Test, lb4: Lb4): Promise<string> {
    try {
      const client = await where.run(() => connectClient(t, lb4.where));
      return await client.untilEnded();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return 'reset';
      throw error;
    }
  }

  /** So many clients at a time say something, hear it and end; resolves to their sessions in the access log. */
  async function serveClients(t: Test, lb4: Lb4, count: number): Promise<readonly LogLine[]> {
    const names = Array.from({ length: count }, (_, i) => `client ${i}`);
    const clients = await front.run(() => Promise.all(names.map(() => connectClient(t, lb4.where))));
    await Promise.all(
      clients.map(async (client, i) => {
        await client.send(names[i]!);
        client.halfClose();
        t.equal(await client.untilEnded(), 'fin');
        t.equal(client.text, names[i]);
      }),
    );
    return sessionsOf(lb4, count);
  }
});

async function sessionsOf(
  lb4: { readonly lines: readonly LogLine[] },
  count: number,
): Promise<readonly LogLine[]> {
  await until(`${count} sessions are logged`, () => lb4.lines.filter(isSession).length >= count);
  return lb4.lines.filter(isSession);
}

function isSession({ event }: LogLine): boolean {
  return event === 'session';
}

function isFailure({ event }: LogLine): boolean {
  return event === 'connectFailed';
}

function portOf(address: Address): number {
  return address.kind === 'tcp' ? address.port : 0;
}
