/**
 * A scripted raw backend: a listening socket and what it does with every connection.
 *
 * `scripts` has the usual behaviours (echo, greet, answer after FIN, ...); a test may also take each
 * connection from `next()` and play it by hand.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import type { Test } from 'tap';

import type { Address, TcpAddress } from '../../src/support/address.ts';
import { Peer } from './peer.ts';
import { until } from './until.ts';

const LOOPBACK = '127.0.0.1';

export type Script = (peer: Peer) => void;

export interface Backend {
  readonly address: Address;
  /** Every connection so far, in the order they were accepted. */
  readonly peers: readonly Peer[];
  /** Closes the listening socket and resets every connection. */
  close(): Promise<void>;
  /** Resolves to the next connection that nobody has taken yet. */
  next(): Promise<Peer>;
}

/** Starts a backend on 127.0.0.1, unless told where; it ends with the test. */
export async function startBackend(
  t: Test,
  script: Script = scripts.byHand,
  where: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 },
): Promise<Backend> {
  const peers: Peer[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    const peer = new Peer(socket);
    peers.push(peer);
    script(peer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(
      where.kind === 'unix' ? { path: where.path } : { host: where.host, port: where.port },
      resolve,
    );
  });
  t.teardown(() => {
    server.close();
    for (const peer of peers) peer.socket.destroy();
  });
  const bound = server.address();
  let taken = 0;
  return {
    address:
      bound === null || typeof bound === 'string'
        ? { kind: 'unix', path: String(bound) }
        : { kind: 'tcp', host: bound.address, port: bound.port },
    peers,
    async close() {
      const closed = new Promise(resolve => server.close(resolve));
      for (const peer of peers) peer.reset();
      await closed;
    },
    async next() {
      const index = taken++;
      await until(`connection ${index + 1} reaches the backend`, () => peers.length > index);
      return peers[index]!;
    },
  };
}

/**
 * An address on which nobody listens, until this process ends: its port belongs to an open connection. A port that was
 * only free a moment ago may be the next one that the system gives to a listener, of another test or of the balancer
 * itself; a session then waits there for an answer, and the test for a refusal.
 */
export async function refusingAddress(): Promise<Address> {
  const server = createServer();
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not a TCP server');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  // With a local address its port comes from bind(2), which gives none that another socket has bound.
  // Not net.connect, which also reports the socket to tests that count those of probes.
  const holder = new Socket().connect({ host: LOOPBACK, port: bound.port, localAddress: LOOPBACK });
  const [[other]] = await Promise.all([accepted, once(holder, 'connect')]);
  const port = holder.localPort;
  if (port === undefined) throw new Error('not connected');
  // The connection stays, and keeps no process alive.
  for (const socket of [holder, other]) socket.on('error', () => undefined).unref();
  server.close();
  return { kind: 'tcp', host: LOOPBACK, port };
}

/**
 * A backend whose process never accepts: it takes two or so connections into its backlog of one, then the
 * kernel drops what arrives, as a blackhole would.
 */
export async function startDeafBackend(
  t: { teardown(callback: () => unknown): void },
  host = '127.0.0.1',
): Promise<TcpAddress> {
  const program = `
    const server = require('node:net').createServer().listen(0, process.argv[1], 1, () => {
      require('node:fs').writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = spawn(process.execPath, ['-e', program, host], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const port = await new Promise<number>(resolve =>
    child.stdout.once('data', (text: Buffer) => resolve(Number(text.toString()))),
  );
  return { kind: 'tcp', host, port };
}

/** What a backend can do with a connection. */
export const scripts = {
  /** Nothing: the test plays it. */
  byHand: (): void => undefined,
  /** Sends back what it receives, and a FIN for a FIN. */
  echo: (peer: Peer): void => {
    peer.socket.pipe(peer.socket);
  },
  /** Speaks first. */
  greet:
    (greeting: string): Script =>
    peer =>
      void peer.send(greeting),
  /** Waits for the client's FIN, then answers and ends. */
  answerAfterFin:
    (answer: string | Uint8Array): Script =>
    peer =>
      peer.socket.once('end', () => peer.socket.end(answer)),
  /** Resets once it has received so many bytes. */
  resetAfter:
    (bytes: number): Script =>
    peer =>
      peer.socket.on('data', () => {
        if (peer.receivedBytes >= bytes) peer.reset();
      }),
  /** Accepts and never reads. */
  neverRead: (peer: Peer): void => peer.stall(),
  /** Answers while the client is still sending and closes: what it has not read turns the close into a reset. */
  answerWithoutReading:
    (answer: string): Script =>
    peer =>
      peer.socket.once('data', () => {
        peer.stall();
        setTimeout(() => peer.socket.write(answer, () => peer.socket.destroy()), 5);
      }),
};
