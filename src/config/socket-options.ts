/**
 * What a listener's or an upstream's keys about sockets ask of the engine.
 *
 * Place: listener-plans.ts and upstream-settings.ts make plans of it, socket-problems.ts looks for it on this system.
 */
import type { EarlyOptions, SocketOptions } from '../support/socket.ts';
import type { Config } from './schema/schema.ts';

type Listener = Config['listeners'][number];
type Upstream = Config['upstreams'][number];
type Shared =
  'keepalive' | 'userTimeout' | 'noDelay' | 'sendBuffer' | 'receiveBuffer' | 'dscp' | 'interface' | 'mptcp';

export type ListenKeys = Pick<Listener, Shared | 'deferAccept' | 'backlog' | 'fastOpen' | 'freebind'>;
export type ConnectKeys = Pick<Upstream, Shared | 'source'>;
type SharedKeys = Pick<Upstream, Shared>;

export function listenOptions(keys: ListenKeys): SocketOptions {
  const { deferAccept, backlog, fastOpen, freebind } = keys;
  return {
    ...sharedOptions(keys),
    deferAcceptMs: given(deferAccept),
    backlog,
    fastOpen: given(fastOpen),
    early: early(keys, freebind),
  };
}

export function connectOptions(keys: ConnectKeys): SocketOptions {
  return { ...sharedOptions(keys), early: early(keys, false, keys.source) };
}

/** Of checks: where they leave this machine. A check has no client whose address it could have. */
export function checkOptions({ source, interface: through }: ConnectKeys): EarlyOptions | undefined {
  const own = source === 'client' ? undefined : source;
  return own === undefined && through === undefined ? undefined : { source: own, interface: through };
}

function sharedOptions({ keepalive, userTimeout, noDelay }: SharedKeys): SocketOptions {
  return {
    keepalive: keepalive && {
      idleMs: keepalive.idle,
      intervalMs: keepalive.interval,
      count: keepalive.count,
    },
    userTimeoutMs: given(userTimeout),
    noDelay: noDelay ? undefined : false,
  };
}

/** Undefined where nothing is asked for, so that engines need not look. */
function early(
  keys: SharedKeys,
  freebind: boolean,
  source?: ConnectKeys['source'],
): EarlyOptions | undefined {
  const options: EarlyOptions = {
    sendBufferBytes: keys.sendBuffer,
    receiveBufferBytes: keys.receiveBuffer,
    dscp: keys.dscp,
    interface: keys.interface,
    freebind: freebind ? true : undefined,
    mptcp: keys.mptcp ? true : undefined,
    source,
  };
  return Object.values(options).every(each => each === undefined) ? undefined : options;
}

/** 0 means: not at all. */
function given(number: number): number | undefined {
  return number === 0 ? undefined : number;
}
