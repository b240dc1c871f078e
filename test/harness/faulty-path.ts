/**
 * A way to a TCP server on which bytes can be held up: late by some time, or cut off and let through in the end, as
 * TCP does with what a network has lost for a while.
 *
 * Place: between an instance and its Redis in tests of networks. Nobody is told of a cut: connects succeed, and what
 * is sent is not answered. Ends with the test.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { pause } from './until.ts';

export class FaultyPath {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #delayMs = 0;
  #isCut = false;

  private constructor(to: number) {
    this.#server = createServer({ noDelay: true }, near => {
      const far = connect({ host: '127.0.0.1', port: to, noDelay: true });
      this.#carry(near, far);
      this.#carry(far, near);
    });
  }

  /** Opens one to a port of this machine. */
  static async open(t: { teardown(callback: () => unknown): void }, to: number): Promise<FaultyPath> {
    const path = new FaultyPath(to);
    t.teardown(() => {
      path.#server.close();
      for (const socket of path.#sockets) socket.destroy();
    });
    await new Promise<void>(resolve => path.#server.listen(0, '127.0.0.1', resolve));
    return path;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From now on bytes take so long in each direction. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** What was sent meanwhile arrives now. */
  mend(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    if (this.#isCut) from.pause();
    let last = Promise.resolve();
    from.on('data', bytes => {
      const arrived = this.#delayMs === 0 ? undefined : pause(this.#delayMs);
      last = last.then(() => arrived).then(() => void to.write(bytes));
    });
    from.on('error', () => undefined);
    from.once('close', () => {
      this.#sockets.delete(from);
      void last.then(() => to.destroy());
    });
  }
}
