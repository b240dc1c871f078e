/**
 * A watch over a connection that no relay has.
 *
 * Place: the owner of a parked connection, or of a client that waits. Node cannot report that bytes are there without
 * reading them, so what it reads is held by the connection, within bounds.
 * Invariants: 'readable' and 'dead' once each, 'dead' last, neither before `watch` has returned.
 */
import type { ConnectionOwner } from './connection-owner.ts';
import type { NodeConnection } from './node-connection.ts';

/** A watch stops reading here; one read may lie beyond. */
const HELD_LIMIT_BYTES = 16 * 1024;

export class Watching implements ConnectionOwner {
  readonly #connection: NodeConnection;
  readonly #onChange: (change: 'readable' | 'dead') => void;
  #told: 'nothing' | 'readable' | 'dead' = 'nothing';

  constructor(connection: NodeConnection, onChange: (change: 'readable' | 'dead') => void) {
    this.#connection = connection;
    this.#onChange = onChange;
  }

  /** To be called once it owns the connection. */
  begin(): void {
    const connection = this.#connection;
    if (!connection.isClosed && connection.heldBytes < HELD_LIMIT_BYTES) connection.resumeReading();
    // What is known already is reported too, but not before `watch` has returned.
    process.nextTick(() => {
      if (connection.heldBytes > 0) this.#tell('readable');
      if (connection.isEnded || connection.isClosed) this.#tell('dead');
    });
  }

  onData(chunk: Buffer): void {
    this.#connection.hold(chunk);
    if (this.#connection.heldBytes >= HELD_LIMIT_BYTES) this.#connection.pauseReading();
    this.#tell('readable');
  }

  onEnd(): void {
    this.#tell('dead');
  }

  onDrain(): void {
    // It writes nothing.
  }

  onWriteFailed(): void {
    // It writes nothing.
  }

  onBroken(): void {
    // The close follows.
  }

  onClose(): void {
    this.#tell('dead');
  }

  #tell(change: 'readable' | 'dead'): void {
    if (!this.#connection.isOwnedBy(this) || this.#told === 'dead' || this.#told === change) return;
    this.#told = change;
    this.#onChange(change);
  }
}
