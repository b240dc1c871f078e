/**
 * A look at the first bytes of a connection that no relay owns.
 *
 * Place: the owner of a client whose first bytes decide where it goes. What is read stays with the connection: its
 * next owner gets it first, and may be another peek.
 * Limit: Node decides how much it reads at once. One read may lie beyond the limit; it is held, and not shown.
 * Invariants: nothing is shown before `peek` has returned, and nothing after 'full', 'end' or 'reset'.
 */
import type { OnPeek } from '../engine.ts';
import type { ConnectionOwner } from './connection-owner.ts';
import type { NodeConnection } from './node-connection.ts';

export class Peeking implements ConnectionOwner {
  readonly #connection: NodeConnection;
  readonly #limitBytes: number;
  readonly #onChange: OnPeek;
  #shownBytes = 0;
  #isOver = false;

  constructor(connection: NodeConnection, limitBytes: number, onChange: OnPeek) {
    this.#connection = connection;
    this.#limitBytes = limitBytes;
    this.#onChange = onChange;
  }

  /** To be called once it owns the connection. */
  begin(): void {
    const connection = this.#connection;
    if (!connection.isClosed && connection.heldBytes < this.#limitBytes) connection.resumeReading();
    process.nextTick(() => this.#show());
  }

  onData(chunk: Buffer): void {
    this.#connection.hold(chunk);
    if (this.#connection.heldBytes >= this.#limitBytes) this.#connection.pauseReading();
    this.#show();
  }

  onEnd(): void {
    this.#show();
  }

  onDrain(): void {
    // It writes nothing.
  }

  onWriteFailed(): void {
    // It writes nothing.
  }

  onBroken(): void {
    this.#show();
  }

  onClose(): void {
    // The caller has closed it: what the peer did was shown before.
  }

  #show(): void {
    const connection = this.#connection;
    if (this.#isOver || !connection.isOwnedBy(this)) return;
    const bytes = connection.showHeld(this.#limitBytes);
    const state = bytes.length < this.#limitBytes ? connection.ending : 'full';
    if (state === 'open' && bytes.length === this.#shownBytes) return;
    this.#shownBytes = bytes.length;
    this.#isOver = state !== 'open';
    this.#onChange(bytes, state);
  }
}
