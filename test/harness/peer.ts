/**
 * One scripted raw TCP peer: a socket whose reading, FIN and reset are under the test's control.
 *
 * Place: what harness/client.ts opens and harness/backend.ts accepts; knows nothing of lb4.
 * Reads from the start, keeps the count and the checksum of all bytes, and the bytes themselves up to 1 MiB.
 * `ending` tells how the other side ended its direction, also on Node 20 and 22, which report "data, then
 * reset" as end-of-file: after a reset the kernel has forgotten the peer's address. As with a C program, a
 * write that fails does not throw away what is still to be read.
 */
import { createHash } from 'node:crypto';
import { Socket } from 'node:net';

import { reset } from './reset.ts';
import { pause, until } from './until.ts';

export type Ending = 'fin' | 'reset';

const KEPT_BYTES = 1024 * 1024;

export class Peer {
  readonly socket: Socket;
  receivedBytes = 0;
  /** How the other side ended; undefined while it has not. */
  ending: Ending | undefined;
  closed = false;
  #hash = createHash('sha256');
  #kept: Buffer[] = [];
  #slow: { readonly chunkBytes: number; readonly everyMs: number } | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // What had arrived before the reset may still lie in the stream, if the reset came while it was paused.
      for (let chunk: unknown = socket.read(); Buffer.isBuffer(chunk); chunk = socket.read())
        this.#take(chunk);
      // EPIPE: the reset met a write before a read; both say that the other side is gone.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.ending = 'reset';
    });
    socket.on('end', () => {
      const stillKnown = socket.writableEnded || socket.remoteAddress !== undefined || !this.isTcp;
      this.ending ??= stillKnown ? 'fin' : 'reset';
    });
    socket.on('close', () => {
      this.closed = true;
    });
    const tolerant =
      (done: () => void) =>
      (error?: Error | null): void => {
        if (error) this.#writeFailed();
        done();
      };
    socket._write = (chunk, encoding, done) =>
      Socket.prototype._write.call(socket, chunk, encoding, tolerant(done));
    socket._writev = (chunks, done) => Socket.prototype._writev?.call(socket, chunks, tolerant(done));
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
      const slow = this.#slow;
      if (slow === undefined) return;
      socket.pause();
      void pause((chunk.length / slow.chunkBytes) * slow.everyMs).then(() => this.#slow && socket.resume());
    });
  }

  #take(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    this.#hash.update(chunk);
    if (this.receivedBytes <= KEPT_BYTES) this.#kept.push(chunk);
  }

  get isTcp(): boolean {
    return this.socket.localPort !== undefined;
  }

  /** Everything received, as text; for small conversations. */
  get text(): string {
    return Buffer.concat(this.#kept).toString();
  }

  /** Everything received, up to 1 MiB. */
  get bytes(): Buffer {
    return Buffer.concat(this.#kept);
  }

  /** The SHA-256 of everything received so far. */
  checksum(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Resolves when the kernel has taken the bytes, or when the socket has died over them. */
  async send(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>(resolve => {
      this.socket.write(bytes, () => resolve());
    });
  }

  /** Sends a FIN behind everything written so far; goes on reading. */
  halfClose(): void {
    this.socket.end();
  }

  /** Resets at once; what the kernel has not sent yet is lost. */
  reset(): void {
    reset(this.socket);
  }

  /** Reads nothing more until `read` or `readSlowly`. */
  stall(): void {
    this.#slow = undefined;
    this.socket.pause();
  }

  /** Reads at full speed. */
  read(): void {
    this.#slow = undefined;
    this.socket.resume();
  }

  /** Reads about `chunkBytes` every `everyMs`. */
  readSlowly(chunkBytes: number, everyMs: number): void {
    this.#slow = { chunkBytes, everyMs };
    this.socket.resume();
  }

  async untilText(text: string): Promise<void> {
    await until(`"${text}" has arrived (so far: "${this.text}")`, () => this.text.includes(text));
  }

  async untilBytes(count: number): Promise<void> {
    await until(`${count} bytes have arrived`, () => this.receivedBytes >= count, 30_000);
  }

  async untilEnded(): Promise<Ending> {
    await until('the other side has ended', () => this.ending !== undefined, 30_000);
    return this.ending!;
  }

  /** The other side is gone; if it still has something to say, reading goes on and finds out how it ended. */
  #writeFailed(): void {
    if (this.ending === undefined) return;
    this.ending = 'reset';
    this.socket.destroy();
  }
}
