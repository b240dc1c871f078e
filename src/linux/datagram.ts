/**
 * Datagrams to a unix socket: Node has none (`dgram` knows UDP only).
 *
 * Place: how the command line speaks to the service manager, and the log to syslog and to the journal.
 */
import type { UnixAddress } from '../support/address.ts';
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';
import { encodeAddress } from './sockaddr.ts';
import { errnoName } from './system-error.ts';

type DatagramLibc = Pick<Libc, 'socket' | 'connect' | 'send' | 'close' | 'errno'>;

/**
 * Sends the text whole or not at all, without waiting; undefined: sent, else the name of the error. EAGAIN: the
 * receiver's queue is full. Throws a RangeError for an address that is too long for the system.
 */
export function sendDatagram(libc: DatagramLibc, to: UnixAddress, text: string): string | undefined {
  const sender = new DatagramSender(libc, to);
  try {
    return sender.send(Buffer.from(text));
  } finally {
    sender.close();
  }
}

/** Keeps its socket between sends; a failed send, but for a full queue, makes the next one connect again. */
export class DatagramSender {
  readonly #libc: DatagramLibc;
  readonly #address: ReturnType<typeof encodeAddress>;
  #fd: number | undefined;

  /** Throws a RangeError for an address that is too long for the system. */
  constructor(libc: DatagramLibc, to: UnixAddress) {
    this.#libc = libc;
    this.#address = encodeAddress(to);
  }

  /** As `sendDatagram`. */
  send(body: Uint8Array): string | undefined {
    const failure = this.#connect();
    if (failure !== undefined) return failure;
    if (this.#libc.send(this.#fd ?? -1, body, body.length, abi.MSG_NOSIGNAL) >= 0) return undefined;
    const code = errnoName(this.#libc.errno());
    // Neither says anything about the receiver that a new socket would change.
    if (code !== 'EAGAIN' && code !== 'EMSGSIZE') this.close();
    return code;
  }

  close(): void {
    if (this.#fd !== undefined) this.#libc.close(this.#fd);
    this.#fd = undefined;
  }

  #connect(): string | undefined {
    if (this.#fd !== undefined) return undefined;
    const { family, bytes } = this.#address;
    const fd = this.#libc.socket(family, abi.SOCK_DGRAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC, 0);
    if (fd < 0) return errnoName(this.#libc.errno());
    if (this.#libc.connect(fd, bytes, bytes.length) < 0) {
      const code = errnoName(this.#libc.errno());
      this.#libc.close(fd);
      return code;
    }
    this.#fd = fd;
    return undefined;
  }
}
