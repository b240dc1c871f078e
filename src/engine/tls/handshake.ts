/**
 * One handshake over a connection, as a server or as a client.
 *
 * Place: between a connection that speaks TCP and one that speaks TLS (accept-tls.ts, connect-tls.ts).
 * Why the events `secure` and `_tlsError`, which Node does not document: servers that begin TLS in the middle of a
 * connection have no others (SMTP servers are built on them).
 * Invariants:
 * - `settle` is called exactly once, unless it is cancelled before; never before `begin` has returned;
 * - after a failure nothing of the handshake is left, and the peer gets the alert where there is one, then a FIN.
 */
import type { TLSSocket } from 'node:tls';

import type { ConnectionDeps } from '../node/connection-deps.ts';
import type { NodeConnection } from '../node/node-connection.ts';
import type { TlsFailure } from '../tls.ts';
import { Carrier, type CarrierHandlers } from './carrier.ts';
import { CLOSED, failureOf, RESET } from './failures.ts';
import { TlsConnection } from './tls-connection.ts';

export interface HandshakeForm {
  /** The event of Node's that ends a handshake: `secureConnect` comes after the verification of a server. */
  readonly event: 'secure' | 'secureConnect';
  /** Puts TLS over the carrier. May throw. */
  open(carrier: Carrier): TLSSocket;
  /** Looks at what the peer has shown; undefined: it is fine. */
  judge?(stream: TLSSocket): TlsFailure | undefined;
}

export type HandshakeResult =
  | { readonly ok: true; readonly connection: TlsConnection; readonly stream: TLSSocket }
  | { readonly ok: false; readonly failure: TlsFailure };

export class Handshake implements CarrierHandlers {
  readonly #below: NodeConnection;
  readonly #form: HandshakeForm;
  readonly #deps: ConnectionDeps;
  readonly #settle: (result: HandshakeResult) => void;
  readonly #carrier: Carrier;
  #stream: TLSSocket | undefined;
  /** TLS has met close_notify. */
  #isFinished = false;
  #isOver = false;

  constructor(
    below: NodeConnection,
    form: HandshakeForm,
    deps: ConnectionDeps,
    settle: (result: HandshakeResult) => void,
  ) {
    this.#below = below;
    this.#form = form;
    this.#deps = deps;
    this.#settle = settle;
    this.#carrier = new Carrier(below, this);
  }

  begin(): void {
    process.nextTick(() => this.#open());
  }

  /** Resets the peer. Without effect once it is settled. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leave();
    this.#below.reset();
  }

  onEnd(wasReset: boolean): void {
    this.#fail(wasReset ? RESET : CLOSED);
  }

  onBroken(): void {
    this.#fail(RESET);
  }

  onWriteFailed(): void {
    // The end or the reset behind it is read.
  }

  onClose(): void {
    this.#fail(CLOSED);
  }

  #open(): void {
    if (this.#isOver) return;
    let stream: TLSSocket;
    try {
      stream = this.#form.open(this.#carrier);
    } catch (error) {
      this.#fail(failureOf(error));
      return;
    }
    this.#stream = stream;
    // What comes right behind the handshake waits for the owner of the connection.
    stream.pause();
    this.#noteEnd(stream);
    stream.on('error', error => this.#fail(failureOf(error)));
    stream.on('_tlsError', (error: unknown) => this.#fail(failureOf(error)));
    stream.on('close', () => this.#fail(CLOSED));
    stream.once(this.#form.event, () => this.#succeed(stream));
    this.#carrier.begin();
  }

  /** The end of a stream is an event only when everything before it was read, but TCP may end earlier. */
  #noteEnd(stream: TLSSocket): void {
    const push = stream.push.bind(stream);
    stream.push = (chunk, encoding) => {
      if (chunk === null) this.#isFinished = true;
      return push(chunk, encoding);
    };
  }

  #succeed(stream: TLSSocket): void {
    if (this.#isOver) return;
    const failure = this.#form.judge?.(stream);
    if (failure !== undefined) {
      this.#fail(failure);
      return;
    }
    this.#isOver = true;
    const isFinished = (): boolean => this.#isFinished;
    const parts = { below: this.#below, carrier: this.#carrier, stream, isFinished };
    this.#settle({ ok: true, connection: new TlsConnection(parts, this.#deps), stream });
  }

  #fail(failure: TlsFailure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leave();
    if (failure === RESET) this.#below.reset();
    else this.#below.finish();
    this.#settle({ ok: false, failure });
  }

  #leave(): void {
    this.#carrier.release();
    this.#stream?.destroy();
  }
}
