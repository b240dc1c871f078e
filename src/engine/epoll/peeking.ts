/**
 * A look at the first bytes of a connection that no relay owns.
 *
 * Place: the owner of a client whose first bytes decide where it goes. What is read stays with the connection: the
 * next relay sends it first, and another peek shows it again.
 * Invariants:
 * - never more than the limit is read, the rest stays with the kernel;
 * - nothing is shown before `peek` has returned, and nothing after 'full', 'end' or 'reset';
 * - the relay meets again what a peek has read of an end: a FIN in the next read, a reset in the flag `broken`.
 */
import type { OnPeek, PeekState } from '../engine.ts';
import { HeldBytes } from '../held-bytes.ts';
import type { ConnectionOwner, EpollConnection } from './epoll-connection.ts';
import type { EpollDeps } from './epoll-deps.ts';
import { EAGAIN, EINTR } from '../../linux/system-error.ts';

const NOTHING = Buffer.alloc(0);

export class Peeking implements ConnectionOwner {
  readonly #limitBytes: number;
  readonly #deps: EpollDeps;
  readonly #onChange: OnPeek;
  #shownBytes = 0;
  #isOver = false;

  constructor(connection: EpollConnection, limitBytes: number, deps: EpollDeps, onChange: OnPeek) {
    this.#limitBytes = limitBytes;
    this.#deps = deps;
    this.#onChange = onChange;
    // What is there already is shown too.
    deps.reactor.defer(() => this.onReady(connection));
  }

  onReady(connection: EpollConnection): void {
    if (this.#isOver || connection.owner !== this) return;
    const state = readFirst(connection, this.#limitBytes, this.#deps);
    const bytes = connection.unread?.show(this.#limitBytes) ?? NOTHING;
    if (state === 'open' && bytes.length === this.#shownBytes) return;
    this.#shownBytes = bytes.length;
    this.#isOver = state !== 'open';
    this.#onChange(bytes, state);
  }
}

/** Reads what is there for the next owner, up to the limit; 'open' when more may come. */
export function readFirst(
  connection: EpollConnection,
  limitBytes: number,
  { libc, readBuffer }: Pick<EpollDeps, 'libc' | 'readBuffer'>,
): PeekState {
  for (;;) {
    const room = limitBytes - (connection.unread?.length ?? 0);
    if (room <= 0) return 'full';
    if (connection.closed) return 'reset';
    if (!connection.readable) return 'open';
    const size = Math.min(room, readBuffer.length);
    const count = libc.recv(connection.fd, readBuffer, size, 0);
    if (count > 0) {
      hold(connection, readBuffer, count);
      const isAll = count < size && connection.shortReadIsAll;
      if (isAll && !connection.hungUp) connection.readable = false;
    } else {
      const state = nothingRead(connection, count === 0 ? 0 : libc.errno());
      if (state !== 'more') return state;
    }
  }
}

function hold(connection: EpollConnection, buffer: Buffer, count: number): void {
  if (connection.unread !== undefined) {
    connection.unread.append(buffer.subarray(0, count));
    return;
  }
  const copy = Buffer.allocUnsafe(count);
  buffer.copy(copy, 0, 0, count);
  connection.unread = new HeldBytes(copy);
}

/** What a read without bytes means. An end stays readable, so that the next owner reads it again. */
function nothingRead(connection: EpollConnection, errno: number): PeekState | 'more' {
  if (errno === EINTR) return 'more';
  if (errno === EAGAIN) {
    connection.nothingMore();
    return 'open';
  }
  connection.hungUp = true;
  if (errno !== 0) connection.failed(errno);
  return connection.broken ? 'reset' : 'end';
}
