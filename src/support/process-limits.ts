/** The limits that the system sets to this process (getrlimit), read from /proc; undefined where there is none. */
import { readFileSync } from 'node:fs';

const NAMES = { descriptors: 'Max open files', processes: 'Max processes' } as const;

/** The limit in force; Infinity for none, undefined when the system does not report it. */
export function processLimit(limit: keyof typeof NAMES): number | undefined {
  try {
    const text = readFileSync('/proc/self/limits', 'utf8');
    const value = new RegExp(`^${NAMES[limit]}\\s+(\\S+)`, 'm').exec(text)?.[1];
    return value === undefined ? undefined : value === 'unlimited' ? Infinity : Number(value);
  } catch {
    return undefined;
  }
}

/** The most that any number of descriptors brings, and the fewest that commands and probes get along with. */
const [MOST_ADMIN_CLIENTS, FEWEST_ADMIN_CLIENTS] = [128, 4];
const ADMIN_SHARE = 1 / 32;

/** Clients that each address of the admin API may have at a time: their descriptors are set aside from sessions. */
export function adminClients(descriptors = processLimit('descriptors')): number {
  const share = Math.floor((descriptors ?? Infinity) * ADMIN_SHARE);
  return Math.min(Math.max(share, FEWEST_ADMIN_CLIENTS), MOST_ADMIN_CLIENTS);
}
