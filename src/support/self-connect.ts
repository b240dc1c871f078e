/**
 * A connect that has reached itself.
 *
 * Place: asked by both engines (`SelfConnects`), by checks and by the connection to Redis when a connect has succeeded.
 * Why: a socket that connects to a port of its own machine, on which nobody listens, may be given that very port as its
 * own. TCP then joins it to itself (RFC 9293 3.5, simultaneous open): whatever is sent comes back, and the program that
 * should listen there finds its port taken. To a balancer it looks like a backend that is well. It is a refused
 * connect, and is ended with a reset, which keeps the port for no moment longer.
 * How: both ends have the same address and port. That takes a system call, so sessions ask only where it can happen: at
 * an address of this machine, at a port that the system gives to those who ask for none. While a server listens on the
 * port the system gives it to nobody, so a connect that has reached a server stands for those of the next moment, until
 * one fails. Limit: when the server ends, the very next connect in that moment may be the one in tens of thousands that
 * is given the port; where there are few ports to give, each connect is asked about.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

import type { Address } from './address.ts';

export const REFUSED = 'ECONNREFUSED';

/** As Node says it. */
export function refused(): Error {
  return Object.assign(new Error(`connect ${REFUSED}`), { code: REFUSED, syscall: 'connect' });
}

/** What of a socket tells. */
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

/** For how long a connect that has reached a server stands for others. */
const STANDS_MS = 1000;
/** With fewer ports to give, the next connect is too likely to be given the one. */
const MANY_PORTS = 4096;

/** When it is to be asked whether a connect to this numeric address has reached itself. */
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

  /** Whether one that has succeeded now may have done so by itself. */
  mayBe(nowMs: number): boolean {
    return this.#isPossible && nowMs >= this.#askFromMs;
  }

  /** One that was asked about has reached a server. */
  wasNone(nowMs: number): void {
    this.#askFromMs = nowMs + this.#standsMs;
  }

  /** A connect has failed: nobody may be listening there any more. */
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

/** The ports that the system gives to sockets that ask for none; any that it might give where it does not tell. */
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
