/**
 * What the tests of TLS share: engines, settings, and sessions of which either side speaks TLS.
 */
import { createSecureContext, type ConnectionOptions, type TLSSocketOptions } from 'node:tls';
import t, { type Test } from 'tap';

import type { Connection, ConnectResult, Engine } from '../../../../src/engine/engine.ts';
import { createNodeEngine } from '../../../../src/engine/node/node-engine.ts';
import type {
  EngineTls,
  ServerOpening,
  TlsClientSettings,
  TlsConnect,
  TlsFacts,
  TlsServerSettings,
} from '../../../../src/engine/tls.ts';
import { loadLibc } from '../../../../src/linux/libc.ts';
import type { Address } from '../../../../src/support/address.ts';
import {
  connectTo,
  listen,
  startRelay,
  STOPPED_CLOCK,
  type Joined,
} from '../../../contracts/engine/fixture.ts';
import { startBackend } from '../../../harness/backend.ts';
import { connectClient } from '../../../harness/client.ts';
import type { Peer } from '../../../harness/peer.ts';
import { createAuthority } from '../../../harness/tls-authority.ts';
import { connectTlsClient, startTlsBackend, TlsPeer } from '../../../harness/tls-peer.ts';
import { until } from '../../../harness/until.ts';

const loaded = loadLibc();
export const libc = loaded.ok ? loaded.libc : undefined;

export function newEngine(): Engine & { readonly tls: EngineTls } {
  const engine = createNodeEngine({ clock: STOPPED_CLOCK, libc });
  const { tls } = engine;
  if (tls === undefined) throw new Error('an engine without TLS');
  return { ...engine, tls };
}

export const authority = createAuthority(t);
export const certificate = authority.issue('lb4.test', 'DNS:lb4.test,IP:127.0.0.1');
const TICKET_KEYS = Buffer.alloc(48, 7);

export function serverSettings(more: Partial<TlsServerSettings> = {}): TlsServerSettings {
  return {
    certificates: [certificate],
    alpn: [],
    minVersion: 'TLSv1.2',
    ticketKeys: TICKET_KEYS,
    timeout: 5_000,
    ...more,
  };
}

export function clientSettings(more: Partial<TlsClientSettings> = {}): TlsClientSettings {
  return { verify: true, ca: authority.ca, alpn: [], minVersion: 'TLSv1.2', ...more };
}

/** What a backend that speaks TLS has. */
export function backendOptions(maxVersion?: ConnectionOptions['maxVersion']): TLSSocketOptions {
  const { chain: cert, key } = certificate;
  return { secureContext: createSecureContext({ cert, key, ...(maxVersion && { maxVersion }) }) };
}

export type Accepted = Parameters<Parameters<EngineTls['accept']>[3]>[0];

/** A listener whose clients speak TLS with the engine; the results in their order. */
export async function listenTls(
  t: Test,
  engine: Engine & { readonly tls: EngineTls },
  settings: TlsServerSettings = serverSettings(),
  opening?: () => ServerOpening,
): Promise<{ readonly address: Address; readonly results: readonly Accepted[] }> {
  const terms = engine.tls.serverTerms(settings);
  const results: Accepted[] = [];
  const { listener } = await listen(t, engine, undefined, client => {
    let hasReturned = false;
    engine.tls.accept(client, terms, opening?.(), result => {
      if (!hasReturned) t.fail('`done` was called before `accept` has returned');
      results.push(result);
      if (result.ok) t.teardown(() => result.connection.reset());
    });
    hasReturned = true;
  });
  return { address: listener.address, results };
}

export async function untilResult(results: readonly Accepted[], index = 0): Promise<Accepted> {
  await until('the handshake is over', () => results.length > index);
  const result = results[index];
  if (result === undefined) throw new Error('no result');
  return result;
}

export async function connectTls(
  engine: Engine,
  address: Address,
  tls: TlsConnect,
  timeoutMs = 5_000,
): Promise<ConnectResult> {
  return await new Promise(resolve => engine.connect(address, { timeoutMs, tls }, resolve));
}

export interface TlsJoined extends Pick<Joined, 'relay' | 'ended' | 'outcome'> {
  readonly client: Peer | TlsPeer;
  readonly backend: Peer | TlsPeer;
  readonly facts: TlsFacts | undefined;
}

/** Which sides of a session speak TLS. */
export type Sides = 'client' | 'backend' | 'both';
export const SIDES: readonly Sides[] = ['client', 'backend', 'both'];

/** One session, joined by the engine. */
export async function joinTls(
  t: Test,
  engine: Engine & { readonly tls: EngineTls },
  sides: Sides,
  options: ConnectionOptions = {},
): Promise<TlsJoined> {
  const isTls = { client: sides !== 'backend', backend: sides !== 'client' };
  const { maxVersion } = options;
  const server = isTls.backend ? await startTlsBackend(t, backendOptions(maxVersion)) : await startBackend(t);
  let accepted: Connection;
  let client: Peer | TlsPeer;
  let facts: TlsFacts | undefined;
  if (isTls.client) {
    const { address, results } = await listenTls(t, engine);
    client = await connectTlsClient(t, address, options);
    const result = await untilResult(results);
    if (!result.ok) throw new Error(result.failure.code);
    ({ connection: accepted, facts } = result);
  } else {
    const { listener, clients } = await listen(t, engine);
    client = await connectClient(t, listener.address);
    await until('the client is accepted', () => clients.length === 1);
    const [first] = clients;
    if (first === undefined) throw new Error('no client');
    accepted = first;
  }
  const terms = engine.tls.clientTerms(clientSettings());
  const connected = isTls.backend
    ? await connectTls(engine, server.address, { terms, serverName: 'lb4.test' })
    : await connectTo(engine, server.address);
  if (!connected.ok) throw new Error(connected.failure.code);
  const backend = await server.next();
  // Before that Node's own server would end without close_notify.
  if (backend instanceof TlsPeer) await backend.untilSecure();
  return { client, backend, facts, ...startRelay(t, engine, accepted, connected.connection) };
}
