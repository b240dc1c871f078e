/**
 * Joins two connections: every byte, half-close and reset of one side reaches the other, in order.
 *
 * Place: made by the engine, for the session, once a backend is connected; ends with one outcome.
 * A FIN follows the last byte. A reset follows it too, once the peer has acknowledged everything (SO_LINGER throws
 * away what is unsent), or at once on `abort`.
 * Invariants:
 * - `onEnd` or `onStale` is called exactly once, with both connections closed or given back;
 * - no handler is called before the constructor has returned;
 * - a direction moves a bounded amount per round, and a bulk one only when its turn comes.
 */
import type { OnItsWay, Paces, Relay, RelayHandlers, RelayOptions, RelayOutcome } from '../engine.ts';
import * as abi from '../../linux/abi.ts';
import { Direction, lookAtDelivery } from './direction.ts';
import { leftClean } from './clean-backend.ts';
import type { ConnectionOwner, EpollConnection } from './epoll-connection.ts';
import { HeldBytes } from '../held-bytes.ts';
import type { Polled } from '../poller.ts';
import { ParkedBackend } from './parked-backend.ts';
import type { Bulk, Unfinished } from './reactor.ts';
import { ResetDelivery, type ResetDeliveryDeps } from './reset-delivery.ts';

/** What one direction moves before the others have their turn; one read or one pipe may lie beyond. */
const MAX_ROUNDS = 16;
const MAX_BYTES = 64 * 1024;

export class EpollRelay implements Relay, ConnectionOwner, Unfinished, Bulk, Polled {
  readonly #up: Direction;
  readonly #down: Direction;
  readonly #deps: ResetDeliveryDeps;
  readonly #handlers: RelayHandlers;
  readonly #reuse: boolean;
  /** The backend's connection may be stale. */
  readonly #parked: ParkedBackend | undefined;
  #lastActivityMs: number;
  #firstByteMs: number | undefined;
  #firstFin: Direction | undefined;
  /** One side has reset, and the other has not yet got everything that came before. */
  #delivery: ResetDelivery | undefined;
  /** The direction in which bytes moved last. */
  #lastWord: Direction | undefined;
  #state: 'starting' | 'open' | 'doubtful' | 'delivering' | 'aborted' | 'over' = 'starting';
  #toldHalfClosed = false;
  /** It has asked for a turn. */
  #isWaiting = false;

