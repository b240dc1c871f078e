/**
 * The epoll engine alone in a process of its own: one listener, one backend, a relay for each pair, and lines of
 * JSON about what happens.
 *
 * Place: for tests that need limits of their own (descriptors), or measure the engine's CPU time.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';

import type { Address } from '../../src/support/address.ts';
import { until } from './until.ts';

export interface EpollProgram {
  readonly address: Address;
  readonly pid: number;
  /** How often each thing was told: `client`, `relayed`, `ended`, `exhausted EMFILE`, `failed localResources` ... */
  told(what: string): number;
  /** Lets the program do something: `hold` (or `relay`) clients that come from now on, `release` those it holds. */
  say(command: 'hold' | 'relay' | 'release' | 'stop accepting' | 'accept again' | 'connect'): void;
  /** CPU time that the process has used, in milliseconds. */
  cpuMs(): Promise<number>;
}

const sourceUrl = new URL('../../src/', import.meta.url).href;

const PROGRAM = `
const { createEpollEngine } = await import(${JSON.stringify(`${sourceUrl}engine/epoll/epoll-engine.js`)});
const { loadLibc } = await import(${JSON.stringify(`${sourceUrl}linux/libc.js`)});
const { createInterface } = await import('node:readline');
const backend = JSON.parse(process.argv[1]);
const tell = what => process.stdout.write(JSON.stringify(what) + '\\n');
const engine = createEpollEngine({
  libc: loadLibc().libc, now: () => performance.now(), clock: { nowMs: 0 }, ceilingMs: 50,
});
let mode = 'relay';
const held = [];
const relay = client => engine.connect(backend, { timeoutMs: 5000 }, result => {
  if (!result.ok) {
    tell('failed ' + result.failure.reason);
    client?.reset();
    return;
  }
  if (client === undefined) {
    tell('connected');
    held.push(result.connection);
    return;
  }
  tell('relayed');
  engine.relay(client, result.connection, { onHalfClosed() {}, onEnd: () => tell('ended') });
});
const listener = await engine.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, {
  onClient(client) {
    tell('client');
    if (mode === 'hold') held.push(client);
    else relay(client);
  },
  onExhausted: code => tell('exhausted ' + code),
});
tell(listener.address);
const commands = {
  hold: () => { mode = 'hold'; },
  relay: () => { mode = 'relay'; },
  release: () => { for (const each of held.splice(0)) each.reset(); },
  'stop accepting': () => listener.pause(),
  'accept again': () => listener.resume(),
  connect: () => relay(undefined),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    tell({ cpuMs: (user + system) / 1000 });
  },
};
createInterface({ input: process.stdin }).on('line', line => {
  commands[line]();
  if (line !== 'cpu') tell('done ' + line);
});`;

/** Starts it; it relays to `backend` and ends with the test. `descriptors`: how many it may have. */
export async function startEpollProgram(
  t: Test,
  backend: Address,
  { descriptors }: { readonly descriptors?: number } = {},
): Promise<EpollProgram> {
  const node = [process.execPath, '--input-type=module', '-e', PROGRAM, JSON.stringify(backend)];
  const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors} && `;
  const child = spawn('/bin/sh', ['-c', `${limit}exec "$@"`, 'sh', ...node], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const counts = new Map<string, number>();
  const answers: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', line => {
    const what: unknown = JSON.parse(line);
    if (typeof what === 'string') counts.set(what, (counts.get(what) ?? 0) + 1);
    else answers.push(what as Record<string, unknown>);
  });
  const answer = async (): Promise<Record<string, unknown>> => {
    await until('the program answers', () => answers.length > 0);
    return answers.shift()!;
  };
  const address = (await answer()) as unknown as Address;
  return {
    address,
    pid: child.pid!,
    told: what => counts.get(what) ?? 0,
    say: command => void child.stdin.write(`${command}\n`),
    cpuMs: async () => {
      child.stdin.write('cpu\n');
      return Number((await answer())['cpuMs']);
    },
  };
}
