/**
 * An engine without sockets, for tests of what stands above it: connects are answered and relays are ended by
 * the test.
 */
import type { ListeningSocket } from '../../src/support/socket.ts';
import type {
  ConnectFailure,
  ConnectOptions,
  ConnectResult,
  Connection,
  Engine,
  EngineListener,
  ListenHandlers,
  OnItsWay,
  OnPeek,
  PeekState,
  Paces,
  Relay,
  RelayHandlers,
  RelayOptions,
  RelayOutcome,
} from '../../src/engine/engine.ts';
import type { EngineTls, TlsConnect } from '../../src/engine/tls.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';

export class FakeConnection implements Connection {
  readonly peerAddress: string;
  readonly peerPort = 50_000;
  readonly localAddress = '192.0.2.99:80';
  /** What was done to it: 'reset', 'finish', 'finish:TEXT', 'relay', 'watch', 'peek:LIMIT', 'take:BYTES'. */
  readonly calls: string[] = [];
  wasReset = false;
  waitedMs: number | undefined;
  #onChange: ((change: 'readable' | 'dead') => void) | undefined;
  #onPeek: OnPeek | undefined;

  constructor(peerAddress = '192.0.2.1') {
    this.peerAddress = peerAddress;
  }

  watch(onChange: (change: 'readable' | 'dead') => void): void {
    this.calls.push('watch');
    this.#onChange = onChange;
  }

  peek(limitBytes: number, onChange: OnPeek): void {
    this.calls.push(`peek:${limitBytes}`);
    this.#onChange = undefined;
    this.#onPeek = onChange;
  }

  /** Everything that the peer has sent so far; shown to a peek. */
  show(bytes: string | Uint8Array, state: PeekState = 'open'): void {
    this.#onPeek?.(Buffer.from(bytes), state);
  }

  take(bytes: number): void {
    this.calls.push(`take:${bytes}`);
    this.#onPeek = undefined;
  }

  unwatch(): void {
    this.calls.push('unwatch');
    this.#onChange = undefined;
    this.#onPeek = undefined;
  }

  /** The peer sends something; told to a watch. */
  send(): void {
    this.#onChange?.('readable');
  }

  /** The peer sends its FIN, or resets; told to a watch. */
  die(how: 'fin' | 'reset'): void {
    this.wasReset = how === 'reset';
    this.#onChange?.('dead');
  }

  finish(bytes?: Uint8Array): void {
    this.calls.push(bytes === undefined ? 'finish' : `finish:${Buffer.from(bytes).toString()}`);
  }

  reset(): void {
    this.calls.push('reset');
  }
}

export class FakeRelay implements Relay {
  bytesFromClient = 0;
  bytesFromBackend = 0;
  lastActivityMs = 0;
  halfClosed = false;
  aborted = false;
  /** What a look at a deadline finds, and does. */
  onLook: () => OnItsWay = () => 'nothing';
  /** What it was paced by, one after the other. */
  readonly paces: Paces[] = [];
  readonly backend: Connection;
  readonly options: RelayOptions;
  readonly #handlers: RelayHandlers;

  constructor(backend: Connection, handlers: RelayHandlers, options: RelayOptions = {}) {
    this.backend = backend;
    this.#handlers = handlers;
    this.options = options;
  }

  /** May `stale` be called? */
  get takesStale(): boolean {
    return this.#handlers.onStale !== undefined;
  }

  lookAtDelivery(): OnItsWay {
    return this.onLook();
  }

  pace(paces: Paces): void {
    this.paces.push(paces);
  }

  abort(): void {
    this.aborted = true;
    this.end({ by: 'balancer', reason: 'aborted' });
  }

  halfClose(): void {
    this.halfClosed = true;
    this.#handlers.onHalfClosed();
  }

  end(outcome: Pick<RelayOutcome, 'by' | 'reason' | 'firstByteMs'>): void {
    const { bytesFromClient, bytesFromBackend } = this;
    this.#handlers.onEnd({ ...outcome, bytesFromClient, bytesFromBackend });
  }

