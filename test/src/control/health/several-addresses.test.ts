/** A check of a backend with several addresses passes when one of them does: every kind of check, and the agent. */
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { setUnrefTimer } from '../../../../src/support/timer.ts';
import type { AddressInfo, Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import t, { type Test } from 'tap';
import { openSocket } from '../../../../src/engine/node/open-socket.ts';
import { AgentChecker } from '../../../../src/control/health/agent-checker.ts';
import type { ProbeResult } from '../../../../src/control/health/probe.ts';
import type { Address } from '../../../../src/support/address.ts';
import { refusingAddress, scripts, startBackend } from '../../../harness/backend.ts';
import { until } from '../../../harness/until.ts';
import { certificateFor, withoutOpenssl } from './certificate.ts';
import { failedWith, openSockets, PASSED, probeOf, targetOf } from './probing.ts';

async function addressOf(t: Test, server: Server): Promise<Address> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  // A TCP server's address is no text.
  return { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

function check(keys: Parameters<typeof probeOf>[0], addresses: readonly Address[]): Promise<ProbeResult> {
  return new Promise(resolve => void probeOf(keys)(targetOf(addresses, 'app.test:80'), resolve));
}

void t.test('the first address refuses, the second one is well', { skip: withoutOpenssl }, async t => {
  const dead = await refusingAddress();
  const tls = await certificateFor(t, 'DNS:app.test');
  const handshake = { ca: tls.path };
  const answer = (_: unknown, response: { end(): void }): void => response.end();
  const kinds: [keys: Parameters<typeof probeOf>[0], address: Address][] = [
    [{ type: 'tcp' }, (await startBackend(t)).address],
    [{ type: 'http' }, await addressOf(t, createHttpServer(answer))],
    [{ type: 'http', tls: handshake }, await addressOf(t, createHttpsServer(tls, answer))],
    [{ type: 'tls', tls: handshake }, await addressOf(t, createTlsServer(tls))],
    [{ type: 'sendExpect', send: 'a', expect: 'a' }, (await startBackend(t, scripts.echo)).address],
  ];
  for (const [keys, address] of kinds) {
    const kind = JSON.stringify(keys);
    t.same(await check(keys, [dead, address]), PASSED, kind);
    t.same(await check(keys, [address, dead]), PASSED, kind);
    t.same(await check(keys, [dead, await refusingAddress()]), failedWith('refused (ECONNREFUSED)'), kind);
  }
  await until('no socket stays', () => openSockets() === 0);
});

void t.test('an answer that does not do fails, although another address might give a better one', async t => {
  const bad = await addressOf(
    t,
    createHttpServer((_, response) => response.writeHead(500).end()),
  );
  const good = await addressOf(
    t,
    createHttpServer((_, response) => response.end()),
  );
  t.same(await check({ type: 'http' }, [bad, good]), failedWith('status 500'));
});

void t.test('checks begin with the address that accepted last', async t => {
  const [first, second] = [await startBackend(t), await startBackend(t)];
  const dead = await refusingAddress();
  const probe = probeOf({ type: 'tcp' });
  const target = targetOf([dead, first.address, second.address], 'app.test:80');
  const once = (): Promise<ProbeResult> => new Promise(resolve => void probe(target, resolve));
  for (let i = 0; i < 3; i++) t.same(await once(), PASSED);
  await first.close();
  t.same(await once(), PASSED);
  t.equal(second.peers.length, 1);
});

void t.test('an agent is asked at any of the addresses', async t => {
  const agent = await startBackend(t, peer => peer.socket.end('75%\n'));
  const heard: string[] = [];
  const checker = new AgentChecker(
    { intervalMs: 5_000, timeoutMs: 1_000 },
    {
      now: () => performance.now(),
      random: () => 0.5,
      setTimer: setUnrefTimer,
      openSocket: address => openSocket(address, undefined),
      addressesOf: () => addresses,
      onAnswer: (_, answer) => heard.push(JSON.stringify(answer)),
    },
  );
  const addresses = [await refusingAddress(), agent.address];
  t.teardown(() => checker.stop());
  checker.add('app.test:80');
  await until('it has answered', () => heard.length > 0);
  t.same(heard, ['{"percent":75}']);
});
