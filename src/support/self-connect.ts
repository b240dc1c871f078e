/**
 * A connect that has reached itself.
 *
 * Place: asked by both engines (`SelfConnects`), by checks and by the connection to Redis when a connect has succeeded.
 * Why: a socket that connects to a port of its own machine, on which no program listens, may get that very port as its
 * own. TCP then joins it to itself (RFC 9293 3.5, simultaneous open): whatever is sent comes back, and the program that
 * should listen there finds its port taken. To a balancer it looks like a backend that is well. It counts as a refused
 * connect, and is ended with a reset, which frees the port at once.
 * How: both ends have the same address and port. Finding out takes a system call, so sessions ask only where it can
 * happen: at an address of this machine, at a port that the system assigns to sockets that ask for none. While a server
 * listens on the port the system does not assign it, so a connect that has reached a server vouches for those of the
 * next moment, until one fails.
 * Limit: when the server ends, the very next connect in that moment may be the one in tens of thousands that gets the
 * port; where few ports can be assigned, every connect is checked.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

import type { Address } from './address.ts';

export const REFUSED = 'ECONNREFUSED';

/** In Node's words. */
export function refused(): Error {
  return Object.assign(new Error(`connect ${REFUSED}`), { code: REFUSED, syscall: 'connect' });
}

/** The facts about a socket that show it. */
interface Ends {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

export function isItself({ localAddress, localPort, remoteAddress, remotePort }: Ends): boolean {
  return localPort !== undefined && localPort === remotePort && localAddress === remoteAddress;
}

export interface Machine {
  /** Its addresses, beside those that every machine has. */
  readonly addresses: () => readonly string[];
  /** The text of a file; throws where there is none. */
  readonly readFile: (path: string) => string;
}

const HERE: Machine = {
  addresses: () =>
    Object.values(networkInterfaces()).flatMap((each = []) => each.map(({ address }) => address)),
  readFile: path => readFileSync(path, 'utf8'),
};

/** How long a connect that has reached a server vouches for others. */
const STANDS_MS = 1000;
/** With fewer assignable ports, the next connect is too likely to get the one. */
const MANY_PORTS = 4096;

/** Decides when a connect to this numeric address is to be checked. */
export class SelfConnects {
  readonly #isPossible: boolean;
  readonly #standsMs: number;
  #askFromMs = -Infinity;

  /** Asks the system, so one is kept for each address. */
  constructor(address: Address, machine: Machine = HERE) {
    const [lowest, highest] = givenPorts(machine);
    this.#isPossible = mayMeetItself(address, [lowest, highest], machine);
    this.#standsMs = highest - lowest < MANY_PORTS ? -Infinity : STANDS_MS;
  }

  /** Whether a connect that has just succeeded may have reached itself. */
  mayBe(nowMs: number): boolean {
    return this.#isPossible && nowMs >= this.#askFromMs;
  }

  /** A connect that was checked has reached a server. */
  wasNone(nowMs: number): void {
    this.#askFromMs = nowMs + this.#standsMs;
  }

  /** A connect has failed: the server may be gone. */
  failed(): void {
    this.#askFromMs = -Infinity;
  }
}

type Range = readonly [lowest: number, highest: number];

function mayMeetItself(address: Address, [lowest, highest]: Range, machine: Machine): boolean {
  if (address.kind === 'unix') return false;
  return address.port >= lowest && address.port <= highest && isOfThisMachine(address.host, machine);
}

const OF_EVERY_MACHINE = /^(?:::ffff:)?(?:127\.|0\.0\.0\.0$)|^::1?$/;

function isOfThisMachine(host: string, { addresses }: Machine): boolean {
  if (OF_EVERY_MACHINE.test(host)) return true;
  const plain = host.replace(/^::ffff:|%.*$/g, '');
  return addresses().includes(plain);
}

/**
 * The ports that the system assigns to sockets that ask for none; all that it might assign when it does not report
 * them.
 */
function givenPorts({ readFile }: Machine): Range {
  try {
    const [lowest = NaN, highest = NaN] = readFile('/proc/sys/net/ipv4/ip_local_port_range')
      .trim()
      .split(/\s+/)
      .map(Number);
    if (lowest <= highest) return [lowest, highest];
  } catch {
    // Not Linux, or /proc is not there.
  }
  return [1024, 65_535];
}
