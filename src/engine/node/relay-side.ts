/**
 * One of the two sides of a relay: its connection, and what is known of it.
 *
 * Place: made by node-relay.ts, twice per relay; passes what happens on its connection to the relay.
 */
import type { OnItsWay, Pace } from '../engine.ts';
import { Underway } from '../underway.ts';
import type { ConnectionOwner } from './connection-owner.ts';
import type { NodeConnection } from './node-connection.ts';
import { PacedReading } from './paced-reading.ts';
import type { SendQueues } from './send-queues.ts';

/** The relay, as its sides see it. */
export interface SideOwner {
  forward(from: Side, chunk: Buffer): void;
  /** Hands a piece of what `from` has sent to the other side; false while that has not taken everything. */
  pass(from: Side, piece: Buffer): boolean;
  /** Reads on from the side whose bytes are all passed on, if the other side takes any. */
  readOn(from: Side): void;
  end(from: Side, wasReset: boolean): void;
  drained(to: Side): void;
  writeFailed(to: Side): void;
  /** The side was reset or has broken, and everything it had sent is read. */
  broken(side: Side): void;
  closed(side: Side): void;
}

export class Side implements ConnectionOwner {
  readonly by: 'client' | 'backend';
  readonly connection: NodeConnection;
  readonly #relay: SideOwner;
  receivedBytes = 0;
  /** Its FIN has arrived. */
  ended = false;
  /** It takes no more bytes, though some that it has sent may still have to be read. */
  deaf = false;
  /** Undefined while no pace was ever set for what it sends. */
  paced: PacedReading | undefined;
  #underway: Underway | undefined;
  #look: 'none' | 'asked' | 'answered' = 'none';

  constructor(by: 'client' | 'backend', connection: NodeConnection, relay: SideOwner) {
    this.by = by;
    this.connection = connection;
    this.#relay = relay;
  }

  /** What is on its way to this side. `sentBytes`: how many were ever sent to it. */
  lookAtDelivery(sentBytes: number, sendQueues: SendQueues, onProgress: () => void): OnItsWay {
    if (sentBytes === 0 || this.connection.socket.destroyed) return 'nothing';
    const underway = (this.#underway ??= new Underway());
    if (this.#look === 'none') {
      if (underway.isSettled(sentBytes)) return 'nothing';
      this.#look = 'asked';
      sendQueues.look(this.connection, left => {
        this.#look = 'answered';
        if (underway.note(left === 'unknown' ? 0 : left, sentBytes)) onProgress();
      });
    }
    if (!this.#isAnswered()) return 'unknown';
    this.#look = 'none';
    return underway.leftBytes === 0 ? 'nothing' : 'bytes';
  }

  /** Some of what it has sent waits only for its pace. */
  get isPaced(): boolean {
    return this.paced?.isWaiting === true;
  }

  /** It takes bytes, and everything that it has sent is passed on. */
  get isQuiet(): boolean {
    return !this.deaf && this.connection.isQuiet && this.paced?.isHolding !== true;
  }

  /** The other side has taken everything. */
  goOn(): void {
    if (this.paced !== undefined) this.paced.goOn();
    else this.#relay.readOn(this);
  }

  /** How fast what it sends is passed on; undefined: as fast as it can. */
  setPace(pace: Pace | undefined): void {
    if (pace === undefined && this.paced === undefined) return;
    this.paced ??= new PacedReading({
      pass: piece => this.#relay.pass(this, piece),
      pause: () => this.connection.pauseReading(),
      resume: () => this.#relay.readOn(this),
    });
    this.paced.setPace(pace);
  }

  onData(chunk: Buffer): void {
    this.#relay.forward(this, chunk);
  }

  onEnd(wasReset: boolean): void {
    this.#relay.end(this, wasReset);
  }

  onDrain(): void {
    this.#relay.drained(this);
  }

  onWriteFailed(): void {
    this.#relay.writeFailed(this);
  }

  onBroken(): void {
    this.#relay.broken(this);
  }

  onClose(): void {
    this.#relay.closed(this);
  }

  #isAnswered(): boolean {
    return this.#look === 'answered';
  }
}
