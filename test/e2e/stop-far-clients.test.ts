/**
 * SIGTERM while handshakes with far clients are under way: a client takes its connection for established half a round
 * trip before the balancer's kernel does. Each is served or refused.
 */
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import {
  addSlowPath,
  BACK_HOST,
  createFaultyNetwork,
  skipWithoutNetworkFaults,
  SLOW_BACK_HOST,
} from '../harness/faulty-network.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { pause } from '../harness/until.ts';

const skip = await skipWithoutNetworkFaults();
const CLIENTS = 60;
const EVERY_MS = 5;
const ONE_WAY_MS = 60;

for (const engine of ['epoll', 'node'] as const) {
  void t.test(`${engine} engine: no client on its way is let in and then reset`, { skip }, async t => {
    const network = await createFaultyNetwork(t);
    const { front, back } = network;
    await addSlowPath(t, network, { delayMs: ONE_WAY_MS, lossPercent: 0 });
    const backend = await back.run(() =>
      startBackend(t, scripts.echo, { kind: 'tcp', host: BACK_HOST, port: 0 }),
    );
    const lb4 = await back.run(() =>
      startLb4(t, [
        ...['-b', formatAddress(backend.address), '-l', `${SLOW_BACK_HOST}:0`],
        ...['--engine', engine, '--workers', '2', '--health', 'off'],
      ]),
    );
    const address: TcpAddress = { kind: 'tcp', host: lb4.host, port: lb4.port };
    const outcomes: Promise<string>[] = [];
    for (let i = 0; i < CLIENTS; i++) {
      const { outcome } = await front.run(() => startClient(t, address));
      outcomes.push(outcome);
      await pause(EVERY_MS);
      if (i === CLIENTS / 2) lb4.child.kill('SIGTERM');
    }
    const counts: Record<string, number> = {};
    for (const outcome of await Promise.all(outcomes)) counts[outcome] = (counts[outcome] ?? 0) + 1;
    t.strictSame(Object.keys(counts).sort(), ['ECONNREFUSED', 'served'], JSON.stringify(counts));
    t.same(await ended(lb4.child), { code: 0, signal: null });
  });
}

/** Resolves once the client is on its way; how it ends is for later, outside the namespace. */
async function startClient(
  t: Test,
  { host, port }: TcpAddress,
): Promise<{ readonly outcome: Promise<string> }> {
  const socket = connect({ host, port, noDelay: true });
  t.teardown(() => socket.destroy());
  const outcome = new Promise<string>(resolve => {
    socket.once('connect', () => socket.write('hello'));
    socket.once('data', () => {
      socket.destroy();
      resolve('served');
    });
    socket.once('end', () => resolve('ended without an answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  await nextTurn();
  return { outcome };
}
