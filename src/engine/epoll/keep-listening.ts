/**
 * Keeps a socket listening when another program makes it stop.
 *
 * Place: one for each listener, with either engine where there is the C library.
 * Why: an operator or a security agent may destroy a listening socket (`ss -K`, SOCK_DESTROY). Its descriptor stays
 * open and reports a hang-up for ever, without a client to accept: the loop spins, and no log shows it. Ending the
 * process would be noticed, but would end the running sessions, which are not affected.
 * How: the socket is looked at once a second, and at once when an accept fails because it does not listen. The socket
 * itself is made to listen again, so that all its descriptors do, those of other workers and of control. Its port is
 * still its own unless the system had chosen it; then it is bound again. Where that fails because another program has
 * taken the port, it is tried again with growing pauses.
 * Invariants: `onBroken` and `onMended` alternate; after `stop` nothing happens.
 */
import type { Address } from '../../support/address.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { ListenHandlers } from '../engine.ts';
import { LISTEN_BACKLOG } from '../../linux/listen-failure.ts';
import { SO_ACCEPTCONN, SOL_SOCKET } from '../../linux/abi.ts';
import type { Libc } from '../../linux/libc.ts';
import { encodeAddress } from '../../linux/sockaddr.ts';
import { EINVAL, errnoName } from '../../linux/system-error.ts';

/** `struct sockaddr` of family AF_UNSPEC: connecting to it makes a socket as new, except its name and options. */
const NOBODY: Uint8Array = new Uint8Array(16);

const LOOK_MS = 1000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

export interface KeepListeningDeps {
  readonly libc: Libc;
  readonly setTimer: SetTimer;
  /** Clients that may wait at it once it listens again. */
  readonly backlog: number | undefined;
}

export interface KeepListeningHandlers extends Pick<ListenHandlers, 'onBroken' | 'onMended'> {
  /** Whether clients may be accepted from now on; if not, a loop that watches the socket may spin. */
  onChange(listens: boolean): void;
}

export class KeepListening {
  readonly #fd: number;
  readonly #address: Address;
  readonly #deps: KeepListeningDeps;
  readonly #handlers: KeepListeningHandlers;
  #isBroken = false;
  #pauseMs = FIRST_PAUSE_MS;
  #cancelTimer: () => void = () => undefined;

  constructor(fd: number, address: Address, deps: KeepListeningDeps, handlers: KeepListeningHandlers) {
    this.#fd = fd;
    this.#address = address;
    this.#deps = deps;
    this.#handlers = handlers;
    this.#lookAfter(LOOK_MS);
  }

  /** Looks now, and makes it listen where it does not. */
  look(): void {
    this.#cancelTimer();
    const { libc, backlog } = this.#deps;
    if (!this.#isBroken && isListening(libc, this.#fd) !== false) {
      this.#lookAfter(LOOK_MS);
      return;
    }
    const code = listenAgain(libc, this.#fd, this.#address, backlog);
    this.#lookAfter(code === undefined ? LOOK_MS : this.#pauseMs);
    this.#pauseMs = code === undefined ? FIRST_PAUSE_MS : Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    const wasBroken = this.#isBroken;
    this.#isBroken = code !== undefined;
    if (!wasBroken) this.#handlers.onBroken?.(code);
    if (wasBroken !== this.#isBroken) this.#handlers.onChange(!this.#isBroken);
    if (!this.#isBroken) this.#handlers.onMended?.();
  }

  stop(): void {
    this.#cancelTimer();
    this.#lookAfter = () => undefined;
  }

  #lookAfter = (ms: number): void => {
    this.#cancelTimer = this.#deps.setTimer(() => this.look(), ms);
  };
}

/** Undefined where the system cannot report it, or the descriptor is not a socket's. */
export function isListening(libc: Libc, fd: number): boolean | undefined {
  const value = Buffer.alloc(4);
  const length = Buffer.from([4, 0, 0, 0]);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, length) < 0) return undefined;
  return value.readInt32LE(0) === 1;
}

/** Makes a socket listen that has done so before; the error's name where it cannot. */
export function listenAgain(
  libc: Libc,
  fd: number,
  address: Address,
  backlog = LISTEN_BACKLOG,
): string | undefined {
  const failure = (): string => errnoName(libc.errno());
  if (address.kind === 'tcp') {
    if (address.port === 0) return errnoName(EINVAL);
    const { bytes } = encodeAddress(address);
    // Without this, connections that it accepts would be shut down already, as a destroyed socket is itself.
    libc.connect(fd, NOBODY, NOBODY.length);
    // EINVAL: it is bound. Its name would not show that: a socket that has lost its port keeps the port in its name.
    if (libc.bind(fd, bytes, bytes.length) < 0 && libc.errno() !== EINVAL) return failure();
  }
  return libc.listen(fd, backlog) < 0 ? failure() : undefined;
}
