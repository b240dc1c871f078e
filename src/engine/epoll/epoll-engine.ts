/**
 * The `epoll` engine: sockets and relay as Linux system calls, in a readiness loop of its own.
 *
 * Place: the composition of this folder behind the contract in ../engine.ts; one per worker thread. Its loop
 * blocks the thread for up to `ceilingMs` at a time, so it does not belong into a thread that does other work.
 * Invariants: nothing here logs or throws on the data path; no state is shared between two engines.
 */
import { Lb4Error } from '../../errors.ts';
import { DueTimers } from '../../support/due-timers.ts';
import { setUnrefTimer, type SetTimer } from '../../support/timer.ts';
import type { Cancel, Connection, ConnectResult, Engine } from '../engine.ts';
import { Deadlines } from '../../support/deadlines.ts';
import { LateKeepalives } from '../late-keepalive.ts';
import { Room, WAITING_LIMIT } from '../room.ts';
import { Descriptors, type OwnerTable } from './descriptors.ts';
import { connectEpoll } from './epoll-connect.ts';
import { EpollConnection } from './epoll-connection.ts';
import { listenEpoll } from './epoll-listener.ts';
import { EpollRelay } from './epoll-relay.ts';
import type { Libc } from '../../linux/libc.ts';
import { hush } from '../../linux/silence.ts';
import { sinceHandshake } from '../../linux/since-handshake.ts';
import { readFirst } from './peeking.ts';
import { PipePool } from './pipe-pool.ts';
import { Poller } from '../poller.ts';
import { Reactor } from './reactor.ts';

export interface EpollEngineDeps {
  readonly libc: Libc;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** The same, updated by its owner as often as `lastActivityMs` has to be exact. */
  readonly clock: { readonly nowMs: number };
  /** The longest that a wait blocks the thread, in milliseconds; default 50. */
  readonly ceilingMs?: number;
  /**
   * True while sessions wait for promises: promises and timers then have their turn at once. Otherwise the thread first
   * waits a millisecond for more events. Default: never true.
   */
  readonly waitsForPromises?: () => boolean;
  /** An eventfd with which other threads end the wait. */
  readonly wakeFd?: number;
  /** Where to note which descriptors are this engine's, for the thread that cleans up after this one. */
  readonly ownerTable?: OwnerTable;
  /** How many connections `finish` may keep open at once; default 1024. Beyond that they are reset. */
  readonly waitingLimit?: number;
  /** False: every read goes on until the kernel says that nothing more is there. Default: true. */
  readonly trustsShortReads?: boolean;
  /** All timers of the thread that a wait must not delay. Default: the engine's own alone, made by `setTimer`. */
  readonly timers?: DueTimers;
  /** Default: global timers that do not keep the process alive. */
  readonly setTimer?: SetTimer;
}

const CEILING_MS = 50;
const LINGER_MS = 1;
const READ_BYTES = 64 * 1024;
/** The most that a client's first bytes are copied for that; what follows is relayed as it comes. */
const WITH_PREFACE_BYTES = 16 * 1024;

export interface EpollEngine extends Engine {
  /** Ends the loop and closes its descriptors; everything else must be closed already. */
  close(): void;
}

/** Creates the engine. Throws when descriptors have run out. */
export function createEpollEngine(deps: EpollEngineDeps): EpollEngine {
  const { libc, clock, now, ceilingMs = CEILING_MS, waitsForPromises } = deps;
  const timers = deps.timers ?? new DueTimers(now, deps.setTimer ?? setUnrefTimer);
  const setTimer = timers.set;
  const reactor = new Reactor(libc, {
    now,
    ceilingMs,
    lingerMs: () => (waitsForPromises?.() === true ? 0 : LINGER_MS),
    nextTimerMs: () => timers.nextDueMs,
    ...(deps.wakeFd === undefined ? {} : { wakeFd: deps.wakeFd }),
  });
  const descriptors = new Descriptors(libc, reactor, deps.ownerTable);
  descriptors.own(reactor.fd);
  const shared = {
    libc,
    reactor,
    descriptors,
    pipes: new PipePool(libc, {
      own: fd => descriptors.own(fd),
      close: fd => descriptors.close(fd),
      now: () => clock.nowMs,
    }),
    readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
    trustsShortReads: deps.trustsShortReads ?? true,
    room: new Room(deps.waitingLimit ?? WAITING_LIMIT),
    setTimer,
    clock,
    deadlines: new Deadlines(now, setTimer),
    keepalives: new LateKeepalives(clock, setTimer),
    poller: new Poller(setTimer),
  };

  return {
    name: 'epoll',
    listen: (where, handlers, options) => listenEpoll(where, handlers, shared, options),
    waitedMs: client => (own(client).isTcp ? sinceHandshake(libc, own(client).fd) : undefined),
    drop: client => drop(own(client), libc),
    connect: (address, options, done) =>
      options.tls === undefined ? connectEpoll(address, options, shared, done) : refuseTls(reactor, done),
    relay: (client, backend, handlers, options) => {
      const from = own(client);
      // What has come already leaves together with the preface: one call and one segment less.
      if (options?.preface !== undefined) readFirst(from, WITH_PREFACE_BYTES, shared);
      return new EpollRelay(from, own(backend), shared, handlers, options);
    },
    close: () => {
      shared.pipes.close();
      reactor.close();
      descriptors.close(reactor.fd);
    },
  };
}

function refuseTls(reactor: Reactor, done: (result: ConnectResult) => void): Cancel {
  let isCancelled = false;
  reactor.defer(() => {
    if (!isCancelled) done({ ok: false, failure: { reason: 'tls', code: 'ENOTSUP' } });
  });
  return () => (isCancelled = true);
}

function drop(client: EpollConnection, libc: Libc): void {
  if (!client.closed && client.isTcp && hush(libc, client.fd) === 'full') client.close();
  else client.reset();
}

function own(connection: Connection): EpollConnection {
  if (connection instanceof EpollConnection) return connection;
  throw new Lb4Error('LB4_WRONG_STATE', 'the epoll engine knows only connections that it has made itself');
}
