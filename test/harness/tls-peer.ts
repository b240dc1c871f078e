/**
 * One scripted peer that speaks TLS by Node's own client and server, and sees TLS and TCP apart: half-closes, resets, an
 * end of TCP without close_notify.
 *
 * Place: what a client of lb4 is, or a backend behind it.
 */
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect, TLSSocket, type ConnectionOptions, type TLSSocketOptions } from 'node:tls';
import type { Address } from '../../src/support/address.ts';
import { reset } from './reset.ts';
import type { Teardown } from './teardown.ts';
import { until } from './until.ts';

/** By close_notify, by an end of TCP alone, or by a reset. */
export type TlsEnding = 'close_notify' | 'truncation' | 'reset';

const KEPT_BYTES = 1024 * 1024;

export class TlsPeer {
  readonly tls: TLSSocket;
  readonly tcp: Socket;
  receivedBytes = 0;
  /** How TLS has ended. */
  ending: TlsEnding | undefined;
  /** How TCP has ended, behind it. */
  tcpEnding: 'fin' | 'reset' | undefined;
  /** The code of what went wrong. */
  error: string | undefined;
  isSecure = false;
  #kept: Buffer[] = [];

  constructor(tcp: Socket, over: (stream: Duplex) => TLSSocket, event: 'secure' | 'secureConnect') {
    this.tcp = tcp;
    const stream = carrier(tcp);
    tcp.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.#tcpOver('reset');
    });
    tcp.on('end', () =>
      this.#tcpOver(tcp.writableEnded || tcp.remoteAddress !== undefined ? 'fin' : 'reset'),
    );
    const tls = over(stream);
    this.tls = tls;
    const failed = (error: unknown): void => {
      this.error ??= error instanceof Error && 'code' in error ? String(error.code) : String(error);
    };
    tls.on('error', failed);
    tls.on('_tlsError', failed);
    tls.once(event, () => (this.isSecure = true));
    tls.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      if (this.receivedBytes <= KEPT_BYTES) this.#kept.push(chunk);
    });
    tls.on('end', () => (this.ending ??= 'close_notify'));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#kept);
  }

  get text(): string {
    return this.bytes.toString();
  }

  async untilSecure(): Promise<void> {
    await until('the handshake is over', () => this.isSecure || this.error !== undefined);
    if (!this.isSecure) throw new Error(this.error);
  }

  async untilText(text: string): Promise<void> {
    await until(`"${text}" has arrived (so far: "${this.text}")`, () => this.text.includes(text));
  }

  async untilBytes(count: number): Promise<void> {
    await until(`${count} bytes have arrived`, () => this.receivedBytes >= count, 30_000);
  }

  async untilEnded(): Promise<TlsEnding | undefined> {
    await until('TLS has ended', () => this.ending !== undefined, 30_000);
    return this.ending;
  }

  async send(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>(resolve => {
      this.tls.write(bytes, () => resolve());
    });
  }

  /** close_notify, then TCP's FIN; reading goes on. */
  halfClose(): void {
    this.tls.end();
  }

  /** TCP's FIN alone. */
  truncate(): void {
    this.tcp.end();
  }

  reset(): void {
    reset(this.tcp);
  }

  #tcpOver(how: 'fin' | 'reset'): void {
    this.tcpEnding ??= how;
    // What TLS has of it is an event of this turn, or of the next.
    setImmediate(() => (this.ending ??= how === 'fin' ? 'truncation' : 'reset'));
  }
}

/** Gives TLS the bytes of the socket, and not its end. */
function carrier(tcp: Socket): Duplex {
  const stream = new Duplex({
    read: () => void tcp.resume(),
    write: (chunk, _encoding, done) => void tcp.write(chunk, () => done()),
    final: done => void tcp.end(() => done()),
    destroy: (_error, done) => {
      tcp.destroy();
      done(null);
    },
  });
  tcp.on('data', chunk => {
    if (!stream.push(chunk)) tcp.pause();
  });
  stream.on('error', () => undefined);
  return stream;
}

/** A client of lb4; ends with the test. */
export async function connectTlsClient(
  t: Teardown,
  address: Address,
  options: ConnectionOptions = {},
): Promise<TlsPeer> {
  const tcp = connectTcp(
    address.kind === 'unix'
      ? { path: address.path, allowHalfOpen: true }
      : { host: address.host, port: address.port, allowHalfOpen: true, noDelay: true },
  );
  t.teardown(() => tcp.destroy());
  await new Promise<void>((resolve, reject) => {
    tcp.once('connect', resolve);
    tcp.once('error', reject);
  });
  const settings = { rejectUnauthorized: false, ...options };
  return new TlsPeer(tcp, socket => connect({ ...settings, socket }), 'secureConnect');
}

export interface TlsBackend {
  readonly address: Address;
  readonly peers: readonly TlsPeer[];
  next(): Promise<TlsPeer>;
}

/** A server behind lb4; ends with the test. `opening`: what comes before TLS. */
export async function startTlsBackend(
  t: Teardown,
  options: TLSSocketOptions,
  opening?: { readonly inTheClear: string; readonly answer: string },
): Promise<TlsBackend> {
  const peers: TlsPeer[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, tcp => {
    const secure = (): void => {
      peers.push(new TlsPeer(tcp, over => new TLSSocket(over, { ...options, isServer: true }), 'secure'));
    };
    if (opening === undefined) {
      secure();
      return;
    }
    let said = '';
    tcp.on('readable', function hear() {
      const left = opening.inTheClear.length - said.length;
      const bytes: unknown = tcp.read(Math.min(left, tcp.readableLength));
      if (Buffer.isBuffer(bytes)) said += bytes.toString('latin1');
      if (said !== opening.inTheClear) return;
      tcp.off('readable', hear);
      tcp.write(opening.answer);
      secure();
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const { tcp } of peers) tcp.destroy();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  let taken = 0;
  return {
    address: { kind: 'tcp', host: bound.address, port: bound.port },
    peers,
    async next() {
      const index = taken++;
      await until('a connection has come', () => peers[index] !== undefined);
      const peer = peers[index];
      if (peer === undefined) throw new Error('no connection');
      return peer;
    },
  };
}
