/**
 * Sessions that come at a fixed rate and stay for different times, with their backend, in a thread of their own. Both
 * sides say when a session begins and ends, so the backend knows how many it holds, at which of its addresses: also
 * where a balancer keeps connections for later.
 *
 * Place: tests in which a balancer changes meanwhile. This file is both sides.
 * A session: the client sends `x` and gets it back, stays, sends `q`, gets that back, ends, and sees the end. Anything
 * else is a failure, except that an address that nobody listens at may refuse.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { seeded } from '../../src/sim/seeded.ts';
import type { Teardown } from './teardown.ts';

const ROLE = 'lingering sessions';
const PATIENCE_MS = 10_000;
const TICK_MS = 2;
/** Most sessions are short, and one of so many stays for long. */
const STAYS_MS = { short: 150, long: 15_000 };
const ONE_LONG_OF = 40;

export interface Coming {
  readonly ratePerSecond: number;
  /** Ports of 127.0.0.1 that listen at any time, and ports that may refuse. Sessions take turns. */
  readonly always: readonly number[];
  readonly sometimes: readonly number[];
}

export interface Tally {
  readonly served: number;
  readonly refused: number;
  /** Sessions that run. */
  readonly running: number;
  /** What has become of each session that was not served, and when, in milliseconds since 1970. */
  readonly failures: readonly { readonly what: string; readonly at: number }[];
  /** Sessions that the backend holds at each of its addresses. */
  readonly held: ReadonlyMap<string, number>;
}

type Order = { kind: 'come'; coming: Coming } | { kind: 'rest' } | { kind: 'end' } | { kind: 'tally' };

export class LingeringSessions {
  readonly #worker: Worker;
  /** The backend's; it listens on every address. */
  readonly backendPort: number;

  private constructor(worker: Worker, backendPort: number) {
    this.#worker = worker;
    this.backendPort = backendPort;
  }

  /** In the network of the thread that calls it. */
  static async start(t: Teardown, seed: number): Promise<LingeringSessions> {
    const worker = new Worker(new URL(import.meta.url), { workerData: { role: ROLE, seed }, execArgv: [] });
    t.teardown(() => worker.terminate());
    const [port] = (await once(worker, 'message')) as [number];
    return new LingeringSessions(worker, port);
  }

  /** From now on clients come, and those that stay for long end when their time is over. */
  async come(coming: Coming): Promise<void> {
    await this.#ask({ kind: 'come', coming });
  }

  /** Resolves when nothing moves: no client comes, the short sessions have ended, and the long ones stay. */
  rest(): Promise<Tally> {
    return this.#ask({ kind: 'rest' });
  }

  /** Resolves when every session has ended. */
  end(): Promise<Tally> {
    return this.#ask({ kind: 'end' });
  }

  tally(): Promise<Tally> {
    return this.#ask({ kind: 'tally' });
  }

  /** One question at a time. */
  async #ask(order: Order): Promise<Tally> {
    this.#worker.postMessage(order);
    const [tally] = (await once(this.#worker, 'message')) as [Tally];
    return tally;
  }
}

class Sessions {
  readonly #random: () => number;
  readonly #held = new Map<string, number>();
  readonly #failures: { what: string; at: number }[] = [];
  readonly #short = new Set<Socket>();
  readonly #long = new Map<Socket, () => void>();
  #served = 0;
  #refused = 0;
  #coming: { load: Coming; from: number; come: number } | undefined;
  #isResting = false;
  #changed: (() => void) | undefined;

