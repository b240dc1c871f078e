/**
 * Which source ports are in use, by the pair of addresses that they join: each pair has ports of its own.
 *
 * Place: the command warns by it (cli/port-watch.ts). Connections of other programs to the same addresses count, too,
 * because they take ports from the same range; so do those that are over and rest (TIME_WAIT).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { formatIPv4, formatIPv6, isMappedIPv4 } from '../support/ip-bytes.ts';
import * as abi from './abi.ts';
import type { Libc } from './libc.ts';
import { SocketTable, type SocketMessage } from './sock-diag.ts';

export interface PortUse {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** Those that rest included. */
  readonly used: number;
  readonly resting: number;
}

/** Every state but those of sockets without a port of their own, and of clients that come in. */
const STATES = 0xfff & ~(1 << abi.TCP_LISTEN) & ~(1 << abi.TCP_SYN_RECV) & ~(1 << abi.TCP_CLOSE);

/** Sockets are looked at a few thousand at a time, some milliseconds each. */
const PIECES_AT_ONCE = 8;

/** The pairs whose peer has one of these ports; undefined where the system does not report them. */
export async function sourcePortUse(
  libc: Libc,
  peerPorts: readonly number[],
): Promise<readonly PortUse[] | undefined> {
  const ports = new Set(peerPorts);
  const [only = 0] = ports.size === 1 ? ports : [];
  const pairs = new Pairs(ports);
  for (const family of [abi.AF_INET, abi.AF_INET6]) {
    const table = new SocketTable(libc, { family, states: STATES, peerPort: only });
    try {
      for (let piece = 1; ; piece++) {
        const next = table.next(socket => pairs.add(socket));
        if (next === 'failed') return undefined;
        if (next === 'done') break;
        if (piece % PIECES_AT_ONCE === 0) await nextTurn();
      }
    } finally {
      table.close();
    }
  }
  return pairs.all;
}

class Pairs {
  readonly #ports: ReadonlySet<number>;
  readonly #found = new Map<string, { -readonly [Key in keyof PortUse]: PortUse[Key] }>();

  constructor(ports: ReadonlySet<number>) {
    this.#ports = ports;
  }

  get all(): readonly PortUse[] {
    return [...this.#found.values()];
  }

  add({ state, local, peer, peerPort }: SocketMessage): true {
    if (!this.#ports.has(peerPort)) return true;
    const key = `${peerPort} ${local.toString('latin1')}${peer.toString('latin1')}`;
    let pair = this.#found.get(key);
    if (pair === undefined) {
      pair = { from: ipOf(local), to: ipOf(peer), port: peerPort, used: 0, resting: 0 };
      this.#found.set(key, pair);
    }
    pair.used += 1;
    if (state === abi.TCP_TIME_WAIT) pair.resting += 1;
    return true;
  }
}

function ipOf(bytes: Buffer): string {
  if (bytes.length === 4) return formatIPv4(bytes, 0);
  return isMappedIPv4(bytes, 0) ? formatIPv4(bytes, 12) : formatIPv6(bytes, 0);
}
