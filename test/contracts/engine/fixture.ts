/**
 * What the parts of the engine suite share: places to listen, and a balancer of a dozen lines.
 */
import type { SocketOptions } from '../../../src/support/socket.ts';
import { createServer } from 'node:net';
import { join as joinPath } from 'node:path';
import type { Test } from 'tap';

import type {
  ConnectResult,
  Connection,
  Engine,
  EngineListener,
  Relay,
  RelayHandlers,
  RelayOptions,
  RelayOutcome,
} from '../../../src/engine/engine.ts';
import type { Address, ListenAddress } from '../../../src/support/address.ts';
import type { SetTimer } from '../../../src/support/timer.ts';
import { startBackend, type Script } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import type { Peer } from '../../harness/peer.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';
import { until } from '../../harness/until.ts';

export interface EngineOptions {
  readonly clock: { readonly nowMs: number };
  readonly waitingLimit?: number;
  readonly setTimer?: SetTimer;
}

export type CreateEngine = (options: EngineOptions) => Engine;

export type Family = 'IPv4' | 'IPv6' | 'unix';
export const FAMILIES: readonly Family[] = ['IPv4', 'IPv6', 'unix'];

export const STOPPED_CLOCK = { nowMs: 0 };

/** True if the machine has the family; else the test says so and is skipped. */
export async function hasFamily(t: Test, family: Family): Promise<boolean> {
  if (family !== 'IPv6') return true;
  const server = createServer();
  const works = await new Promise<boolean>(resolve => {
    server.once('error', () => resolve(false));
    server.listen(0, '::1', () => resolve(true));
  });
  server.close();
  if (!works) t.pass('skipped: this machine has no IPv6 loopback', { skip: true });
  return works;
}

/** A path for a unix socket that is removed with the test. */
export function socketPath(t: Test): string {
  return joinPath(temporaryFolder(t), 'socket');
}

/** Any free place of the family. */
export function anywhere(t: Test, family: Family): Address {
  if (family === 'unix') return { kind: 'unix', path: socketPath(t) };
  return { kind: 'tcp', host: family === 'IPv6' ? '::1' : '127.0.0.1', port: 0 };
}

/** Listens until the end of the test, and keeps the clients. */
export async function listen(
  t: Test,
  engine: Engine,
  address: ListenAddress = anywhere(t, 'IPv4'),
  onClient: (client: Connection) => void = () => undefined,
): Promise<{ readonly listener: EngineListener; readonly clients: readonly Connection[] }> {
  const clients: Connection[] = [];
  const listener = await engine.listen(address, {
    onClient: client => {
      clients.push(client);
      onClient(client);
    },
  });
  t.teardown(async () => {
    await listener.close();
    for (const client of clients) client.reset();
  });
  return { listener, clients };
}

/** A client that the engine has accepted. */
export async function accept(
  t: Test,
  engine: Engine,
  family: Family = 'IPv4',
): Promise<{ readonly client: Peer; readonly accepted: Connection }> {
  const { listener, clients } = await listen(t, engine, anywhere(t, family));
  const client = await connectClient(t, listener.address);
  await until('the client is accepted', () => clients.length === 1);
  return { client, accepted: clients[0]! };
}

/** Connects as a promise. */
export async function connectTo(
  engine: Engine,
  address: Address,
  timeoutMs = 5000,
  options: SocketOptions = {},
): Promise<ConnectResult> {
  return await new Promise(resolve => engine.connect(address, { ...options, timeoutMs }, resolve));
}

/** Connects where nothing can go wrong. */
export async function connected(t: Test, engine: Engine, address: Address): Promise<Connection> {
  const result = await connectTo(engine, address);
  if (!result.ok) throw new Error(`cannot connect: ${result.failure.code}`);
  t.teardown(() => result.connection.reset());
  return result.connection;
}

export interface Joined {
  readonly client: Peer;
  readonly backend: Peer;
  readonly relay: Relay;
  /** Undefined until the relay has ended. */
  readonly outcome: () => RelayOutcome | undefined;
  /** Whether `onHalfClosed` has been called. */
  readonly toldHalfClosed: () => boolean;
  readonly ended: () => Promise<RelayOutcome>;
}

/** One session: a client and a backend, each a scripted peer, joined by the engine. */
export async function join(
  t: Test,
  engine: Engine,
  script?: Script,
  family: Family = 'IPv4',
): Promise<Joined> {
  const joinAgain = await startBalancer(t, engine, script, family);
  return await joinAgain();
}

/** A listener and a backend; the result opens one session after the other between them. */
export async function startBalancer(
  t: Test,
  engine: Engine,
  script?: Script,
  family: Family = 'IPv4',
): Promise<() => Promise<Joined>> {
  const backend = await startBackend(t, script, anywhere(t, family));
  const { listener, clients } = await listen(t, engine, anywhere(t, family));
  let sessions = 0;
  return async () => {
    const session = sessions++;
    const client = await connectClient(t, listener.address);
    // Not any client: on a busy machine strangers meet ports that were somebody else's a moment ago.
    const accepted = (): Connection | undefined =>
      family === 'unix'
        ? clients[session]
        : clients.slice(session).find(({ peerPort }) => peerPort === client.socket.localPort);
    await until('the engine has the client', () => accepted() !== undefined);
    const started = startRelay(t, engine, accepted()!, await connected(t, engine, backend.address));
    return { client, backend: await backend.next(), ...started };
  };
}

/** Relays until the end of the test at the latest; fails the test if the outcome comes twice. */
export function startRelay(
  t: Test,
  engine: Engine,
  client: Connection,
  backend: Connection,
  options?: RelayOptions,
): Pick<Joined, 'relay' | 'outcome' | 'toldHalfClosed' | 'ended'> {
  let outcome: RelayOutcome | undefined;
  let returned = false;
  let toldHalfClosed = false;
  const handlers: RelayHandlers = {
    onHalfClosed: () => {
      if (toldHalfClosed) t.fail('the relay has told twice that it is half-closed');
      if (!returned) t.fail('the relay has told of a half-close before it was started');
      if (!relay.halfClosed) t.fail('the relay tells of a half-close that is none');
      if (outcome !== undefined) t.fail('the relay has told of a half-close after its end');
      toldHalfClosed = true;
    },
    onEnd: result => {
      if (outcome !== undefined) t.fail('the relay has ended twice');
      if (!returned) t.fail('the relay has ended before it was started');
      outcome = result;
    },
  };
  const relay = engine.relay(client, backend, handlers, options);
  returned = true;
  t.teardown(() => relay.abort());
  return {
    relay,
    outcome: () => outcome,
    toldHalfClosed: () => toldHalfClosed,
    ended: async () => {
      // A reset behind data waits for a look at the kernel's table, which is slow on a machine with many sockets.
      await until('the relay has ended', () => outcome !== undefined, 30_000);
      return outcome!;
    },
  };
}