  constructor(seed: number) {
    this.#random = seeded(seed);
    setInterval(() => this.#tick(), TICK_MS);
  }

  async listen(): Promise<number> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, socket => this.#serve(socket));
    server.listen(0, '0.0.0.0', 4_096);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async obey(order: Order): Promise<Tally> {
    if (order.kind !== 'tally') this.#isResting = order.kind === 'rest';
    if (order.kind === 'come') this.#coming = { load: order.coming, from: performance.now(), come: 0 };
    if (order.kind === 'rest' || order.kind === 'end') {
      this.#coming = undefined;
      if (order.kind === 'end') for (const end of [...this.#long.values()]) end();
      await this.#until(
        () => this.#short.size === 0 && (order.kind === 'rest' || this.#long.size === 0) && this.#agree(),
      );
    }
    return {
      ...{ served: this.#served, refused: this.#refused, failures: this.#failures, held: this.#held },
      running: this.#short.size + this.#long.size,
    };
  }

  /** Both sides know of the same number of sessions. */
  #agree(): boolean {
    let held = 0;
    for (const count of this.#held.values()) held += count;
    return held === this.#long.size;
  }

  /** Gives up after a while: the tally then shows what is wrong. */
  async #until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS * 1.5;
    while (!condition() && performance.now() < deadline)
      await new Promise<void>(resolve => {
        this.#changed = resolve;
        setTimeout(resolve, 100);
      });
  }

  #tick(): void {
    const coming = this.#coming;
    if (coming === undefined) return;
    const { ratePerSecond, always, sometimes } = coming.load;
    const ports = [...always, ...sometimes];
    const due = ((performance.now() - coming.from) * ratePerSecond) / 1_000;
    for (; coming.come < due; coming.come++) {
      const index = coming.come % ports.length;
      const isLong = this.#random() * ONE_LONG_OF < 1;
      const staysMs = this.#random() * (isLong ? STAYS_MS.long : STAYS_MS.short);
      this.#open({ port: ports[index] ?? 0, mayRefuse: index >= always.length, isLong, staysMs });
    }
  }

  #open(session: { port: number; mayRefuse: boolean; isLong: boolean; staysMs: number }): void {
    const { port, mayRefuse, isLong, staysMs } = session;
    // Each from an address of its own, so that ports do not run out.
    const part = (): number => Math.floor(this.#random() * 256);
    const localAddress = `127.200.${part()}.${part()}`;
    const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true });
    let got = '';
    let phase = 'connecting';
    const over = (failure?: string): void => {
      clearTimeout(patience);
      clearTimeout(stay);
      if (!this.#short.delete(socket) && !this.#long.delete(socket)) return;
      socket.destroy();
      if (failure !== undefined)
        this.#failures.push({ what: `${failure}, ${phase}, :${port}`, at: Date.now() });
      this.#changed?.();
    };
    let patience = setTimeout(() => over('nothing'), PATIENCE_MS);
    let stay: NodeJS.Timeout | undefined;
    const leave = (): void => {
      phase = 'leaving';
      clearTimeout(stay);
      patience = setTimeout(() => over('nothing'), PATIENCE_MS);
      socket.write('q');
      this.#long.delete(socket);
      this.#short.add(socket);
    };
    this.#short.add(socket);
    socket.once('connect', () => {
      phase = 'waiting';
      socket.write('x');
    });
    socket.on('data', bytes => {
      got += bytes.toString();
      if (got === 'x') {
        phase = 'staying';
        clearTimeout(patience);
        if (!isLong) stay = setTimeout(leave, staysMs);
        else {
          this.#short.delete(socket);
          this.#long.set(socket, leave);
          // At its time, if nothing rests then.
          const leaveLater = (ms: number): void => {
            stay = setTimeout(() => (this.#isResting ? leaveLater(200) : leave()), ms);
          };
          leaveLater(staysMs);
          this.#changed?.();
        }
      } else if (got === 'xq') {
        phase = 'ending';
        socket.end();
      } else over(`"${got}"`);
    });
    socket.once('end', () => {
      if (phase === 'ending') this.#served++;
      over(phase === 'ending' ? undefined : 'an end');
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      const isFair = code === 'ECONNREFUSED' && mayRefuse;
      if (isFair) this.#refused++;
      over(isFair ? undefined : code);
    });
  }

  #serve(socket: Socket): void {
    const address = `${socket.localAddress}:${socket.localPort}`;
    let running = 0;
    const count = (change: number): void => {
      running += change;
      const held = (this.#held.get(address) ?? 0) + change;
      if (held === 0) this.#held.delete(address);
      else this.#held.set(address, held);
      this.#changed?.();
    };
    socket.on('data', bytes => {
      for (const letter of bytes.toString()) count(letter === 'x' ? 1 : -1);
      socket.write(bytes);
    });
    socket.on('end', () => socket.end());
    socket.on('error', () => undefined);
    socket.on('close', () => count(-running));
  }
}

if (!isMainThread) {
  // What `start` has sent, or another file's data.
  const { role, seed } = workerData as { role?: string; seed: number };
  if (role === ROLE) {
    const sessions = new Sessions(seed);
    parentPort?.on(
      'message',
      (order: Order) => void sessions.obey(order).then(tally => parentPort?.postMessage(tally)),
    );
    parentPort?.postMessage(await sessions.listen());
  }
}