  /** The client has left the backend's connection clean. */
  endClean(): void {
    if (this.options.reuse !== true) throw new Error('an engine hands back only what it was asked to');
    const { backend, bytesFromClient, bytesFromBackend } = this;
    this.#handlers.onEnd({
      by: 'client',
      reason: 'closed',
      bytesFromClient,
      bytesFromBackend,
      cleanBackend: backend,
    });
  }

  /** The backend's connection was dead when the client's first bytes were written. */
  stale(): void {
    if (this.#handlers.onStale === undefined) throw new Error('an engine tells only those who ask');
    this.#handlers.onStale();
  }
}

export interface FakeConnect {
  readonly address: string;
  readonly timeoutMs: number;
  readonly tls: TlsConnect | undefined;
  cancelled: boolean;
  /** Answers the attempt; returns the connection that was established. */
  succeed(): FakeConnection;
  fail(reason: ConnectFailure['reason'], code?: string): void;
}

export class FakeEngine implements Engine {
  readonly name = 'node';
  readonly tls?: EngineTls;
  readonly connects: FakeConnect[] = [];
  readonly relays: FakeRelay[] = [];
  /** One per bound address; `client()` lets a client in. */
  readonly listeners: {
    address: string;
    paused: boolean;
    closed: boolean;
    released: boolean;
    /** For everything else that an engine reports of a listener. */
    readonly handlers: ListenHandlers;
    client(peer?: string, waitedMs?: number): FakeConnection;
  }[] = [];
  /** Answers a connect at once when it returns true or a reason; otherwise the test answers. */
  autoConnect: ((address: string) => boolean | ConnectFailure['reason'] | undefined) | undefined;
  /** Fails `listen` for these addresses. */
  readonly unbindable = new Set<string>();

  constructor(tls?: EngineTls) {
    if (tls !== undefined) this.tls = tls;
  }

  listen(where: Address | ListeningSocket, handlers: ListenHandlers): Promise<EngineListener> {
    const address = where.kind === 'listening' ? where.address : where;
    const text = formatAddress(address);
    if (this.unbindable.has(text)) return Promise.reject(new Error(`cannot listen on ${text}`));
    const listener = {
      address: text,
      paused: false,
      closed: false,
      released: false,
      handlers,
      client(peer?: string, waitedMs?: number): FakeConnection {
        const client = new FakeConnection(peer);
        client.waitedMs = waitedMs;
        handlers.onClient(client);
        return client;
      },
    };
    this.listeners.push(listener);
    return Promise.resolve({
      address,
      pause: () => void (listener.paused = true),
      resume: () => void (listener.paused = false),
      close: () => {
        listener.closed = true;
        return Promise.resolve();
      },
      release: () => void (listener.released = true),
    });
  }

  waitedMs(client: Connection): number | undefined {
    return client instanceof FakeConnection ? client.waitedMs : undefined;
  }

  drop(client: Connection): void {
    if (client instanceof FakeConnection) client.calls.push('drop');
  }

  connect(
    address: Address,
    { timeoutMs, tls }: ConnectOptions,
    done: (result: ConnectResult) => void,
  ): () => void {
    const attempt: FakeConnect = {
      address: formatAddress(address),
      timeoutMs,
      tls,
      cancelled: false,
      succeed() {
        const connection = new FakeConnection();
        done({ ok: true, connection });
        return connection;
      },
      fail: (reason, code = reason) => done({ ok: false, failure: { reason, code } }),
    };
    this.connects.push(attempt);
    const answer = this.autoConnect?.(attempt.address);
    if (answer === true) attempt.succeed();
    else if (typeof answer === 'string') attempt.fail(answer);
    return () => void (attempt.cancelled = true);
  }

  relay(client: Connection, backend: Connection, handlers: RelayHandlers, options?: RelayOptions): Relay {
    for (const side of [client, backend]) if (side instanceof FakeConnection) side.calls.push('relay');
    const relay = new FakeRelay(backend, handlers, options);
    this.relays.push(relay);
    return relay;
  }
}
