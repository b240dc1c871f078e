/**
 * The engine contract: sockets and relay, as the session sees them.
 *
 * Place: the session is written once over this contract and never sees a `net.Socket` or a file descriptor.
 * Implementations: `node/` (net.Server and net.Socket, any system) and `epoll/` (Linux, system calls through
 * koffi, docs/adr/0007). test/contracts/engine.ts is the suite that every engine passes.
 * Why callbacks: an engine that runs its own readiness loop completes many steps within one turn of
 * JavaScript; promises would hold each of them back to the end of that turn.
 * Invariants:
 * - every `done` is called exactly once, never after its cancel, and never before the call that took it has returned;
 * - nor is a handler of a relay called before `relay` has returned;
 * - an engine never throws on the data path;
 * - a connection belongs to its creator until `relay`, `finish` or `reset` takes it;
 * - the connections of one engine are relayed by that engine only.
 */
import type { SocketOptions, ListeningSocket } from '../support/socket.ts';
import type { EngineTls, TlsConnect } from './tls.ts';
import type { Address, ListenAddress } from '../support/address.ts';

export type EngineName = 'node' | 'epoll';

export interface Engine {
  readonly name: EngineName;
  /** Absent: the engine does not speak TLS. */
  readonly tls?: EngineTls;
  /**
   * Binds an address, or takes over a socket that listens already, and accepts clients. Rejects with an `Lb4Error`
   * (`LB4_LISTEN_FAILED`) naming the address. `options` are for the clients' sockets; a socket that is taken over
   * was given them when it was bound.
   */
  listen(
    where: ListenAddress | ListeningSocket,
    handlers: ListenHandlers,
    options?: SocketOptions,
  ): Promise<EngineListener>;
  /**
   * How long an accepted client has been connected, of which nothing was read and to which nothing was sent. Undefined
   * where the system does not say, and for a unix socket. Costs a system call.
   */
  waitedMs(client: Connection): number | undefined;
  /**
   * Gives up a client that no relay has, without an answer as far as the system allows; else resets it. Owns the
   * connection from now on. Idempotent.
   */
  drop(client: Connection): void;
  /**
   * Opens a connection to a numeric or unix address, without waiting for a byte from either side. Nothing has
   * been read from it yet. A cancel after `done` has no effect.
   */
  connect(address: Address, options: ConnectOptions, done: (result: ConnectResult) => void): Cancel;
  /**
   * Joins two connections until both directions have ended, and owns both from now on. A half-close or reset arrives at
   * the other side as a half-close or reset, after everything received before it. The relay ends when both sockets are
   * closed: without a timeout of the session's own, a peer that stops reading keeps it for ever.
   */
  relay(client: Connection, backend: Connection, handlers: RelayHandlers, options?: RelayOptions): Relay;
}

export interface ListenHandlers {
  /** Owns the connection it is given; nothing has been read from it yet. */
  onClient(client: Connection): void;
  /** A client found no room to wait while the listener was paused, and was reset. */
  onTurnedAway?(): void;
  /**
   * The system has no descriptor or memory for another client. Clients wait in the kernel; the engine tries
   * again by itself after a moment. `code` is the system's name for it, such as EMFILE.
   */
  onExhausted?(code: string): void;
  /**
   * Another program has made the socket stop listening, and clients were refused; those in its queue are lost. `code`:
   * the system's name for why it cannot listen again yet. The engine goes on trying.
   */
  onBroken?(code: string | undefined): void;
  /** After `onBroken`: it listens again. */
  onMended?(): void;
}

export type Cancel = () => void;

export interface ConnectOptions extends SocketOptions {
  readonly timeoutMs: number;
  /** The address of the client that it is for, where the connection is to have it (`source`). */
  readonly client?: string | undefined;
  /** Absent: the backend gets bytes as they are. Only for engines with TLS. */
  readonly tls?: TlsConnect | undefined;
}

export type ConnectResult =
  | { readonly ok: true; readonly connection: Connection }
  | { readonly ok: false; readonly failure: ConnectFailure };

export interface ConnectFailure {
  /** 'tls': it is connected, but the handshake failed, or what has to come before it. */
  readonly reason: 'refused' | 'timeout' | 'unreachable' | 'reset' | 'tls' | 'localResources';
  /** The system's own name for it, such as ECONNREFUSED, or OpenSSL's; for a person who reads it. */
  readonly code: string;
}

