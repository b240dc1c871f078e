/**
 * Opens a connection to a backend, with a timeout and a cancel.
 *
 * Place: called by the dispatcher through the engine, and by the pool for its spares.
 * Invariants:
 * - `done` is called exactly once, never before `connectNode` has returned and never after a cancel;
 * - a failure is a value;
 * - the new connection has not been read from, so a greeting waits for its owner.
 */
import type { Keepalive } from '../../support/socket.ts';
import type { Socket } from 'node:net';

import type { Address, TcpAddress } from '../../support/address.ts';
import { sourcesFor } from '../sources.ts';
import { systemCode } from '../../errors.ts';
import type { Cancel, ConnectOptions, ConnectResult } from '../engine.ts';
import type { Libc } from '../../linux/libc.ts';
import { setUserTimeout } from '../../linux/socket-options.ts';
import type { LateKeepalives } from '../late-keepalive.ts';
import { isItself, REFUSED, SelfConnects } from '../../support/self-connect.ts';
import { connectFailure } from '../connect-failure.ts';
import { descriptorOf } from '../../support/descriptor.ts';
import { setKeepalive } from './keepalive.ts';
import type { ConnectionDeps, Peer } from './connection-deps.ts';
import { NodeConnection } from './node-connection.ts';
import { openSocket } from './open-socket.ts';

export interface ConnectDeps extends ConnectionDeps {
  readonly libc: Libc | undefined;
  readonly keepalives: LateKeepalives;
  /** Milliseconds of a monotonic clock, updated now and then by its owner. */
  readonly clock: { readonly nowMs: number };
  /** Notes a connection's descriptor. */
  note(socket: Socket): void;
}

export type NodeConnectResult =
  { readonly ok: true; readonly connection: NodeConnection } | Extract<ConnectResult, { readonly ok: false }>;

/** Connects to a numeric or unix address. */
export function connectNode(
  address: Address,
  options: ConnectOptions,
  deps: ConnectDeps,
  done: (result: NodeConnectResult) => void,
): Cancel {
  const source = address.kind === 'tcp' ? options.early?.source : undefined;
  if (address.kind === 'unix' || source === undefined)
    return connectFrom(undefined, address, options, deps, done);
  const sources = sourcesFor(address, source, options.client);
  let tried = 0;
  let cancel: Cancel = () => undefined;
  const next = (): void => {
    cancel = connectFrom(sources[tried++], address, options, deps, result => {
      const hasNoPort = !result.ok && result.failure.code === 'EADDRNOTAVAIL';
      if (hasNoPort && tried < sources.length) next();
      else done(result);
    });
  };
  next();
  return () => cancel();
}

function connectFrom(
  from: TcpAddress | undefined,
  address: Address,
  options: ConnectOptions,
  deps: ConnectDeps,
  done: (result: NodeConnectResult) => void,
): Cancel {
  const { noDelay, early } = options;
  const connection = new NodeConnection(
    onread =>
      openSocket(address, deps.libc, { allowHalfOpen: true, onread }, { noDelay, early, from }).pause(),
    backendPeer(address),
    deps,
  );
  const { socket } = connection;

  let settled = false;
  const settle = (): boolean => {
    if (settled) return false;
    settled = true;
    cancelTimer();
    return true;
  };
  const fail = (code: string): void => {
    if (!settle()) return;
    socket.destroy();
    selfConnectsOf(address).failed();
    done({ ok: false, failure: connectFailure(code, address.kind) });
  };
  const cancelTimer = deps.setTimer(() => fail('ETIMEDOUT'), options.timeoutMs);
  socket.once('connect', () => {
    if (!settle()) return;
    if (reachesItself(address, socket, deps.clock)) {
      selfConnectsOf(address).failed();
      socket.resetAndDestroy();
      done({ ok: false, failure: connectFailure(REFUSED, address.kind) });
      return;
    }
    deps.note(socket);
    if (address.kind === 'tcp') keepAlive(socket, options, deps);
    done({ ok: true, connection });
  });
  socket.once('error', error => fail(systemCode(error)));

  return () => {
    if (settle()) socket.destroy();
  };
}

/** A backend's address is one object while it does not change, so the system is asked once. */
const SELF_CONNECTS = new WeakMap<Address, SelfConnects>();

function selfConnectsOf(address: Address): SelfConnects {
  const known = SELF_CONNECTS.get(address);
  if (known !== undefined) return known;
  const fresh = new SelfConnects(address);
  SELF_CONNECTS.set(address, fresh);
  return fresh;
}

function reachesItself(address: Address, socket: Socket, { nowMs }: ConnectDeps['clock']): boolean {
  const selfConnects = selfConnectsOf(address);
  if (address.kind === 'unix' || !selfConnects.mayBe(nowMs)) return false;
  // Where the ports differ, one call is enough.
  if (socket.localPort === address.port && isItself(socket)) return true;
  selfConnects.wasNone(nowMs);
  return false;
}

function keepAlive(socket: Socket, { keepalive, userTimeoutMs }: ConnectOptions, deps: ConnectDeps): void {
  const { libc, keepalives } = deps;
  const fd = descriptorOf(socket);
  if (userTimeoutMs !== undefined && libc !== undefined && fd !== undefined)
    setUserTimeout(libc, fd, userTimeoutMs);
  if (keepalive === undefined) return;
  const keepable = { setKeepalive: (value: Keepalive) => setKeepalive(socket, value, libc) };
  const late = keepalives.add(keepable, keepalive);
  socket.once('close', () => late.cancel());
}

function backendPeer(address: Address): Peer {
  return address.kind === 'unix'
    ? { kind: 'unix', address: '', port: 0 }
    : { kind: 'tcp', address: address.host, port: address.port };
}
