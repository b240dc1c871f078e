/**
 * A watch over a connection that no relay has.
 *
 * Place: the owner of a parked connection. It reads nothing: the kernel keeps the bytes, bounded by its buffers.
 * Those that a peek has read count as well.
 * Invariants: 'readable' and 'dead' once each, 'dead' last, neither before `watch` has returned.
 */
import type { ConnectionOwner, EpollConnection } from './epoll-connection.ts';
import type { Reactor } from './reactor.ts';

export class Watching implements ConnectionOwner {
  readonly #onChange: (change: 'readable' | 'dead') => void;
  #told: 'nothing' | 'readable' | 'dead' = 'nothing';

  constructor(
    connection: EpollConnection,
    reactor: Reactor,
    onChange: (change: 'readable' | 'dead') => void,
  ) {
    this.#onChange = onChange;
    // What is known already is reported too.
    if (connection.readable || connection.closed || connection.unread !== undefined)
      reactor.defer(() => this.onReady(connection));
  }

  onReady(connection: EpollConnection): void {
    if (connection.hungUp || connection.closed) {
      // An end with no byte before it does not report bytes.
      const hasBytes = connection.unread !== undefined || (!connection.closed && connection.unreadBytes > 0);
      if (hasBytes) this.#tell(connection, 'readable');
      this.#tell(connection, 'dead');
    } else if (connection.readable || connection.unread !== undefined) {
      this.#tell(connection, 'readable');
    }
  }

  #tell(connection: EpollConnection, change: 'readable' | 'dead'): void {
    if (connection.owner !== this || this.#told === 'dead' || this.#told === change) return;
    this.#told = change;
    this.#onChange(change);
  }
}