export interface EngineListener {
  /** The bound address, with the port the kernel chose when port 0 was asked for. */
  readonly address: Address;
  /**
   * Takes no further client until `resume`: new clients wait, connected but untouched, first come first served.
   * How many can wait is bounded; beyond that they are refused or reset. Idempotent.
   */
  pause(): void;
  /** Takes clients again, first those that waited. A `pause` from within `onClient` keeps the rest waiting. */
  resume(): void;
  /**
   * Hands over every client that had already connected, also while paused, then closes the socket. Resolves
   * when the address is free, within about a second however many keep coming; sessions live on. Idempotent.
   */
  close(): Promise<void>;
  /**
   * For a socket that was taken over, and that others have, too: takes no client any more, and leaves those in the
   * kernel's queue to the others. Clients that this listener has accepted and held back are handed over first.
   */
  release(): void;
}

/**
 * What follows the bytes that a peek shows: 'open' when more may come, 'full' when its limit is reached, 'end' when the
 * peer has sent its FIN behind them, 'reset' when the peer has reset the connection or it broke.
 */
export type PeekState = 'open' | 'full' | 'end' | 'reset';

/** `bytes` is everything the peer has sent so far, up to the limit. They never change, and must not be changed. */
export type OnPeek = (bytes: Uint8Array, state: PeekState) => void;

/** One side of a session. */
export interface Connection {
  /** The peer's IP address and port; '' and 0 for unix sockets. IPv4 is never shown as a mapped IPv6 address. */
  readonly peerAddress: string;
  readonly peerPort: number;
  /** This end's address and port; '' for unix sockets and once it is closed. Asks the system each time. */
  readonly localAddress: string;
  /**
   * After a watch has reported 'dead', or a peek 'end' or 'reset': true when the peer has reset the connection or it
   * broke, false when the peer has only finished sending and may still read. What follows a FIN is not always noticed.
   */
  readonly wasReset: boolean;
  /**
   * Reports what happens on a connection that no relay has: 'readable' when the peer has sent something (the bytes
   * stay and are relayed first), 'dead' when the peer has closed, half-closed or reset. Each is reported at most once,
   * 'dead' last, neither before `watch` has returned; a later watch reports them again. A dead connection can still be
   * relayed, and passes on what it has received and how it ended.
   * An engine may stop noticing the peer once 16 KiB of its bytes wait here.
   */
  watch(onChange: (change: 'readable' | 'dead') => void): void;
  /**
   * Shows the first bytes that the peer sends to a connection that no relay has, without consuming them: they are
   * relayed first, and a FIN or reset behind them is relayed too.
   * `onChange` is called each time more bytes have come, and once more when they end; never before `peek` has returned.
   * After 'full', 'end' or 'reset' it is not called again, and the peer is not looked at before the next owner does.
   * What earlier peeks and watches have read is shown again. A peek takes the place of a watch or of another peek,
   * and `unwatch`, `take`, `watch`, `finish`, `reset` and a relay end it.
   * No byte beyond the limit is shown; where an engine has to read more at once, it holds the rest.
   */
  peek(limitBytes: number, onChange: OnPeek): void;
  /**
   * Consumes the first `bytes` of those that peeks have shown, and ends the peek. They are never relayed or counted;
   * the rest stays. Throws `LB4_WRONG_STATE` when there are fewer. Not for a connection that is relayed.
   */
  take(bytes: number): void;
  /** Ends the watch or the peek; what it has read stays with the connection. */
  unwatch(): void;
  /**
   * Delivers `bytes`, if any, then a FIN, then swallows what the peer still sends, within a limit of time and bytes:
   * closing with unread bytes would reset the connection and take `bytes` with it (RFC 1122 4.2.2.13).
   */
  finish(bytes?: Uint8Array): void;
  /** Resets the connection at once (unix sockets: closes it). Idempotent. */
  reset(): void;
}

