/**
 * Starts faulty backends: in the test's own process, or several in a process of their own, which the test's event
 * loop cannot slow down and which can be stopped as a whole (SIGSTOP: the kernel goes on accepting, nobody answers).
 *
 * Place: for tests of failing backends; what one does is in faulty-backend.ts. This file is also the program of the
 * other process. Everything ends with the test.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TcpAddress } from '../../src/support/address.ts';
import { FaultyBackend, ownHost, type Behaviour, type Counters } from './faulty-backend.ts';
import { ended } from './programs.ts';
import type { Teardown } from './teardown.ts';

/** What a test holds of a backend in another process. */
export interface RemoteBackend {
  readonly name: string;
  readonly address: TcpAddress;
  become(behaviour: Behaviour): Promise<void>;
  counters(): Promise<Counters>;
}

export interface BackendProcess {
  readonly pid: number;
  readonly backends: readonly RemoteBackend[];
  /** SIGSTOP; orders to its backends wait until `resume`. */
  stop(): void;
  resume(): void;
}

type Order =
  | { readonly start: Readonly<Record<string, Behaviour>>; readonly host?: string | undefined }
  | { readonly become: Behaviour; readonly backend: number }
  | { readonly count: number };
type Answer = readonly TcpAddress[] | Counters | 'done';

const ROLE = 'faulty-backends';

let started = 0;

/** Starts one in this process, named after its behaviour unless told otherwise. */
export async function startFaultyBackend(
  t: Teardown,
  behaviour: Behaviour,
  { name = nameOf(behaviour), host = ownHost(started++) }: { name?: string; host?: string } = {},
): Promise<FaultyBackend> {
  const backend = await FaultyBackend.start(name, host, behaviour);
  t.teardown(() => backend.close());
  return backend;
}

/** Starts those of a record of names in one process of their own. `host`: where they listen, each on its own port. */
export async function startBackendProcess(
  t: Teardown,
  behaviours: Readonly<Record<string, Behaviour>>,
  { host }: { readonly host?: string } = {},
): Promise<BackendProcess> {
  const child = fork(fileURLToPath(import.meta.url), [ROLE], { execArgv: [] });
  t.teardown(() => {
    child.kill('SIGKILL');
    return ended(child);
  });
  const ask = conversation(child);
  const addresses = await ask<readonly TcpAddress[]>({ start: behaviours, host });
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  return {
    pid: child.pid ?? 0,
    backends: Object.keys(behaviours).map((name, backend) => ({
      name,
      address: addresses[backend]!,
      become: async behaviour => {
        await ask({ become: behaviour, backend });
      },
      counters: () => ask<Counters>({ count: backend }),
    })),
    stop: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
  };
}

/** Answers come in the order of the orders. */
function conversation(child: ChildProcess): <T extends Answer>(order: Order) => Promise<T> {
  const waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = [];
  child.on('message', answer => waiting.shift()?.resolve(answer as Answer));
  child.once('exit', () => {
    for (const each of waiting.splice(0)) each.reject(new Error('the backends have ended'));
  });
  return <T extends Answer>(order: Order) =>
    new Promise<T>((resolve, reject) => {
      // The answer to each order is what `obey` sends for it.
      waiting.push({ resolve: answer => resolve(answer as T), reject });
      child.send(order);
    });
}

function nameOf(behaviour: Behaviour): string {
  return typeof behaviour === 'string' ? behaviour : String(Object.keys(behaviour)[0]);
}

async function obey(order: Order, backends: FaultyBackend[]): Promise<Answer> {
  if ('start' in order) {
    for (const [name, behaviour] of Object.entries(order.start))
      backends.push(await FaultyBackend.start(name, order.host ?? ownHost(backends.length), behaviour));
    return backends.map(({ address }) => address);
  }
  if ('count' in order) return backends[order.count]!.counters;
  await backends[order.backend]!.become(order.become);
  return 'done';
}

if (process.argv[2] === ROLE && process.send !== undefined) {
  const backends: FaultyBackend[] = [];
  // One after the other, so that answers keep the order.
  let last: Promise<unknown> = Promise.resolve();
  process.on('message', order => {
    last = last.then(async () => process.send?.(await obey(order as Order, backends)));
  });
  // The test has ended without saying so.
  process.once('disconnect', () => process.exit());
}
