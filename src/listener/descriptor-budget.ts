/**
 * How many sessions the process's file descriptors allow.
 *
 * Place: asked once at start. Why: when `accept` fails with EMFILE, libuv accepts and closes the waiting clients
 * unseen (uv__emfile_trick), so the node engine must pause before descriptors run out, not after.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Probes, log files, the resolver and whatever else opens a descriptor for a moment. */
const RESERVE = 32;
/** A session holds its client's and its backend's socket. */
const PER_SESSION = 2;
/** The rest holds clients that wait while a listener is paused. */
const SHARE_FOR_SESSIONS = 0.9;

export interface DescriptorBudget {
  /** Sessions that can run at once. */
  readonly sessions: number;
  /** Clients that can wait, beyond these sessions, while a listener is paused. */
  readonly waiting: number;
}

/** Undefined where the system does not tell its limit. */
export function descriptorBudget(
  limit = softLimit(),
  alreadyOpen = openDescriptors(),
): DescriptorBudget | undefined {
  if (limit === undefined || limit === Infinity) return undefined;
  const free = Math.max(limit - alreadyOpen - RESERVE, 4);
  const sessions = Math.max(Math.floor((free * SHARE_FOR_SESSIONS) / PER_SESSION), 1);
  return { sessions, waiting: Math.max(free - sessions * PER_SESSION, 1) };
}

function softLimit(): number | undefined {
  try {
    const line = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return line === undefined ? undefined : line === 'unlimited' ? Infinity : Number(line);
  } catch {
    return undefined;
  }
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return RESERVE;
  }
}
