/**
 * Connects to a backend and speaks TLS with it as a client, after what comes before it in the clear.
 *
 * Place: `connect` of the node engine, where its options ask for TLS.
 * Invariants: as for every connect; the time allowed is for all of it. No byte that the backend sends in the clear behind
 * its answer is ever taken for one of TLS (CVE-2021-23222).
 */
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';

import { formatAddress, type Address } from '../../support/address.ts';
import { connectFailure } from '../connect-failure.ts';
import type { Cancel, ConnectFailure, ConnectOptions, ConnectResult } from '../engine.ts';
import { connectNode, type ConnectDeps } from '../node/node-connect.ts';
import type { NodeConnection } from '../node/node-connection.ts';
import type { ClientOpening, TlsConnect } from '../tls.ts';
import { wireFormat } from './alpn.ts';
import type { Carrier } from './carrier.ts';
import type { ClientTerms } from './client-terms.ts';
import { CLOSED, RESET } from './failures.ts';
import { Handshake } from './handshake.ts';

/** What a backend may answer to an opening. */
const ANSWER_LIMIT_BYTES = 4096;

export function connectTls(
  address: Address,
  options: ConnectOptions,
  tls: TlsConnect & { readonly terms: ClientTerms },
  deps: ConnectDeps,
  done: (result: ConnectResult) => void,
): Cancel {
  const connecting = new Connecting(address, tls, deps, done);
  connecting.begin(options);
  return () => connecting.cancel();
}

class Connecting {
  readonly #address: Address;
  readonly #tls: TlsConnect & { readonly terms: ClientTerms };
  readonly #deps: ConnectDeps;
  readonly #done: (result: ConnectResult) => void;
  /** Gives up what is under way. */
  #stop: Cancel = () => undefined;
  #cancelTimer: Cancel = () => undefined;
  #isOver = false;

  constructor(
    address: Address,
    tls: TlsConnect & { readonly terms: ClientTerms },
    deps: ConnectDeps,
    done: (result: ConnectResult) => void,
  ) {
    this.#address = address;
    this.#tls = tls;
    this.#deps = deps;
    this.#done = done;
  }

  begin(options: ConnectOptions): void {
    const { kind } = this.#address;
    this.#cancelTimer = this.#deps.setTimer(() => {
      this.#stop();
      this.#settle({ ok: false, failure: connectFailure('ETIMEDOUT', kind) });
    }, options.timeoutMs);
    this.#stop = connectNode(this.#address, options, this.#deps, result => {
      if (this.#isOver) return;
      if (result.ok) this.#open(result.connection);
      else this.#settle(result);
    });
  }

  cancel(): void {
    if (!this.#over()) return;
    this.#stop();
  }

  #open(connection: NodeConnection): void {
    this.#stop = () => connection.reset();
    const { preface, opening } = this.#tls;
    if (preface !== undefined && preface.length > 0) connection.write(preface);
    if (opening === undefined) this.#speakTls(connection);
    else this.#ask(connection, opening);
  }

  #ask(connection: NodeConnection, opening: ClientOpening): void {
    connection.write(opening.request);
    connection.peek(ANSWER_LIMIT_BYTES, (bytes, state) => {
      if (this.#isOver) return;
      const step = opening.read(bytes);
      if (step.kind === 'refuse') this.#refuse(connection, step.code);
      else if (step.kind === 'tls' && step.take < bytes.length) this.#refuse(connection, 'EARLY_DATA');
      else if (step.kind === 'tls') {
        connection.take(step.take);
        this.#speakTls(connection);
      } else if (state === 'full') this.#refuse(connection, 'TOO_LONG');
      else if (state === 'end') this.#refuse(connection, CLOSED.code);
      else if (state === 'reset') this.#refuse(connection, RESET.code);
    });
  }

  #speakTls(connection: NodeConnection): void {
    const { terms } = this.#tls;
    const key = `${formatAddress(this.#address)} ${this.#name() ?? ''}`;
    const handshake = new Handshake(
      connection,
      { event: 'secureConnect', open: carrier => this.#connectOver(carrier, key) },
      this.#deps,
      result => {
        if (result.ok) this.#settle(result);
        else {
          terms.forget(key);
          this.#settle({ ok: false, failure: failureOf(result.failure.code) });
        }
      },
    );
    this.#stop = () => handshake.cancel();
    handshake.begin();
  }

  #connectOver(carrier: Carrier, key: string): TLSSocket {
    const { terms, alpn = terms.settings.alpn } = this.#tls;
    const { verify } = terms.settings;
    const name = this.#name();
    const isName = name !== undefined && isIP(name) === 0;
    const session = terms.ticketFor(key);
    const stream = connect({
      socket: carrier,
      secureContext: terms.context,
      rejectUnauthorized: verify,
      checkServerIdentity: (_host, certificate) =>
        // The path of a unix socket is no name.
        name === undefined ? undefined : checkServerIdentity(name, certificate),
      ...(isName && { servername: name }),
      ...(alpn.length > 0 && { ALPNProtocols: wireFormat(alpn) }),
      ...(session && { session }),
    });
    stream.on('session', (ticket: Buffer) => terms.keep(key, ticket));
    return stream;
  }

  /** What the backend's certificate has to be for. */
  #name(): string | undefined {
    const { terms, serverName } = this.#tls;
    const address = this.#address;
    const name = terms.settings.serverName ?? serverName;
    if (name !== undefined) return name;
    return address.kind === 'tcp' ? address.host.replace(/%.*$/, '') : undefined;
  }

  #refuse(connection: NodeConnection, code: string): void {
    connection.finish();
    this.#settle({ ok: false, failure: failureOf(code) });
  }

  #settle(result: ConnectResult): void {
    if (this.#over()) this.#done(result);
  }

  #over(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#cancelTimer();
    return true;
  }
}

function failureOf(code: string): ConnectFailure {
  return { reason: 'tls', code };
}
