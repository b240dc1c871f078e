/**
 * An engine whose every byte goes through TLS twice over: for the contract suite, whose peers speak none.
 *
 * How: a client's connection is carried by a second engine to a listener of the first, as TLS; a backend's from the first
 * to one of the second. So the sessions of the suite end in TLS on both sides, and each engine is client and server.
 */
import type {
  Connection,
  ConnectOptions,
  ConnectResult,
  Engine,
  EngineListener,
} from '../../../../src/engine/engine.ts';
import { createNodeEngine } from '../../../../src/engine/node/node-engine.ts';
import type { EngineTls } from '../../../../src/engine/tls.ts';
import type { Address } from '../../../../src/support/address.ts';
import t from 'tap';
import type { EngineOptions } from '../../../contracts/engine/fixture.ts';
import { clientSettings, libc, serverSettings, type Sides } from './fixture.ts';

type WithTls = Engine & { readonly tls: EngineTls };

const LOOPBACK: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };
const NOTHING = { onHalfClosed: () => undefined, onEnd: () => undefined };
const HANDSHAKE_MS = 5_000;

function withTls(options: EngineOptions): WithTls {
  const engine = createNodeEngine({ ...options, libc });
  const { tls } = engine;
  if (tls === undefined) throw new Error('no TLS');
  return { ...engine, tls };
}

/** `sides`: which of the two connections of a session are TLS. */
export function throughTls(options: EngineOptions, sides: Sides): Engine {
  const inner = withTls(options);
  const outer = withTls({ clock: options.clock });
  const engine: Engine = { ...inner };
  return {
    ...engine,
    ...(sides !== 'backend' && { listen: (where, handlers) => listenThrough(inner, outer, where, handlers) }),
    ...(sides !== 'client' && {
      connect: (address, connectOptions, done) => connectThrough(inner, outer, address, connectOptions, done),
    }),
  };
}

async function listenThrough(
  inner: WithTls,
  outer: WithTls,
  where: Parameters<Engine['listen']>[0],
  handlers: Parameters<Engine['listen']>[1],
): Promise<EngineListener> {
  const serverTerms = inner.tls.serverTerms(serverSettings());
  const terms = outer.tls.clientTerms(clientSettings());
  /** The clients' own ports, by those of the connections that carry them. */
  const ports = new Map<number, number>();
  const secured = await inner.listen(LOOPBACK, {
    onClient: client => {
      inner.tls.accept(client, serverTerms, undefined, result => {
        if (!result.ok) return;
        const { connection } = result;
        Object.defineProperty(connection, 'peerPort', { value: ports.get(client.peerPort) });
        handlers.onClient(connection);
      });
    },
  });
  const listener = await outer.listen(where, {
    onClient: client => {
      outer.connect(secured.address, { timeoutMs: HANDSHAKE_MS, tls: { terms } }, result => {
        if (!result.ok) {
          client.reset();
          return;
        }
        ports.set(Number(result.connection.localAddress.split(':')[1]), client.peerPort);
        outer.relay(client, result.connection, NOTHING);
      });
    },
  });
  return {
    address: listener.address,
    pause: () => listener.pause(),
    resume: () => listener.resume(),
    release: () => listener.release(),
    close: async () => {
      await listener.close();
      await secured.close();
    },
  };
}

/** Where the second engine ends the TLS of connections to an address. */
const ways = new Map<string, Promise<EngineListener>>();
t.teardown(async () => {
  for (const way of ways.values()) await (await way).close();
});

function connectThrough(
  inner: WithTls,
  outer: WithTls,
  address: Address,
  options: ConnectOptions,
  done: (result: ConnectResult) => void,
): () => void {
  const key = JSON.stringify(address);
  const serverTerms = outer.tls.serverTerms(serverSettings());
  const terms = inner.tls.clientTerms(clientSettings());
  let way = ways.get(key);
  if (way === undefined) {
    way = outer.listen(LOOPBACK, {
      onClient: client => {
        outer.tls.accept(client, serverTerms, undefined, result => {
          if (result.ok) carry(outer, result.connection, address);
        });
      },
    });
    ways.set(key, way);
  }
  let cancel = (): void => undefined;
  void way.then(listener => {
    cancel = inner.connect(listener.address, { ...options, tls: { terms } }, done);
  });
  return () => cancel();
}

function carry(outer: Engine, client: Connection, address: Address): void {
  outer.connect(address, { timeoutMs: HANDSHAKE_MS }, result => {
    if (result.ok) outer.relay(client, result.connection, NOTHING);
    else client.reset();
  });
}
