/**
 * A backend without sockets for pool tests: connects are answered by hand, connections record what is done
 * to them and complain about misuse.
 *
 * Place: used by the pool contract suite and by test/pool; the test plays the network.
 */
import type { Cancel, Connect, Connected, Poolable } from '../../pool/connection-pool.ts';

export class FakeConnection implements Poolable {
  readonly id: number;
  isReset = false;
  #onChange: ((change: 'readable' | 'dead') => void) | undefined;
  #isDead = false;

  constructor(id: number) {
    this.id = id;
  }

  get isWatched(): boolean {
    return this.#onChange !== undefined;
  }

  watch(onChange: (change: 'readable' | 'dead') => void): void {
    if (this.#onChange !== undefined) throw new Error('watched twice');
    if (this.isReset) throw new Error('watched after its reset');
    if (this.#isDead) onChange('dead');
    else this.#onChange = onChange;
  }

  unwatch(): void {
    if (this.#onChange === undefined) throw new Error('unwatched, but nobody watches');
    this.#onChange = undefined;
  }

  reset(): void {
    if (this.#onChange !== undefined) throw new Error('reset while somebody watches');
    this.isReset = true;
  }

  /** The peer sends something. */
  readable(): void {
    this.#onChange?.('readable');
  }

  /** The peer closes, half-closes or resets. */
  die(): void {
    this.#isDead = true;
    const onChange = this.#onChange;
    this.#onChange = undefined;
    onChange?.('dead');
  }

  /** News of the watch that an engine can no longer take back. */
  lateNews(): () => void {
    const onChange = this.#onChange;
    return () => onChange?.('dead');
  }
}

/** One connect that the pool has started. */
export class FakeConnect {
  readonly connection: FakeConnection;
  isCancelled = false;
  isAnswered = false;
  readonly #done: (result: Connected<FakeConnection, string>) => void;

  constructor(id: number, done: (result: Connected<FakeConnection, string>) => void) {
    this.connection = new FakeConnection(id);
    this.#done = done;
  }

  get isOpening(): boolean {
    return !this.isCancelled && !this.isAnswered;
  }

  succeed(): FakeConnection {
    this.isAnswered = true;
    this.#done({ ok: true, connection: this.connection });
    return this.connection;
  }

  fail(failure = 'refused'): void {
    this.isAnswered = true;
    this.#done({ ok: false, failure });
  }
}

export class FakeBackend {
  /** Every connect so far, oldest first. */
  readonly connects: FakeConnect[] = [];
  /** Called with each new connect, before `connect` returns. */
  onConnect: (connect: FakeConnect) => void = () => undefined;

  readonly connect: Connect<FakeConnection, string> = (done): Cancel => {
    const connect = new FakeConnect(this.connects.length, done);
    this.connects.push(connect);
    this.onConnect(connect);
    return () => {
      if (!connect.isAnswered) connect.isCancelled = true;
    };
  };

  get opening(): FakeConnect[] {
    return this.connects.filter(connect => connect.isOpening);
  }

  /** The connect under way; there must be exactly one. */
  only(): FakeConnect {
    const [connect, ...more] = this.opening;
    if (connect === undefined || more.length > 0) {
      throw new Error(`expected one connect under way, found ${this.opening.length}`);
    }
    return connect;
  }
}

/** Lets everything that waits for a promise run. */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
