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
export type ConnectKeys = Pick<Upstream, Shared>;

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
  return { ...sharedOptions(keys), early: early(keys, false) };
}

function sharedOptions({ keepalive, userTimeout, noDelay }: ConnectKeys): SocketOptions {
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
function early(keys: ConnectKeys, freebind: boolean): EarlyOptions | undefined {
  const options: EarlyOptions = {
    sendBufferBytes: keys.sendBuffer,
    receiveBufferBytes: keys.receiveBuffer,
    dscp: keys.dscp,
    interface: keys.interface,
    freebind: freebind ? true : undefined,
    mptcp: keys.mptcp ? true : undefined,
  };
  return Object.values(options).every(each => each === undefined) ? undefined : options;
}

/** 0 means: not at all. */
function given(number: number): number | undefined {
  return number === 0 ? undefined : number;
}
