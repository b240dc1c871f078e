/**
 * How many sessions the process's file descriptors allow.
 *
 * Place: asked at the start, and for each configuration after it.
 * Why: when `accept` fails with EMFILE, libuv accepts and closes the waiting clients unseen (uv__emfile_trick), so the
 * node engine must pause before descriptors run out, not after.
 */
import { readdirSync } from 'node:fs';
import { processLimit } from '../support/process-limits.ts';

/** For log files, the resolver and other things that open a descriptor for a moment. */
const RESERVE = 32;
/** A session holds its client's and its backend's socket. */
const PER_SESSION = 2;
/** The rest holds clients that wait while a listener is paused, and clients that are being refused. */
const SHARE_FOR_SESSIONS = 0.9;
/** More clients need not wait: the kernel's own queue is about this long. */
const MAX_WAITING = 1024;

export interface DescriptorBudget {
  /** Sessions that can run at once. */
  readonly sessions: number;
  /** Clients that can wait in each group of data planes, beyond these sessions, while a listener is paused. */
  readonly waiting: number;
  /** The limit of descriptors that it comes from. */
  readonly limit: number;
  /** The lowest limit of descriptors that would allow the wanted sessions. */
  limitFor(sessions: number): number;
}

/**
 * Undefined when the system does not report its limit.
 *
 * @param aside descriptors that all but sessions may need, with this limit
 * @param alreadyOpen descriptors that were open before the first session
 * @param groups of data planes, of which each lets clients wait by itself
 */
export function descriptorBudget(
  aside: (limit: number) => number,
  alreadyOpen: number,
  limit = processLimit('descriptors'),
  groups = 1,
): DescriptorBudget | undefined {
  if (limit === undefined || limit === Infinity) return undefined;
  const free = (of: number): number => of - alreadyOpen - RESERVE - aside(of);
  return {
    ...shares(free(limit), groups),
    limit,
    limitFor: sessions => {
      let needed = sessions * PER_SESSION;
      while (free(needed) < sessions * PER_SESSION || shares(free(needed), groups).sessions < sessions)
        needed += 1;
      return needed;
    },
  };
}

/** How the descriptors that nothing else needs are divided. */
function shares(descriptors: number, groups: number): Pick<DescriptorBudget, 'sessions' | 'waiting'> {
  const free = Math.max(descriptors, 4);
  const waiting = Math.max(Math.min(Math.floor(free * (1 - SHARE_FOR_SESSIONS)), MAX_WAITING), 1);
  return { sessions: Math.max(Math.floor((free - groups * waiting) / PER_SESSION), 1), waiting };
}

/** Descriptors of this process now; a guess when the system does not report them. */
export function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return RESERVE;
  }
}
