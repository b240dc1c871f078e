/**
 * Whether the epoll engine works on this machine, found out by making every call it needs once.
 *
 * Place: asked once, by control, before the engine is chosen. Why: a container's seccomp filter may forbid a
 * single call, and a sandboxed kernel may lack one; better one line at the start than a session's failure.
 * How: the calls that move bytes are tried on a pair of sockets that needs no network, those that make connections
 * without making one.
 * Invariant: the state of the network (an interface that is down, a firewall, ports that are used up) decides nothing
 * here, nor does a shortage of descriptors or memory: the engine itself reports them, where they matter.
 */
import { constants } from 'node:os';

import * as abi from '../../linux/abi.ts';
import { loadLibc, type Libc, type LibcResult } from '../../linux/libc.ts';
import { encodeAddress, SOCKADDR_BYTES } from '../../linux/sockaddr.ts';
import { EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC, errnoName } from '../../linux/system-error.ts';

/** The C library, ready for the engine, or the reason why the `node` engine has to be used. */
export function epollSupport(load: () => LibcResult = loadLibc): LibcResult {
  const loaded = load();
  if (!loaded.ok) return loaded;
  const failure = new SelfTest(loaded.libc).run();
  return failure === undefined ? loaded : { ok: false, reason: `the system does not allow ${failure}` };
}

/** A call that the system refuses, and the errno. */
class CallRefused extends Error {}
/** The machine has run out of something, so the test shows nothing. */
class RanOut extends Error {}

const { EACCES, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM } = constants.errno;
/** The errors of a filter, or of a kernel without the call; trouble with the network has other errors. */
const REFUSALS: readonly number[] = [EPERM, EACCES, ENOSYS, EOPNOTSUPP, ENOTSUP];
const SHORTAGES: readonly number[] = [EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC];

class SelfTest {
  readonly #libc: Libc;
  readonly #fds: number[] = [];

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Undefined when nothing is refused, else the call and its error. */
  run(): string | undefined {
    try {
      const [one, other] = this.#pair();
      this.#askForConnections(one);
      this.#play(one, other);
      return undefined;
    } catch (error) {
      if (error instanceof RanOut) return undefined;
      if (error instanceof CallRefused) return error.message;
      throw error;
    } finally {
      for (const fd of this.#fds) this.#libc.close(fd);
    }
  }

  #pair(): readonly [number, number] {
    const fds = Buffer.alloc(8);
    this.#works('socketpair', this.#libc.socketpair(abi.AF_UNIX, STREAM, 0, fds));
    const pair = [fds.readInt32LE(0), fds.readInt32LE(4)] as const;
    this.#fds.push(...pair);
    return pair;
  }

  /** Everything that listeners and connects need, on a socket that neither has a client nor reaches anything. */
  #askForConnections(standIn: number): void {
    const libc = this.#libc;
    const tcp = this.#open('socket', libc.socket(abi.AF_INET, STREAM, 0));
    const one = Buffer.from([1, 0, 0, 0]);
    this.#works('setsockopt', libc.setsockopt(tcp, abi.SOL_SOCKET, abi.SO_REUSEPORT, one, one.length));
    const nowhere = Buffer.alloc(SOCKADDR_BYTES);
    // AF_UNSPEC: disconnects a socket that is not connected, which changes nothing.
    this.#isAllowed('connect', libc.connect(tcp, nowhere, nowhere.length));
    const { bytes } = encodeAddress({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    const isBound = this.#isAllowed('bind', libc.bind(tcp, bytes, bytes.length));
    // `listen` would bind an unbound socket to every address.
    const listening = isBound ? tcp : standIn;
    this.#isAllowed('listen', libc.listen(listening, 1));
    const peer = Buffer.alloc(SOCKADDR_BYTES);
    this.#isAllowed('getsockname', libc.getsockname(listening, peer, lengthOf(peer)));
    const flags = abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
    const client = libc.accept4(listening, peer, lengthOf(peer), flags);
    if (this.#isAllowed('accept4', client)) this.#fds.push(client);
  }

  /** One session with itself. */
  #play(one: number, other: number): void {
    const libc = this.#libc;
    const epollFd = this.#open('epoll_create1', libc.epoll_create1(abi.EPOLL_CLOEXEC));
    this.#open('eventfd', libc.eventfd(0, abi.EFD_CLOEXEC | abi.EFD_NONBLOCK));
    const events = Buffer.alloc(16);
    events.writeUInt32LE(abi.EPOLLIN);
    this.#works('epoll_ctl', libc.epoll_ctl(epollFd, abi.EPOLL_CTL_ADD, one, events));

    const text = Buffer.from('lb4');
    this.#works('send', libc.send(other, text, text.length, abi.MSG_NOSIGNAL));
    this.#works('epoll_wait', libc.epoll_wait(epollFd, events, 1, 1000));
    const bytes = Buffer.alloc(8);
    this.#works('ioctl', libc.ioctl(one, abi.SIOCINQ, bytes));
    this.#works('getsockopt', libc.getsockopt(one, abi.SOL_SOCKET, abi.SO_ERROR, bytes, lengthOf(bytes)));
    this.#splice(one, other);
    this.#works('shutdown', libc.shutdown(other, abi.SHUT_WR));
    this.#open('fcntl', libc.fcntl(other, abi.F_DUPFD_CLOEXEC, 0));
  }

  /** There and back: what `one` received returns to its sender through a pipe. */
  #splice(one: number, sender: number): void {
    const libc = this.#libc;
    const fds = Buffer.alloc(8);
    this.#works('pipe2', libc.pipe2(fds, abi.O_CLOEXEC | abi.O_NONBLOCK));
    const [readFd, writeFd] = [fds.readInt32LE(0), fds.readInt32LE(4)];
    this.#fds.push(readFd, writeFd);
    this.#works('splice', libc.splice(one, null, writeFd, null, 16, abi.SPLICE_F_NONBLOCK));
    this.#works('splice', libc.splice(readFd, null, one, null, 16, abi.SPLICE_F_NONBLOCK));
    const back = Buffer.alloc(16);
    this.#works('recv', libc.recv(sender, back, back.length, 0));
  }

  #open(call: string, fd: number): number {
    this.#works(call, fd);
    this.#fds.push(fd);
    return fd;
  }

  /** For calls that nothing outside of this file can make fail. */
  #works(call: string, result: number): void {
    if (result >= 0) return;
    const errno = this.#libc.errno();
    if (SHORTAGES.includes(errno)) throw new RanOut(call);
    throw new CallRefused(`${call} (${errnoName(errno)})`);
  }

  /** For calls that the state of the network may make fail; true when the call has worked. */
  #isAllowed(call: string, result: number): boolean {
    if (result >= 0) return true;
    const errno = this.#libc.errno();
    if (REFUSALS.includes(errno)) throw new CallRefused(`${call} (${errnoName(errno)})`);
    return false;
  }
}

const STREAM = abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return length;
}
