/**
 * One network namespace: a network stack of its own, in which a test opens sockets, starts processes and breaks
 * things without touching the machine's.
 *
 * Place: faulty-network.ts makes two and joins them. Linux, root, koffi; iproute2 and nftables for what is broken.
 * How: setns(2) moves the test's main thread alone; whatever socket or child process that thread makes meanwhile
 * belongs to the namespace for good. So `run` is one at a time over all namespaces, and no socket of anybody else
 * may be opened meanwhile: await it before going on.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { find, runProgram } from './programs.ts';

const CLONE_NEWNET = 0x4000_0000;

/** What is in force until it is called. */
export type Undo = () => Promise<void>;

/** What a filter does with packets; the two rejections are told to the sender, a drop is not. */
export type Verdict = 'drop' | 'reject with tcp reset' | 'reject with icmpx type host-unreachable';

let busy: Promise<unknown> = Promise.resolve();

export class NetworkNamespace {
  readonly name: string;
  #rules = 0;

  private constructor(name: string) {
    this.name = name;
  }

  static async create(name: string): Promise<NetworkNamespace> {
    await command('ip', 'netns', 'add', name);
    const namespace = new NetworkNamespace(name);
    await namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  /** Processes in it live on, without a way to reach it: end them before. */
  async delete(): Promise<void> {
    await command('ip', 'netns', 'delete', this.name);
  }

  /** Sockets and processes that `open` makes until it resolves belong to the namespace. Not to be nested. */
  run<T>(open: () => Promise<T>): Promise<T> {
    const result = busy.then(async () => {
      const leave = this.#enter();
      try {
        return await open();
      } finally {
        leave();
      }
    });
    busy = result.catch(() => undefined);
    return result;
  }

  /** `ip` in the namespace. */
  async ip(...args: readonly string[]): Promise<void> {
    await command('ip', '-n', this.name, ...args);
  }

  /** Does this to TCP packets that arrive for a port or one of several, all at the same moment, until undone. */
  async filter(ports: number | readonly number[], verdict: Verdict): Promise<Undo> {
    const table = `faults${++this.#rules}`;
    await this.#exec(
      'nft',
      `add table inet ${table}; add chain inet ${table} in { type filter hook input priority 0; };` +
        `add rule inet ${table} in tcp dport { ${[ports].flat().join(', ')} } ${verdict}`,
    );
    return async () => {
      await this.#exec('nft', `delete table inet ${table}`);
    };
  }

  /**
   * Counts the SYNs that arrive for some ports from now on, what filters do to them included. Resolves to what reads
   * the counts, by port.
   */
  async countConnects(ports: readonly number[]): Promise<() => Promise<ReadonlyMap<number, number>>> {
    const table = `connects${++this.#rules}`;
    const rules = ports.map(
      port =>
        `add counter inet ${table} to${port};` +
        `add rule inet ${table} in tcp dport ${port} tcp flags & (syn | ack) == syn counter name to${port};`,
    );
    await this.#exec(
      'nft',
      // Before the filters, which end a packet's way.
      `add table inet ${table}; add chain inet ${table} in { type filter hook input priority -10; };${rules.join('')}`,
    );
    return async () => {
      const text = await this.#exec('nft', 'list', 'counters', 'table', 'inet', table);
      const found = text.matchAll(/counter to(\d+) \{\s+packets (\d+) /g);
      return new Map([...found].map(([, port, packets]) => [Number(port), Number(packets)]));
    };
  }

  /** Sets a value below /proc/sys/net, such as `ipv4/ip_local_port_range`. */
  async set(key: string, value: string): Promise<void> {
    // The file shows the network of the thread that opens it.
    await this.run(async () => writeFileSync(`/proc/sys/net/${key}`, value));
  }

  /** Kills connections that match a filter of ss(8); both sides learn of it. Resolves with how many. */
  async killConnections(...filter: readonly string[]): Promise<number> {
    const killed = await this.#exec('ss', '-K', '-H', '-n', '-t', ...filter);
    return killed.split('\n').filter(line => line !== '').length;
  }

  #exec(program: string, ...args: readonly string[]): Promise<string> {
    return command('ip', 'netns', 'exec', this.name, program, ...args);
  }

  #enter(): () => void {
    const home = openSync('/proc/self/ns/net', 'r');
    moveTo(`/run/netns/${this.name}`);
    return () => {
      setns(home);
      closeSync(home);
    };
  }
}

/** For a test's `skip`: false, or why this machine has no namespaces. */
export function skipWithoutNamespaces(...programs: readonly string[]): string | false {
  if (process.platform !== 'linux') return 'network namespaces take Linux';
  if (process.getuid?.() !== 0) return 'network namespaces take root';
  const missing = ['ip', ...programs].filter(program => find(program) === undefined);
  if (missing.length > 0) return `this machine has no ${missing.join(', ')}`;
  try {
    createRequire(import.meta.url)('koffi');
    return false;
  } catch {
    return 'koffi, which moves a thread into a namespace, does not load';
  }
}

/** Runs a program; rejects with what it said unless it exits with 0. */
export async function command(program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, { timeoutMs: 10_000 });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${stderr.trim()}`);
  return stdout;
}

function moveTo(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    setns(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

let libc: ((descriptor: number, kind: number) => number) | undefined;

function setns(descriptor: number): void {
  const koffi: typeof Koffi = createRequire(import.meta.url)('koffi');
  libc ??= koffi.load(null).func('int setns(int, int)') as NonNullable<typeof libc>;
  if (libc(descriptor, CLONE_NEWNET) !== 0) throw new Error(`setns failed with errno ${koffi.errno()}`);
}
