/**
 * Whether the epoll engine works on this machine, found out by using every call it needs once.
 *
 * Place: asked once, by control, before the engine is chosen. Why: a container's seccomp filter may forbid a
 * single call, and a sandboxed kernel may lack one; better one line at the start than a session's failure.
 */
import * as abi from './abi.ts';
import { loadLibc, type Libc, type LibcResult } from './libc.ts';
import { encodeAddress, SOCKADDR_BYTES } from './sockaddr.ts';
import { EINPROGRESS, errnoName } from './system-error.ts';

/** The C library, ready for the engine, or the reason why `node` has to do. */
export function epollSupport(load: () => LibcResult = loadLibc): LibcResult {
  const loaded = load();
  if (!loaded.ok) return loaded;
  const failure = new SelfTest(loaded.libc).run();
  return failure === undefined ? loaded : { ok: false, reason: `the system does not allow ${failure}` };
}

/** A call and the errno it failed with. */
class CallFailed extends Error {}

class SelfTest {
  readonly #libc: Libc;
  readonly #fds: number[] = [];

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Undefined when everything works, else the call and its error. */
  run(): string | undefined {
    try {
      this.#play();
      return undefined;
    } catch (error) {
      if (error instanceof CallFailed) return error.message;
      throw error;
    } finally {
      for (const fd of this.#fds) this.#libc.close(fd);
    }
  }

  /** One session with itself on loopback, and what goes with it. */
  #play(): void {
    const libc = this.#libc;
    const bytes = Buffer.alloc(SOCKADDR_BYTES);
    const length = lengthOf(bytes);
    const epollFd = this.#open('epoll_create1', libc.epoll_create1(abi.EPOLL_CLOEXEC));
    this.#open('eventfd', libc.eventfd(0, abi.EFD_CLOEXEC | abi.EFD_NONBLOCK));

    const listening = this.#socket();
    const one = Buffer.from([1, 0, 0, 0]);
    this.#check('setsockopt', libc.setsockopt(listening, abi.SOL_SOCKET, abi.SO_REUSEPORT, one, one.length));
    const loopback = encodeAddress({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    this.#check('bind', libc.bind(listening, loopback.bytes, loopback.bytes.length));
    this.#check('listen', libc.listen(listening, 1));
    this.#check('getsockname', libc.getsockname(listening, bytes, length));

    const client = this.#socket();
    if (libc.connect(client, bytes, loopback.bytes.length) < 0 && libc.errno() !== EINPROGRESS) {
      this.#check('connect', -1);
    }
    const accepted = this.#accept(listening, bytes);
    const events = Buffer.alloc(16);
    events.writeUInt32LE(abi.EPOLLIN);
    this.#check('epoll_ctl', libc.epoll_ctl(epollFd, abi.EPOLL_CTL_ADD, accepted, events));

    const text = Buffer.from('lb4');
    this.#check('send', libc.send(client, text, text.length, abi.MSG_NOSIGNAL));
    this.#check('epoll_wait', libc.epoll_wait(epollFd, events, 1, 1000));
    this.#check('ioctl', libc.ioctl(accepted, abi.SIOCINQ, bytes));
    this.#check(
      'getsockopt',
      libc.getsockopt(accepted, abi.SOL_SOCKET, abi.SO_ERROR, bytes, lengthOf(bytes)),
    );
    this.#splice(accepted, client);
    this.#check('shutdown', libc.shutdown(client, abi.SHUT_WR));
    this.#check('fcntl', this.#open('fcntl', libc.fcntl(client, abi.F_DUPFD_CLOEXEC, 0)));
  }

  /** There and back: what the accepted socket received returns to its sender through a pipe. */
  #splice(accepted: number, client: number): void {
    const libc = this.#libc;
    const fds = Buffer.alloc(8);
    this.#check('pipe2', libc.pipe2(fds, abi.O_CLOEXEC | abi.O_NONBLOCK));
    const [readFd, writeFd] = [fds.readInt32LE(0), fds.readInt32LE(4)];
    this.#fds.push(readFd, writeFd);
    this.#check('splice', libc.splice(accepted, null, writeFd, null, 16, abi.SPLICE_F_NONBLOCK));
    this.#check('splice', libc.splice(readFd, null, accepted, null, 16, abi.SPLICE_F_NONBLOCK));
    const back = Buffer.alloc(16);
    this.#check('recv', libc.recv(client, back, back.length, 0));
  }

  #accept(listening: number, bytes: Buffer): number {
    const flags = abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
    return this.#open('accept4', this.#libc.accept4(listening, bytes, lengthOf(bytes), flags));
  }

  #socket(): number {
    const type = abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
    return this.#open('socket', this.#libc.socket(abi.AF_INET, type, 0));
  }

  #open(call: string, fd: number): number {
    this.#check(call, fd);
    this.#fds.push(fd);
    return fd;
  }

  #check(call: string, result: number): number {
    if (result < 0) throw new CallFailed(`${call} (${errnoName(this.#libc.errno())})`);
    return result;
  }
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return length;
}
