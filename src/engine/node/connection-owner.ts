/**
 * What the owner of a connection (a watch, a peek, `finish`, or a side of a relay) receives.
 *
 * Place: between node-connection.ts and its owners.
 */
/** The part of the code that reads and writes a connection at the moment; its calls come in order. */
export interface ConnectionOwner {
  onData(chunk: Buffer): void;
  /** The peer has sent its FIN; nothing more will be read. `wasReset`: Node says FIN, but it was a reset. */
  onEnd(wasReset: boolean): void;
  /** Everything written so far is with the kernel. */
  onDrain(): void;
  /** The peer takes no bytes any more; what it had sent before can still be read. */
  onWriteFailed(): void;
  /** The connection was reset or has broken, and everything the peer had sent is read. `onClose` follows. */
  onBroken(): void;
  /** The socket is closed. Last call. */
  onClose(): void;
}
