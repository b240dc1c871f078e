/**
 * From `RedisConnection` to ioredis: every connection bounded in time and memory.
 *
 * Place: `redis-client.ts` and `change-subscriber.ts` make their connections here.
 * Invariants:
 * - Nothing is queued while there is no connection, and nothing is sent twice.
 * - A server that accepts but does not answer is dropped.
 * - ioredis never connects again by itself. `redis-link.ts` makes a new client, so no state of a lost connection
 *   survives.
 * Why no ready check: it would hold commands back while Redis loads, and call INFO, which an ACL may forbid. The error
 * that answers an early command says more.
 */
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { LookupFunction } from 'node:net';
import type { SetTimer } from '../../support/timer.ts';
import type { RedisConnection, RedisNode } from './redis-connection.ts';
import { plainConnector, sentinelConnector, type Surroundings } from './redis-connectors.ts';

/** What clients of Redis need from outside. */
export interface RedisDeps {
  readonly random: () => number;
  readonly setTimer: SetTimer;
  /** Resolves the names of servers. */
  readonly lookup: LookupFunction;
}

export interface ClientLimits extends Surroundings {
  /** The longest wait for an answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** The least time a connect may take: a lost SYN is sent again after a second. */
const CONNECT_TIMEOUT_MS = 2_000;
const MOST_REDIRECTIONS = 3;

/** ioredis's types require the shape of the replies. */
type BoundedOptions = RedisOptions & { replyMapping: 'legacy' };

/** A client that runs commands; not connected yet. */
export function createCommandClient(connection: RedisConnection, limits: ClientLimits): Redis | Cluster {
  const { topology } = connection;
  if (topology.kind !== 'cluster') return createPlainClient(connection, limits);
  const cluster = new Cluster([...topology.nodes], clusterOptions(connection, limits));
  cluster.on('+node', askQuietly);
  return cluster;
}

/** Handles a rejection that ioredis leaves unhandled, which would end the process: the node that ASK names is away. */
function askQuietly(node: Redis): void {
  const asking = node.asking.bind(node);
  node.asking = () => {
    const asked = asking();
    asked.catch(() => undefined);
    return asked;
  };
}

/** A client for a subscription. A Cluster passes messages to all nodes, so any one will do: `node` says which. */
export function createSubscriberClient(
  connection: RedisConnection,
  limits: ClientLimits,
  node: RedisNode | undefined,
): Redis {
  const { topology } = connection;
  if (topology.kind !== 'cluster' || node === undefined) return createPlainClient(connection, limits);
  return new Redis({ ...baseOptions(connection, limits), host: node.host, port: node.port });
}

function createPlainClient(connection: RedisConnection, limits: ClientLimits): Redis {
  const { topology } = connection;
  const options = baseOptions(connection, limits);
  options.db = connection.database;
  if (topology.kind === 'single') {
    return new Redis({ ...options, host: topology.node.host, port: topology.node.port });
  }
  const sentinel: BoundedOptions = {
    ...options,
    sentinels: [...(topology.kind === 'sentinel' ? topology.nodes : [])],
    name: topology.kind === 'sentinel' ? topology.master : '',
    sentinelCommandTimeout: limits.timeoutMs,
    sentinelRetryStrategy: () => null,
    failoverDetector: false,
    Connector: sentinelConnector(limits),
  };
  if (connection.sentinelUsername !== undefined) sentinel.sentinelUsername = connection.sentinelUsername;
  if (connection.sentinelPassword !== undefined) sentinel.sentinelPassword = connection.sentinelPassword;
  if (options.tls !== undefined) {
    sentinel.sentinelTLS = options.tls;
    sentinel.enableTLSForSentinelMode = true;
  }
  return new Redis(sentinel);
}

function clusterOptions(
  connection: RedisConnection,
  limits: ClientLimits,
): ClusterOptions & { redisOptions: BoundedOptions } {
  return {
    redisOptions: baseOptions(connection, limits),
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    clusterRetryStrategy: () => null,
    maxRedirections: MOST_REDIRECTIONS,
    retryDelayOnClusterDown: 0,
    retryDelayOnFailover: 0,
    retryDelayOnTryAgain: Math.ceil(limits.timeoutMs / 10),
    slotsRefreshTimeout: Math.max(CONNECT_TIMEOUT_MS, limits.timeoutMs),
    // Names are kept: each connect looks them up, and certificates are checked against them.
    dnsLookup: (host, done) => {
      done(null, host);
    },
  };
}

function baseOptions(connection: RedisConnection, limits: ClientLimits): BoundedOptions {
  const { timeoutMs } = limits;
  const options: BoundedOptions = {
    replyMapping: 'legacy',
    lazyConnect: true,
    connectionName: 'lb4',
    disableClientInfo: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    commandTimeout: timeoutMs,
    // Timed-out commands are kept until they are answered or the connection is gone: after two of them.
    socketTimeout: 2 * timeoutMs,
    connectTimeout: Math.max(CONNECT_TIMEOUT_MS, timeoutMs),
    disconnectTimeout: 100,
    Connector: plainConnector(limits),
  };
  if (connection.username !== undefined) options.username = connection.username;
  if (connection.password !== undefined) options.password = connection.password;
  if (connection.tls !== undefined) {
    const { serverName, ca, cert, key } = connection.tls;
    options.tls = {
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    };
  }
  return options;
}