  /** Starts to relay, and owns both connections from now on. */
  constructor(
    client: EpollConnection,
    backend: EpollConnection,
    deps: ResetDeliveryDeps,
    handlers: RelayHandlers,
    options: RelayOptions = {},
  ) {
    this.#up = new Direction('client', client, backend, options.preface);
    this.#down = new Direction('backend', backend, client);
    this.#deps = deps;
    this.#handlers = handlers;
    this.#reuse = options.reuse === true && this.#up.prefaceBytes === 0;
    this.#lastActivityMs = deps.clock.nowMs;
    if (this.#down.receivedBytes > 0) this.#firstByteMs = deps.reactor.nowMs;
    this.#down.endIsPassedOn = handlers.onStale === undefined;
    this.#up.endIsPassedOn = handlers.onStale === undefined && !this.#reuse;
    if (handlers.onStale !== undefined)
      this.#parked = new ParkedBackend(deps.libc, this.#up, options.reused === true);
    client.owner = this;
    backend.owner = this;
    deps.reactor.again(this);
  }

  get bytesFromClient(): number {
    return this.#up.receivedBytes;
  }

  get bytesFromBackend(): number {
    return this.#down.receivedBytes;
  }

  get lastActivityMs(): number {
    const isDue = this.#isWaiting || this.#up.isPaced || this.#down.isPaced;
    return isDue ? this.#deps.clock.nowMs : this.#lastActivityMs;
  }

  get halfClosed(): boolean {
    return this.#firstFin !== undefined || this.#delivery !== undefined;
  }

  lookAtDelivery(): OnItsWay {
    return lookAtDelivery([this.#up, this.#down], () => this.#stamp());
  }

  pace({ fromClient, fromBackend }: Paces): void {
    const goOn = (): void => this.#pumpAgain();
    this.#up.setPace(fromClient, goOn);
    this.#down.setPace(fromBackend, goOn);
    goOn();
  }

  abort(): void {
    if (this.#state === 'aborted' || this.#state === 'over') return;
    this.#state = 'aborted';
    this.#up.from.reset();
    this.#down.from.reset();
    this.#letGo();
    this.#deps.reactor.defer(() => this.#handlers.onEnd(this.#outcome('balancer', 'aborted')));
  }

  onReady(connection: EpollConnection, events: number): void {
    if (this.#state !== 'open') {
      // Readiness is remembered by the connection: the first round sees it.
      if (this.#state === 'delivering') this.#delivery?.onReady(events);
      else if (this.#state === 'doubtful' && connection.broken) this.poll();
      return;
    }
    const out = connection === this.#up.from ? this.#up : this.#down;
    const back = this.#other(out);
    if ((events & abi.EPOLLOUT) !== 0 && back.hasPending) this.#pumpOrWait(back);
    if (connection.readable) this.#pumpOrWait(out);
    if (connection.broken && out.ended) this.#resetOther(out);
  }

  runAgain(): void {
    if (this.#state !== 'starting') return;
    this.#state = 'open';
    // What the backend had sent, or its end, is read first: bytes sent to a backend that has ended would be wasted.
    if (this.#parked?.canTell === true) this.#pump(this.#down);
    this.#parked?.begin();
    this.#pumpBoth();
  }

  runTurn(): number {
    this.#isWaiting = false;
    const passedBefore = this.#up.passedBytes + this.#down.passedBytes;
    this.#pumpBoth();
    return this.#up.receivedBytes + this.#down.receivedBytes - passedBefore;
  }

  /** Bytes of ours were sent after the backend's FIN; true until an acknowledgement or a reset shows their fate. */
  poll(): boolean {
    const verdict = this.#parked?.judge();
    if (verdict === 'doubtful') return true;
    this.#state = 'open';
    this.#deps.poller.remove(this);
    if (verdict === 'stale') this.#startOver();
    else this.#end(this.#down);
    // What happened meanwhile was only remembered.
    this.#pumpAgain();
    return false;
  }

  #pumpBoth(): void {
    this.#pump(this.#up);
    this.#pump(this.#down);
  }

  #pumpOrWait(direction: Direction): void {
    if (direction.isBulk) this.#pumpAgain();
    else this.#pump(direction);
  }

  /** Moves what can be moved in one direction, within bounds. */
  #pump(direction: Direction): void {
    const untilBytes = direction.receivedBytes + MAX_BYTES;
    for (let round = 0; round < MAX_ROUNDS && direction.receivedBytes < untilBytes; round++) {
      if (this.#state !== 'open') return;
      if (this.#parked?.isGuarded === true && this.#parked.hasLateByte(direction)) {
        this.#startOver();
        return;
      }
      if (direction.hasPending && !this.#flush(direction)) return;
      if (direction.ended || !direction.from.readable || this.#other(direction).deaf) return;
      if (!direction.mayMove() || !this.#move(direction)) return;
    }
    this.#pumpAgain();
  }

  #pumpAgain(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#deps.reactor.inTurn(this);
  }

  /** Moves once; false when this direction has to wait for an event, or is over. */
  #move(direction: Direction): boolean {
    const before = direction.receivedBytes;
    const moved = direction.move(this.#deps);
    if (direction.receivedBytes !== before) {
      this.#lastWord = direction;
      this.#stamp();
      if (before === 0 && direction === this.#down) this.#firstByteMs = this.#deps.reactor.nowMs;
      if (this.#parked?.canTell === true) this.#parked.keepRead(this.#deps.readBuffer, direction, before);
    }
    if (moved === 'more') return true;
    if (moved === 'writeFailed') this.#writeFailed(direction);
    else if (moved !== 'wait') this.#noMore(direction, moved);
    return false;
  }

  /** Sends what is pending; true when nothing is left of it. */
  #flush(direction: Direction): boolean {
    const flushed = direction.flush(this.#deps);
    if (flushed === 'writeFailed') {
      this.#writeFailed(direction);
      return false;
    }
    // The backend sent its last bytes before these left: the client may have sent since.
    if (direction === this.#up) this.#lastWord = direction;
    this.#stamp();
    if (flushed !== 'more') return false;
    if (direction.ended) this.#deliverEnd(direction);
    return true;
  }

  #noMore(direction: Direction, how: 'end' | 'readFailed'): void {
    const verdict = direction === this.#down ? this.#parked?.judge() : undefined;
    if (verdict === 'stale') {
      this.#startOver();
    } else if (verdict === 'doubtful') {
      this.#state = 'doubtful';
      this.#deps.poller.add(this);
    } else if (how === 'end') {
      this.#end(direction);
    } else {
      this.#resetOther(direction);
    }
  }

  /** The FIN of `direction.from` has been read. */
  #end(direction: Direction): void {
    direction.ended = true;
    if (direction.deaf || direction.from.broken) {
      this.#resetOther(direction);
      return;
    }
    // A FIN counts as activity: the time allowed for the other direction starts with it.
    this.#stamp();
    this.#firstFin ??= direction;
    if (!direction.hasPending) this.#deliverEnd(direction);
    this.#tellHalfClosed();
  }

  /** Everything before the FIN is delivered: the FIN follows, unless the other direction has ended too. */
  #deliverEnd(direction: Direction): void {
    const other = this.#other(direction);
    if (other.ended && !other.hasPending) {
      this.#close();
    } else if (this.#reuse && direction === this.#up && leftClean(this.#up, this.#down, this.#lastWord)) {
      this.#close(this.#down.from);
    } else {
      this.#deps.libc.shutdown(direction.to.fd, abi.SHUT_WR);
    }
  }

  /** Closes both, but for a backend's connection that is handed back. */
  #close(cleanBackend?: EpollConnection): void {
    this.#up.from.close();
    if (cleanBackend === undefined) this.#down.from.close();
    else cleanBackend.owner = undefined;
    this.#over(this.#firstFin?.by ?? 'client', 'closed', cleanBackend);
  }

  /** The bytes sent to `direction.to` are lost with its peer; what it had sent before is still to be read. */
  #writeFailed(direction: Direction): void {
    direction.drop(this.#deps.pipes);
    const back = this.#other(direction);
    back.deaf = true;
    back.endIsPassedOn = false;
    // Neither side takes bytes any more, or this one has sent its last: nothing is left to be moved.
    if (direction.deaf || back.ended) {
      this.#resetOther(direction.deaf ? direction : back);
      return;
    }
    back.from.readable = true;
    this.#pumpAgain();
  }

  /** `direction.from` was reset, and everything it had sent is read: the other side gets it all, then a reset. */
  #resetOther(direction: Direction): void {
    if (this.#state !== 'open') return;
    this.#stamp();
    const other = this.#other(direction);
    other.drop(this.#deps.pipes);
    direction.from.reset();
    if (direction.sentBytes === 0 || other.deaf) {
      this.#passReset(direction);
      return;
    }
    this.#state = 'delivering';
    this.#delivery = new ResetDelivery(direction, this.#deps, {
      onProgress: () => this.#stamp(),
      done: () => this.#passReset(direction),
    });
    this.#delivery.begin();
    this.#tellHalfClosed();
  }

  /** Everything that came before the reset is delivered, or no side is left to take it. */
  #passReset(direction: Direction): void {
    direction.to.reset();
    this.#over(direction.by, 'reset');
  }

  /** The client is the caller's again, with what it had sent to come first. */
  #startOver(): void {
    const client = this.#up.from;
    const bytes = this.#parked?.clientBytes();
    if (bytes !== undefined) client.unread = new HeldBytes(bytes);
    this.#state = 'over';
    this.#letGo();
    this.#down.from.reset();
    client.owner = undefined;
    if (this.#up.ended || client.hungUp) client.readable = true;
    this.#handlers.onStale?.();
  }

  #over(by: 'client' | 'backend', reason: 'closed' | 'reset', cleanBackend?: EpollConnection): void {
    if (this.#state === 'over' || this.#state === 'aborted') return;
    this.#state = 'over';
    this.#letGo();
    const outcome = this.#outcome(by, reason);
    this.#handlers.onEnd(cleanBackend === undefined ? outcome : { ...outcome, cleanBackend });
  }

  #letGo(): void {
    this.#up.drop(this.#deps.pipes);
    this.#down.drop(this.#deps.pipes);
    this.#delivery?.stop();
    this.#deps.poller.remove(this);
  }

  #tellHalfClosed(): void {
    if (this.#toldHalfClosed || this.#state === 'over') return;
    this.#toldHalfClosed = true;
    this.#handlers.onHalfClosed();
  }

  #other(direction: Direction): Direction {
    return direction === this.#up ? this.#down : this.#up;
  }

  #stamp(): void {
    this.#lastActivityMs = this.#deps.clock.nowMs;
  }

  #outcome(by: RelayOutcome['by'], reason: RelayOutcome['reason']): RelayOutcome {
    const { bytesFromClient, bytesFromBackend } = this;
    const times = { firstByteMs: this.#firstByteMs, endedMs: this.#deps.reactor.nowMs };
    return { by, reason, bytesFromClient, bytesFromBackend, ...times };
  }
}
