/**
 * One socket, with the guards that every socket needs, from birth to close.
 *
 * Place: made by the listener and by connect; handed to the session as `Connection`; read and written by its owner:
 * a watch, a peek, `finish`, or the relay.
 * Invariants:
 * - an 'error' listener exists from birth, so nothing the peer does ends the process;
 * - there is at most one owner, and without one nothing is read; bytes read during a watch or a peek are held and
 *   come first.
 * For TLS there is one over another: tls/tls-connection.ts.
 * Reading: into the buffers of the engine (read-buffers.ts), so a chunk is valid until `onData` returns, or until
 * everything is written if the owner has passed it to another connection's `write` and stops reading at once.
 * Writing: straight to the handle through the `_write` hook, past the buffers of the stream, which pauses the
 * reader whenever the kernel does not take all. A failed write does not end the socket: Node would destroy it with the
 * unread answer of a peer that stopped listening ("413"); reading goes on to the end or the reset behind the last byte.
 */
import { Socket } from 'node:net';
import type { Connection, OnPeek, PeekState } from '../engine.ts';
import { HeldBytes, takeFrom } from '../held-bytes.ts';
import type { ConnectionDeps, MakeSocket, Peer } from './connection-deps.ts';
import type { ConnectionOwner } from './connection-owner.ts';
import { queuedBytesOf } from '../../support/descriptor.ts';
import { Finishing } from './finishing.ts';
import { localAddressOf } from './local-address.ts';
import { Peeking } from './peeking.ts';
import { endWasReset } from './peer-reset.ts';
import { LARGE_FROM_BYTES, LARGE_UNTIL_BYTES } from './read-buffers.ts';
import { resetSocket } from './reset-socket.ts';
import { takeUnread } from './take-unread.ts';
import { Watching } from './watching.ts';

const NOTHING = Buffer.alloc(0);
/** What Node reads at once for a stream. */
const STREAMED_BYTES = 64 * 1024;
/** After this many bytes in full buffers others have their turn; one read may lie beyond. */
const TURN_BYTES = 64 * 1024;
/** What a stream passes to its `_write` hook when the chunk is bytes: documented by Node, missing in its types. */
const BYTES = 'buffer' as BufferEncoding;

export class NodeConnection implements Connection {
  readonly peerAddress: string;
  readonly peerPort: number;
  /** What is read and written; for the owner only. */
  readonly socket: Socket;
  readonly isTcp: boolean;
  /** For the pool that lends it. */
  lentBy: unknown;
  readonly #deps: ConnectionDeps;
  #owner: ConnectionOwner | undefined;
  #held: HeldBytes | undefined;
  #end: 'open' | 'fin' | 'reset' = 'open';
  #failed = false;
  #closed = false;
  /** A buffer of its own, while its reads are large. */
  #large: Buffer | undefined;
  #isReading = false;
  #isPaused = true;
  /** Bytes read in full buffers since others had their turn. */
  #turnBytes = 0;
  /** It reads on when others have had their turn. */
  #isYielding = false;
  /** Node gives its bytes as 'data', because the socket could not be made with `onread`. */
  readonly #isStreamed: boolean;
  #pendingWrites = 0;
  #isWriting = false;
  #whenWritten: 'nothing' | 'end' | 'destroy' = 'nothing';
  readonly #written: (error?: Error | null) => void;

