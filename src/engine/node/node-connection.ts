/**
 * One socket, with the guards that every socket needs, from birth to close.
 *
 * Place: made by the listener and by connect; handed to the session as `Connection`; read and written by
 * whoever owns it: a watch, `finish`, or the relay.
 * Invariants: an 'error' listener exists from birth, so nothing the peer does ends the process; nothing is
 * read while nobody owns the socket; bytes read during a watch are held and come first; exactly one owner.
 * A failed write does not end the socket: Node would destroy it together with the unread answer of a peer
 * that stopped listening (a server that says "413" and closes). The `_write` hooks of the stream API swallow
 * the error; reading goes on and meets the end or the reset behind the last byte.
 */
import { Socket } from 'node:net';

import type { Connection } from '../engine.ts';
import { endWasReset } from './peer-reset.ts';
import type { Room } from '../room.ts';
import type { SetTimer } from '../../support/timer.ts';

/** Whoever reads and writes a connection at the moment; told what happens on it, in order. */
export interface ConnectionOwner {
  onData(chunk: Buffer): void;
  /** The peer has sent its FIN; nothing more will be read. `wasReset`: Node says FIN, but it was a reset. */
  onEnd(wasReset: boolean): void;
  /** Everything written so far is with the kernel. */
  onDrain(): void;
  /** The peer takes no bytes any more; what it had sent before can still be read. */
  onWriteFailed(): void;
  /** The socket is closed; `failed` when an error closed it. Last call. */
  onClose(failed: boolean): void;
}

/** What is known of the peer when the connection is made. */
export interface Peer {
  readonly kind: 'tcp' | 'unix';
  readonly address: string;
  readonly port: number;
}

export interface ConnectionDeps {
  readonly setTimer: SetTimer;
  /** Where `finish` takes a place for as long as it waits for the peer. */
  readonly room: Room;
}

/** A watch stops reading here; one read of up to 64 KiB may lie beyond. */
const HELD_LIMIT_BYTES = 16 * 1024;
/** `finish` swallows this much, then stops reading and leaves the rest to the kernel's buffers. */
const SWALLOW_LIMIT_BYTES = 64 * 1024;
const SWALLOW_LIMIT_MS = 2000;

type WriteDone = (error?: Error | null) => void;

export class NodeConnection implements Connection {
  readonly peerAddress: string;
  readonly peerPort: number;
  /** For the owner only. */
  readonly socket: Socket;
  readonly isTcp: boolean;
  readonly #deps: ConnectionDeps;
  #owner: ConnectionOwner | undefined;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #end: 'open' | 'fin' | 'reset' = 'open';
  #failed = false;
  #closed = false;
  /** Node passes the same completion callback to every write, so one tolerant copy per socket is enough. */
  #writeDone: WriteDone | undefined;
  #tolerantWriteDone: WriteDone = () => undefined;

