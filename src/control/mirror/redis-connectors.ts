/**
 * How ioredis opens its sockets: as its own connectors do, but with lb4's lookup of names.
 *
 * Place: an option of every client that `redis-options.ts` makes. Why: ioredis resolves names with `dns.lookup`, whose
 * threads wait for a name server that does not answer, and the end of the process with them; it has no option for
 * another lookup. Connections between Sentinels and their clients are made by a method of ioredis's that is private:
 * redis-names.test.ts notices when a version of it goes another way.
 */
import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import {
  AbstractConnector,
  SentinelConnector,
  type RedisOptions,
  type SentinelConnectionOptions,
} from 'ioredis';
import { isItself, refused } from '../../support/self-connect.ts';
import { withNamedZone } from '../../support/zone.ts';
import { guardReplies } from './reply-guard.ts';

export type Connector = NonNullable<RedisOptions['Connector']>;

/** What connections need besides ioredis's options. */
export interface Surroundings {
  readonly lookup: LookupFunction;
  /** Called when a server sends what Redis does not; ioredis says only that the connection was lost. */
  readonly onStrange?: ((error: Error) => void) | undefined;
}

/** What of ioredis's options a plain connection is made with. */
interface PlainOptions {
  readonly host?: string;
  readonly port?: number;
  readonly tls?: ConnectionOptions;
  readonly disconnectTimeout: number;
}

/** For one Redis, a node of a Cluster, or one Sentinel. */
export function plainConnector({ lookup, onStrange }: Surroundings): Connector {
  return class extends AbstractConnector {
    readonly #options: PlainOptions;

    constructor(options: unknown) {
      // ioredis's own, with its defaults filled in.
      super((options as PlainOptions).disconnectTimeout);
      this.#options = options as PlainOptions;
    }

    async connect(): Promise<Socket> {
      this.connecting = true;
      // The socket's first event comes after this turn's promises: its owner listens by then.
      await Promise.resolve();
      if (!this.isWanted()) throw new Error('Connection is closed.');
      const { host = 'localhost', port = 6379, tls } = this.#options;
      const where = { host: withNamedZone(host), port, lookup };
      const stream = tls === undefined ? connectTcp(where) : connectTls({ ...where, ...tls });
      this.stream = stream;
      stream.once('error', (error: Error) => {
        this.firstError = error;
      });
      // A Redis of this machine that is down: the socket may have reached itself.
      stream.prependOnceListener('connect', () => {
        if (!isItself(stream)) return;
        this.firstError = refused();
        if (tls === undefined) stream.resetAndDestroy();
        else stream.destroy();
      });
      guardReplies(stream, onStrange);
      return stream;
    }

    /** `disconnect` may have been called meanwhile. */
    private isWanted(): boolean {
      return this.connecting;
    }
  };
}

/** For the master that Sentinels name. */
export function sentinelConnector(around: Surroundings): Connector {
  const plain = plainConnector(around);
  const { lookup, onStrange } = around;
  return class extends SentinelConnector {
    constructor(options: unknown) {
      super({
        ...(options as SentinelConnectionOptions),
        // Net.connect and tls.connect are given what this returns.
        natMap: address => ({ ...hostAndPort(address), lookup }),
      });
      const connectToSentinel: unknown = Reflect.get(this, 'connectToSentinel');
      if (typeof connectToSentinel !== 'function')
        throw new TypeError('ioredis connects to Sentinels otherwise');
      Reflect.set(
        this,
        'connectToSentinel',
        (endpoint: unknown, more?: object): unknown =>
          Reflect.apply(connectToSentinel, this, [endpoint, { ...more, Connector: plain }]) as unknown,
      );
    }

    override async connect(emit: Parameters<SentinelConnector['connect']>[0]): Promise<Socket> {
      // The caller listens before the socket's first event, which is a turn away.
      const stream = await super.connect(emit);
      guardReplies(stream, onStrange);
      return stream;
    }
  };
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: withNamedZone(address.slice(0, colon)), port: Number(address.slice(colon + 1)) };
}