  /** Takes a socket that is not flowing, or makes it; it stays unread until it has an owner. */
  constructor(source: Socket | MakeSocket, peer: Peer, deps: ConnectionDeps) {
    this.#deps = deps;
    this.isTcp = peer.kind === 'tcp';
    this.peerAddress = peer.address;
    this.peerPort = peer.port;
    this.#isStreamed = source instanceof Socket;
    const buffer = (): Buffer => this.#large ?? deps.buffers.shared;
    const callback = (bytes: number, into: Uint8Array): boolean => this.#read(bytes, into);
    const socket = source instanceof Socket ? source : source({ buffer, callback });
    this.socket = socket;
    this.#written = error => this.#receiveWritten(error);
    socket.on('error', () => this.fail());
    if (this.#isStreamed) {
      socket.on('data', (chunk: Buffer) => {
        this.#receive(chunk);
        if (this.#mustYield(chunk.length, STREAMED_BYTES)) socket.pause();
      });
    }
    socket.on('end', () => this.#receiveEnd());
    socket.on('close', () => this.#receiveClose());
  }

  /** The socket that the system knows. */
  get kernelSocket(): Socket {
    return this.socket;
  }

  get localAddress(): string {
    return localAddressOf(this.kernelSocket);
  }

  get wasReset(): boolean {
    return this.#end === 'reset' || this.#failed;
  }

  /** Some of what was written is not with the kernel yet. */
  get hasUnsent(): boolean {
    return this.#pendingWrites > 0;
  }

  /** Bytes that the kernel has not taken yet: at least one while there are any. */
  get queuedBytes(): number {
    return this.hasUnsent ? Math.max(queuedBytesOf(this.kernelSocket), 1) : 0;
  }

  /** Bytes that were read and come first for the next owner that reads. */
  get heldBytes(): number {
    return this.#held?.length ?? 0;
  }

  /** How the peer has ended, as far as it was read. */
  get ending(): Exclude<PeekState, 'full'> {
    if (this.wasReset) return 'reset';
    if (this.#end === 'fin') return 'end';
    return this.#closed ? 'reset' : 'open';
  }

  /** The peer's end has been read. */
  get isEnded(): boolean {
    return this.#end !== 'open';
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Our FIN is out, or follows the last byte. */
  get hasEnded(): boolean {
    return this.socket.writableEnded || this.#whenWritten !== 'nothing';
  }

  /** The owner has everything received, the kernel has everything written, and neither side has ended. */
  get isQuiet(): boolean {
    const { socket } = this;
    const isOpen = this.#end === 'open' && !socket.destroyed && !this.hasEnded;
    return isOpen && !this.hasUnsent && socket.readableLength === 0;
  }

  watch(onChange: (change: 'readable' | 'dead') => void): void {
    const watching = new Watching(this, onChange);
    this.#owner = watching;
    watching.begin();
  }

  peek(limitBytes: number, onChange: OnPeek): void {
    const peeking = new Peeking(this, limitBytes, onChange);
    this.#owner = peeking;
    peeking.begin();
  }

  take(bytes: number): void {
    if (this.#owner instanceof Peeking) this.unwatch();
    this.#held = takeFrom(this.#held, bytes);
  }

  unwatch(): void {
    this.#owner = undefined;
    this.pauseReading();
  }

  finish(bytes?: Uint8Array): void {
    if (this.socket.destroyed) return;
    if (!this.#deps.room.take()) {
      // No room to wait for the peer: it gets a reset instead of last words that it might never read.
      this.reset();
      return;
    }
    this.own(new Finishing(this, this.#deps));
    if (this.hasEnded) return;
    if (bytes !== undefined && bytes.length > 0) this.write(bytes);
    this.end();
  }

  reset(): void {
    resetSocket(this.socket, this.isTcp);
  }

  isOwnedBy(owner: ConnectionOwner): boolean {
    return this.#owner === owner;
  }

  /** Holds what its owner has just received, for the next owner. */
  hold(chunk: Buffer): void {
    if (this.#held !== undefined) this.#held.append(chunk);
    else this.#held = new HeldBytes(this.#large === undefined ? chunk : Buffer.from(chunk));
  }

  /** The first of the bytes that are held. */
  showHeld(limitBytes: number): Buffer {
    return this.#held?.show(limitBytes) ?? NOTHING;
  }

  /** Makes `owner` receive the results of writes; it reads nothing before `own`. */
  lendTo(owner: ConnectionOwner): void {
    this.#owner = owner;
  }

  /** Makes `owner` the reader: it receives first what was held, then what arrives. `onClose` never comes at once. */
  own(owner: ConnectionOwner): void {
    this.#owner = owner;
    if (!this.#closed) this.resumeReading();
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) owner.onData(held.show());
    if (this.#end !== 'open') owner.onEnd(this.#end === 'reset');
    if (!this.#failed && !this.#closed) return;
    // Only a failure before this call is reported here: an error that comes later finds its owner.
    const [hasFailed, isClosed] = [this.#failed, this.#closed];
    process.nextTick(() => {
      if (hasFailed) owner.onBroken();
      if (isClosed) owner.onClose();
    });
  }

  /** True when the kernel has taken it all; otherwise `bytes` stay in use until `onDrain`. */
  write(bytes: Uint8Array): boolean {
    this.#pendingWrites++;
    this.#isWriting = true;
    this.hand(bytes, this.#written);
    this.#isWriting = false;
    return this.#pendingWrites === 0;
  }

  /** Sends a FIN behind everything written. An earlier one would keep a reset waiting for the written bytes. */
  end(): void {
    if (this.hasUnsent) this.#whenWritten = 'end';
    else this.conclude('end');
  }

  /** For a reset that cannot be sent: as `end`, but no end of TLS. */
  endAsReset(): void {
    this.end();
  }

  /** The peer has ended, and everything is written: has the effect of a FIN. */
  close(): void {
    this.socket.destroy();
  }

  /** Closes the socket behind everything written. */
  destroyWhenWritten(): void {
    if (this.hasUnsent) this.#whenWritten = 'destroy';
    else this.conclude('destroy');
  }

  pauseReading(): void {
    this.#isPaused = true;
    // During a read its return value stops the reading.
    if (!this.#isReading) this.socket.pause();
  }

  resumeReading(): void {
    this.#isPaused = false;
    if (this.#isReading || this.#isYielding) return;
    if (this.#isStreamed) this.socket.resume();
    // Starts the handle, as `resume` would, without making the stream flow: no byte comes through the stream.
    else this.socket.read(0);
  }

  protected hand(bytes: Uint8Array, written: (error?: Error | null) => void): void {
    this.socket._write(bytes, BYTES, written);
  }

  /** Everything is written. */
  protected conclude(how: 'end' | 'destroy'): void {
    if (how === 'end') this.socket.end();
    else this.socket.destroySoon();
  }

  /** The connection has broken: its owner gets what was read before, and learns of it. */
  protected fail(): void {
    this.#failed = true;
    if (this.#isStreamed) takeUnread(this.socket, chunk => this.#receive(chunk));
    this.#owner?.onBroken();
  }

  /** `onread` of the socket: false stops the reading. */
  #read(bytes: number, buffer: Uint8Array): boolean {
    const { buffers } = this.#deps;
    this.#isReading = true;
    if (this.#large !== undefined && bytes >= LARGE_UNTIL_BYTES) {
      this.#receive(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
    } else {
      const copy = Buffer.allocUnsafe(bytes);
      copy.set(buffer.subarray(0, bytes));
      if (this.#large !== undefined) {
        buffers.giveBack(this.#large);
        this.#large = undefined;
      } else if (bytes >= LARGE_FROM_BYTES) {
        this.#large = buffers.lend();
      }
      this.#receive(copy);
    }
    this.#isReading = false;
    return !this.#isPaused && !this.#mustYield(bytes, buffer.length);
  }

  /** Only a buffer that comes back full makes libuv read on within this turn. */
  #mustYield(bytes: number, bufferBytes: number): boolean {
    this.#turnBytes = bytes < bufferBytes ? 0 : this.#turnBytes + bytes;
    if (this.#turnBytes < TURN_BYTES || this.#isPaused) return false;
    this.#turnBytes = 0;
    this.#isYielding = true;
    this.#deps.turns.next(() => {
      this.#isYielding = false;
      if (!this.#isPaused && !this.#closed) this.resumeReading();
    });
    return true;
  }

  #receiveWritten(error?: Error | null): void {
    this.#pendingWrites--;
    if (this.socket.destroyed) return;
    if (error) this.#owner?.onWriteFailed();
    else if (!this.#isWriting && this.#pendingWrites === 0) this.#receiveDrain();
  }

  #receiveDrain(): void {
    if (this.#whenWritten !== 'nothing') this.conclude(this.#whenWritten);
    this.#owner?.onDrain();
  }

  #receive(chunk: Buffer): void {
    if (this.#owner === undefined) this.hold(chunk);
    else this.#owner.onData(chunk);
  }

  #receiveEnd(): void {
    this.#end = endWasReset(this.socket) ? 'reset' : 'fin';
    this.#owner?.onEnd(this.#end === 'reset');
  }

  #receiveClose(): void {
    this.#closed = true;
    if (this.#large !== undefined) this.#deps.buffers.drop();
    this.#large = undefined;
    this.#owner?.onClose();
  }
}