export interface RelayHandlers {
  /** `halfClosed` has become true; at most once. */
  onHalfClosed(): void;
  /** Both directions have ended and both connections are gone; exactly once, and last. */
  onEnd(outcome: RelayOutcome): void;
  /**
   * For a backend connection that was parked before: it was dead already. Its system has acknowledged none of the
   * bytes of this relay, its preface included, and nothing came back. Called instead of `onEnd`, with the backend's
   * connection gone and the client the caller's again; what the client had sent comes first in its next relay. Called
   * only by an engine that can prove it, and only where this handler is given; never after `abort`.
   */
  onStale?(): void;
}

export interface RelayOptions {
  /**
   * Hand the backend's connection back, instead of ending it, when the client leaves it clean (default false): the
   * client has sent its FIN, everything it sent is delivered and answered (the backend has sent last, or neither side
   * has sent anything), and the backend has not ended. The client's FIN is then answered with a FIN and not passed on.
   * A backend that has only greeted is not clean.
   */
  readonly reuse?: boolean;
  /**
   * The backend's connection has served another client before (default false). A byte of the backend that comes
   * before the first one of this client was meant for the other: the connection is then reset, and the relay
   * ends with `onStale`, which every engine can do here.
   */
  readonly reused?: boolean;
  /**
   * Bytes that the backend gets before anything of the client's, its FIN and its reset included, such as a header
   * that names the client. They are sent at once, without waiting for the client to send, and are not counted as the
   * client's. They must not change until the relay has ended.
   * They describe one client, so its backend connection serves no other: `reuse` has no effect beside a preface.
   * After `onStale` the next relay sends its own preface, then what the client had sent.
   */
  readonly preface?: Uint8Array;
}

/**
 * What a look has found between a relay and its receivers: 'nothing', 'bytes' that a later look may find delivered,
 * or 'unknown', because the answer takes a while: a later look has it.
 */
export type OnItsWay = 'nothing' | 'bytes' | 'unknown';

/** Says how much one direction of a relay may move, and when. Made for one direction of one relay. */
export interface Pace {
  /** `ask` has answered 0, and `goOn` is still to come. */
  readonly isWaiting: boolean;
  /** Called once, before the others. `goOn` is called after an `ask` that has answered 0, never from within it. */
  begin(goOn: () => void): void;
  /** How many bytes may move now; 0: none yet. */
  ask(): number;
  /** The number of bytes that have moved, perhaps more than were allowed. `mayFollow`: more of them may be there already. */
  took(bytes: number, mayFollow: boolean): void;
  /** The direction moves no more. Idempotent, and allowed before `begin`. */
  end(): void;
}

/** Of the two directions of a relay; undefined: as fast as it can. */
export interface Paces {
  readonly fromClient: Pace | undefined;
  readonly fromBackend: Pace | undefined;
}

/** Two joined connections. */
export interface Relay {
  /** Bytes received from each side and handed to the other. */
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
  /**
   * The engine's coarse time at which a byte last moved in either direction, or one of them ended. While a
   * reset waits until its receiver has everything, it moves only with what the receiver takes. While bytes wait only
   * for their pace, or for their turn after others, it is now.
   */
  readonly lastActivityMs: number;
  /** True once one direction has ended, and while a reset waits behind data. */
  readonly halfClosed: boolean;
  /**
   * Looks at what the receivers' systems have acknowledged of the bytes handed to them. If that is more than at the
   * last look, or this is the first one since bytes moved, `lastActivityMs` moves to now.
   */
  lookAtDelivery(): OnItsWay;
  /**
   * From now on both directions move as these say, and not as earlier ones did. What waits for its pace is left with the
   * sender, whose TCP slows down; an engine that has to read it at once holds one read of it. An end or a reset follows
   * the bytes before it and waits for nothing else. The relay ends its paces.
   */
  pace(paces: Paces): void;
  /** Resets both sides at once; `onEnd` follows with `aborted`. Without effect once the relay has ended. */
  abort(): void;
}

export interface RelayOutcome {
  /** Which side ended it: the first one that sent its FIN, or the one that reset. */
  readonly by: 'client' | 'backend' | 'balancer';
  readonly reason: 'closed' | 'reset' | 'aborted';
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
  /** When the backend's first byte was read, by the engine's exact clock; undefined: none was. */
  readonly firstByteMs?: number | undefined;
  /** When it ended, by the same clock. */
  readonly endedMs?: number;
  /** With `reuse`: the backend's connection, left clean; it is the caller's again. */
  readonly cleanBackend?: Connection;
}
