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
