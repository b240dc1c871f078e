/**
 * What a running lb4 holds, seen from within: timers, memory that is in use, slots of shared memory.
 *
 * Place: tests that look for leaks. This file is both sides: loaded into lb4 by `--import`, also into its workers, it
 * answers on a unix socket, and `whatItHolds` asks there.
 * How: objects are counted by what the engine still reaches, after a collection of garbage: timers that keep nothing
 * alive are listed nowhere else. The table of slots is the one that the separate files of lb4 share with this one, so
 * lb4 has to run from these.
 */
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { setFlagsFromString, queryObjects } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import { SlotTable } from '../../src/shared-memory/slot-table.ts';

const CHANNEL = 'lb4 test: what do you hold?';
const PATH = 'LB4_TEST_HOLDS';

export interface Thread {
  readonly timers: number;
  readonly heapBytes: number;
  readonly outsideBytes: number;
}

export interface Held {
  /** The main thread's, then the workers'. */
  readonly threads: readonly Thread[];
  readonly slots: number;
}

/** Arguments of Node with which lb4 answers. */
export const ANSWERING = ['--disable-warning=ExperimentalWarning', '--import', import.meta.url] as const;

/** What an lb4 holds that was started with ANSWERING and this in its environment. */
export const answeringAt = (path: string): NodeJS.ProcessEnv => ({ [PATH]: path });

/** @param workers how many of them are to answer */
export async function whatItHolds(path: string, workers: number): Promise<Held> {
  const socket = connect(path).setEncoding('utf8');
  socket.write(`${workers}\n`);
  let text = '';
  socket.on('data', (piece: string) => (text += piece));
  await once(socket, 'end');
  return JSON.parse(text) as Held;
}

function ownThread(): Thread {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  // Not a type that Node exports.
  const timer = setTimeout(() => undefined, 0);
  const timers = queryObjects(timer.constructor, { format: 'count' }) - 1;
  clearTimeout(timer);
  const { heapUsed, external } = process.memoryUsage();
  return { timers, heapBytes: heapUsed, outsideBytes: external };
}

function answerInMain(path: string): void {
  let table: SlotTable | undefined;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called on its own object below
  const { take } = SlotTable.prototype;
  SlotTable.prototype.take = function (key) {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the one table of the balancer
    table = this;
    return take.call(this, key);
  };
  const server = createServer(socket => {
    socket.once('data', bytes => {
      const workers = Number(bytes.toString());
      const others: Thread[] = [];
      const channel = new BroadcastChannel(CHANNEL);
      const answer = (): void => {
        channel.close();
        const held: Held = { threads: [ownThread(), ...others], slots: table?.size ?? 0 };
        socket.end(JSON.stringify(held));
      };
      channel.onmessage = ({ data }: { data: Thread | 'asked' }) => {
        if (data !== 'asked') others.push(data);
        if (others.length === workers) answer();
      };
      if (workers === 0) answer();
      else channel.postMessage('asked');
    });
  });
  server.listen(path).unref();
}

function answerInWorker(): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: { data: Thread | 'asked' }) => {
    if (data === 'asked') channel.postMessage(ownThread());
  };
  channel.unref();
}

const path = process.env[PATH];
if (path !== undefined) {
  if (isMainThread) answerInMain(path);
  else answerInWorker();
}
