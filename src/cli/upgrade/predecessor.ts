/**
 * The lb4 that has started this one to be replaced by it, as this one sees it.
 *
 * Place: the first thing that `lb4 run` looks for.
 * If the predecessor dies in the middle, this process goes on: it has the sockets.
 */
import { Socket } from 'node:net';
import type { Inheritance } from '../../model/inheritance.ts';
import type { HandedSockets } from '../../support/socket.ts';
import type { SetTimer } from '../../support/timer.ts';
import { FROM, HELLO_FD, isLetGo, parseHello, PROTOCOL } from './messages.ts';

/** How long a last message may take. */
const LAST_MS = 1_000;

/** The part of Node's `process` that is used. */
export type Channel = Pick<NodeJS.Process, 'on' | 'once' | 'off' | 'send' | 'connected' | 'env'> & {
  disconnect?(): void;
};

/** What this process has taken over, by the predecessor's keys. */
export interface Taken {
  readonly version: string;
  readonly sockets: readonly string[];
  readonly admin: readonly string[];
}

export class Predecessor {
  readonly pid: number;
  readonly inheritance: Inheritance;
  readonly admin: readonly HandedSockets[];
  readonly #process: Channel;
  readonly #setTimer: SetTimer;
  readonly #letGo: Promise<void>;

  constructor(
    { pid, sockets, changes, admin }: Pick<Predecessor, 'pid' | 'admin'> & Inheritance,
    channel: Channel,
    setTimer: SetTimer,
  ) {
    this.pid = pid;
    this.inheritance = { sockets, changes };
    this.admin = admin;
    this.#process = channel;
    this.#setTimer = setTimer;
    this.#letGo = new Promise(resolve => {
      channel.on('message', message => isLetGo(message) && resolve());
      channel.once('disconnect', () => resolve());
      if (!channel.connected) resolve();
    });
  }

  /** All descriptors that it has given to this process. */
  get fds(): readonly number[] {
    return [...this.inheritance.sockets, ...this.admin].flatMap(({ fds }) => fds);
  }

  /** Resolves when the predecessor has let go of what was taken, or is dead. */
  async ready(taken: Taken): Promise<void> {
    this.#send({ kind: 'ready', ...taken });
    await this.#letGo;
    this.#leave();
  }

  /** This process does not take over: one sentence for each reason. */
  async failed(lines: readonly string[]): Promise<void> {
    await new Promise<void>(resolve => {
      this.#setTimer(resolve, LAST_MS);
      this.#send({ kind: 'failed', lines }, resolve);
    });
    this.#leave();
  }

  #send(message: object, sent: () => void = () => undefined): void {
    if (!this.#process.connected || this.#process.send === undefined) sent();
    else this.#process.send(message, undefined, undefined, sent);
  }

  #leave(): void {
    if (this.#process.connected) this.#process.disconnect?.();
  }
}

/**
 * Undefined where this process was started in the usual way. Rejects when what has started it says nothing.
 * @param readHello all that comes through the pipe, until it is closed
 */
export async function meetPredecessor(
  channel: Channel,
  setTimer: SetTimer,
  readHello: () => Promise<string> = () => textFrom(HELLO_FD),
): Promise<Predecessor | undefined> {
  const isSuccessor = channel.env[FROM] !== undefined && channel.send !== undefined;
  Reflect.deleteProperty(channel.env, FROM);
  if (!isSuccessor) return undefined;
  const hello = parseHello(await readHello());
  if (hello !== undefined) return new Predecessor(hello, channel, setTimer);
  const why = `the lb4 that has started this one speaks another protocol than ${PROTOCOL}: restart it instead`;
  await new Predecessor({ pid: 0, sockets: [], changes: [], admin: [] }, channel, setTimer).failed([why]);
  throw new Error(why);
}

async function textFrom(fd: number): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of new Socket({ fd })) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