  /** Takes a socket that is not flowing; it stays unread until somebody owns it. */
  constructor(socket: Socket, peer: Peer, deps: ConnectionDeps) {
    this.socket = socket;
    this.isTcp = peer.kind === 'tcp';
    this.peerAddress = peer.address;
    this.peerPort = peer.port;
    this.#deps = deps;
    socket.on('error', () => {
      this.#failed = true;
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.#receiveEnd());
    socket.on('drain', () => this.#owner?.onDrain());
    socket.on('close', () => this.#receiveClose());
    socket._write = (chunk, encoding, done) =>
      Socket.prototype._write.call(socket, chunk, encoding, this.#tolerant(done));
    socket._writev = (chunks, done) => Socket.prototype._writev?.call(socket, chunks, this.#tolerant(done));
  }

  watch(onChange: (change: 'readable' | 'dead') => void): void {
    let told: 'nothing' | 'readable' | 'dead' = 'nothing';
    const tell = (change: 'readable' | 'dead'): void => {
      if (this.#owner !== watcher || told === 'dead' || told === change) return;
      told = change;
      onChange(change);
    };
    const watcher: ConnectionOwner = {
      onData: chunk => {
        this.#hold(chunk);
        if (this.#heldBytes >= HELD_LIMIT_BYTES) this.socket.pause();
        tell('readable');
      },
      onEnd: () => tell('dead'),
      onDrain: () => undefined,
      onWriteFailed: () => undefined,
      onClose: () => tell('dead'),
    };
    this.#owner = watcher;
    if (!this.#closed && this.#heldBytes < HELD_LIMIT_BYTES) this.socket.resume();
    // What is known already is told too, but not before this call has returned.
    process.nextTick(() => {
      if (this.#held.length > 0) tell('readable');
      if (this.#end !== 'open' || this.#closed) tell('dead');
    });
  }

  unwatch(): void {
    this.#owner = undefined;
    this.socket.pause();
  }

  finish(bytes?: Uint8Array): void {
    const { socket } = this;
    const { room, setTimer } = this.#deps;
    if (socket.destroyed) return;
    if (!room.take()) {
      // No room to wait for the peer: it gets a reset instead of last words it might never read.
      this.reset();
      return;
    }
    let swallowedBytes = 0;
    const cancelTimer = setTimer(() => socket.destroy(), SWALLOW_LIMIT_MS);
    this.own({
      onData: chunk => {
        swallowedBytes += chunk.length;
        if (swallowedBytes > SWALLOW_LIMIT_BYTES) socket.pause();
      },
      onEnd: () => undefined,
      onDrain: () => undefined,
      onWriteFailed: () => socket.destroy(),
      onClose: () => {
        cancelTimer();
        room.leave();
      },
    });
    if (socket.writableEnded) return;
    if (bytes !== undefined && bytes.length > 0) socket.write(bytes);
    socket.end();
  }

  reset(): void {
    const { socket } = this;
    if (socket.destroyed) return;
    if (!this.isTcp) {
      socket.destroy();
    } else if (socket.writableEnded && !socket.writableFinished && socket.writableLength === 0) {
      // shutdown(2) is under way. libuv refuses a reset until it is done, within this turn or the next, and
      // Node would lose the descriptor over that refusal (EINVAL from uv_tcp_close_reset).
      socket.once('finish', () => socket.resetAndDestroy());
    } else {
      socket.resetAndDestroy();
    }
  }

  /** Makes `owner` the one who reads: first what was held, then what arrives. `onClose` never comes at once. */
  own(owner: ConnectionOwner): void {
    this.#owner = owner;
    if (!this.#closed) this.socket.resume();
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const chunk of held) owner.onData(chunk);
    if (this.#end !== 'open') owner.onEnd(this.#end === 'reset');
    if (this.#closed) process.nextTick(() => owner.onClose(this.#failed));
  }

  /** Everything received is with the owner, everything written with the kernel, and nobody has ended. */
  get isQuiet(): boolean {
    const { socket } = this;
    return (
      this.#end === 'open' &&
      !socket.destroyed &&
      !socket.writableEnded &&
      socket.writableLength === 0 &&
      socket.readableLength === 0
    );
  }

  #hold(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
  }

  #receive(chunk: Buffer): void {
    if (this.#owner === undefined) this.#hold(chunk);
    else this.#owner.onData(chunk);
  }

  #receiveEnd(): void {
    this.#end = endWasReset(this.socket) ? 'reset' : 'fin';
    this.#owner?.onEnd(this.#end === 'reset');
  }

  #receiveClose(): void {
    this.#closed = true;
    if (this.#failed) this.#rescueUnread();
    this.#owner?.onClose(this.#failed);
  }

  /** What a reset found in the stream's own buffer, read from the peer but not yet taken by the owner. */
  #rescueUnread(): void {
    this.socket.removeAllListeners('data');
    for (let chunk: unknown = this.socket.read(); chunk !== null; chunk = this.socket.read()) {
      if (!Buffer.isBuffer(chunk)) return;
      this.#receive(chunk);
    }
  }

  #tolerant(done: WriteDone): WriteDone {
    if (this.#writeDone !== done) {
      this.#writeDone = done;
      this.#tolerantWriteDone = error => {
        if (error) this.#owner?.onWriteFailed();
        done();
      };
    }
    return this.#tolerantWriteDone;
  }
}
