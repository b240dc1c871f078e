/**
 * Two network namespaces with a cable between them, for lb4 and its clients in `front` and the backends in `back`:
 * real kernels, real packets, and everything that can happen to them.
 *
 * Place: for tests of network faults, with `networkFaults` as the reason to skip them. Names carry the process's id;
 * everything goes with the test, and what a killed test has left goes with the next one.
 * Addresses are those reserved for benchmarks (RFC 2544), since a machine may have one of the documentation's.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { wordsOf } from '../../src/errors.ts';
import { startDeafBackend } from './backend.ts';
import { FULL, skipUnlessFull } from './full-load.ts';
import { command, NetworkNamespace, skipWithoutNamespaces } from './network-namespace.ts';
import { ended } from './programs.ts';
import type { Teardown } from './teardown.ts';
import { pause } from './until.ts';
import type { TcpAddress } from '../../src/support/address.ts';

export interface FaultyNetwork {
  readonly front: NetworkNamespace;
  readonly back: NetworkNamespace;
  /** Pulls the cable, or plugs it in again. Neither side is told. */
  cable(state: 'up' | 'down'): Promise<void>;
}

export interface SlowPath {
  /** One way, so that a round trip takes twice as long. */
  readonly delayMs: number;
  readonly lossPercent: number;
  /** Absent: as fast as it goes. */
  readonly kilobitPerSecond?: number;
  readonly mtuBytes?: number;
}

export const FRONT_HOST = '198.18.0.1';
export const BACK_HOST = '198.18.0.2';
/** Where backends listen to be reached by the slow path. */
export const SLOW_BACK_HOST = '198.18.1.2';
const SLOW_FRONT_HOST = '198.18.1.1';

const PREFIX = 'lb4-faults-';
/** A connect that takes longer on a cable without faults has found no room. */
const NO_ROOM_MS = 100;

let networks = 0;

/** Makes one that ends with the test, whatever becomes of the test. */
export async function createFaultyNetwork(t: Teardown): Promise<FaultyNetwork> {
  await sweep();
  const name = `${PREFIX}${process.pid}-${++networks}`;
  const made: NetworkNamespace[] = [];
  t.teardown(async () => {
    for (const namespace of made) await namespace.delete();
  });
  const make = async (side: string): Promise<NetworkNamespace> => {
    const namespace = await NetworkNamespace.create(`${name}${side}`);
    made.push(namespace);
    return namespace;
  };
  const [front, back] = [await make('a'), await make('b')];
  await front.ip('link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', back.name);
  await front.ip('addr', 'add', `${FRONT_HOST}/24`, 'dev', 'cable');
  await back.ip('addr', 'add', `${BACK_HOST}/24`, 'dev', 'cable');
  await front.ip('link', 'set', 'cable', 'up');
  await back.ip('link', 'set', 'cable', 'up');
  return {
    front,
    back,
    // Down at the back's end: the front's keeps its route and hears nothing, as behind a switch.
    cable: state => back.ip('link', 'set', 'cable', state),
  };
}

/** Adds the slow path to a network; it ends with the test. */
export async function addSlowPath(
  t: Teardown,
  { front, back }: FaultyNetwork,
  { delayMs, lossPercent, kilobitPerSecond = 0, mtuBytes = 1500 }: SlowPath,
): Promise<void> {
  const ends = [front.name, SLOW_FRONT_HOST, back.name, SLOW_BACK_HOST];
  const numbers = { delay: delayMs, loss: lossPercent, rate: kilobitPerSecond, mtu: mtuBytes };
  const options = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // Sources, since a Python file is not compiled.
  const program = fileURLToPath(new URL('../../../test/harness/tunem.py', import.meta.url));
  const child = spawn('python3', [program, ...ends, ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(async () => {
    child.stdin.end();
    await ended(child);
  });
  const up = once(child.stdout, 'data');
  const over = ended(child).then(() => Promise.reject(new Error('the slow path could not be made')));
  await Promise.race([up, over]);
  over.catch(() => undefined);
}

/** A backend of the network whose process never accepts and whose backlog is full: its kernel drops SYNs. */
export async function startFullBackend(t: Teardown, { front, back }: FaultyNetwork): Promise<TcpAddress> {
  const address = await back.run(() => startDeafBackend(t, BACK_HOST));
  for (let room = true; room;) {
    room = await front.run(async () => {
      const socket = connect(address).on('error', () => undefined);
      t.teardown(() => socket.destroy());
      return Promise.race([once(socket, 'connect').then(() => true), pause(NO_ROOM_MS).then(() => false)]);
    });
  }
  return address;
}

export type Available = { readonly available: true } | { readonly available: false; readonly why: string };

let known: Promise<Available> | undefined;

/** Whether network faults can be had on this machine: makes a network and uses each means once. */
export function networkFaults(): Promise<Available> {
  known ??= tryOut();
  return known;
}

/** For a test's `skip`: false, or why not. Tests of whole balancers take their time, so `.ci/run` asks for them. */
export async function skipWithoutNetworkFaults(): Promise<string | false> {
  if (!FULL) return skipUnlessFull();
  const faults = await networkFaults();
  return faults.available ? false : faults.why;
}

async function tryOut(): Promise<Available> {
  const why = skipWithoutNamespaces('nft', 'ss', 'python3');
  if (why !== false) return { available: false, why };
  const undo: (() => unknown)[] = [];
  try {
    const { front, back } = await createFaultyNetwork({ teardown: callback => undo.push(callback) });
    await (
      await back.filter(9, 'drop')
    )();
    await (
      await back.filter(9, 'reject with tcp reset')
    )();
    await (
      await back.filter(9, 'reject with icmpx type host-unreachable')
    )();
    await front.set('ipv4/ip_local_port_range', '50000 50007');
    await front.killConnections('dport', '=', '9');
    return { available: true };
  } catch (error) {
    const reason = wordsOf(error);
    return { available: false, why: `this machine forbids network faults: ${reason}` };
  } finally {
    for (const callback of undo.reverse()) await callback();
  }
}

/** Namespaces of tests whose process is gone. */
async function sweep(): Promise<void> {
  const names = (await command('ip', 'netns', 'list')).split('\n').map(line => line.split(' ')[0] ?? '');
  for (const name of names) {
    const pid = Number(/^lb4-faults-(\d+)-/.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) await command('ip', 'netns', 'delete', name);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
