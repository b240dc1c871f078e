/**
 * How ioredis opens its sockets: as its own connectors do, but with lb4's lookup of names.
 *
 * Place: an option of every client that `redis-options.ts` makes.
 * Why: ioredis resolves names with `dns.lookup` and has no option for another lookup. A name server that does not
 * answer holds up the threads of `dns.lookup`, and with them the end of the process.
 * Limit: a private method of ioredis makes the connections to Sentinels; redis-names.test.ts fails when a version of
 * ioredis does it in another way.
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

/** The part of ioredis's options that a plain connection needs. */
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
      // The options are ioredis's own, with its defaults filled in.
      super((options as PlainOptions).disconnectTimeout);
      this.#options = options as PlainOptions;
    }

    async connect(): Promise<Socket> {
      this.connecting = true;
      // The socket's first event comes after this turn's promises: the owner has its listeners by then.
      await Promise.resolve();
      if (!this.isWanted()) throw new Error('Connection is closed.');
      const { host = 'localhost', port = 6379, tls } = this.#options;
      const where = { host: withNamedZone(host), port, lookup };
      const stream = tls === undefined ? connectTcp(where) : connectTls({ ...where, ...tls });
      this.stream = stream;
      stream.once('error', (error: Error) => {
        this.firstError = error;
      });
      // If a Redis of this machine is down, the socket may have connected to itself.
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
        // `net.connect` and `tls.connect` receive what this returns.
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
      // The caller adds its listeners before the socket's first event, which comes in a later turn.
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
