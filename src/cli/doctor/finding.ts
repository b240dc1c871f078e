/** What the checks of `lb4 doctor` look at, and what they say. */
import type { Outlook, RedisOutlook } from '../../composition/outlook.ts';
import type { Address } from '../../support/address.ts';
import type { ReadFile } from '../../support/cgroup.ts';

/** `warn`: it costs something, or will soon. `fail`: something does not work, or will not. `unknown`: not readable. */
export type Verdict = 'ok' | 'warn' | 'fail' | 'unknown';

export interface Finding {
  /** The name of the check; several findings may share it. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found, with its figure. */
  readonly found: string;
  /** What to change; absent where nothing is wrong. */
  readonly advice?: string;
}

/** Everything that is read of the machine. */
export interface Machine {
  /** Reads a file of /proc or /sys; throws when it cannot be read. */
  readonly read: ReadFile;
  /** Processors that are online, and those that Node considers usable. */
  readonly processors: { readonly online: number; readonly available: number };
  /** Whether the kernel's clock is kept right by a time server; a text says why that is not known. */
  readonly isClockSynchronised: boolean | string;
  readonly isRoot: boolean;
  readonly isLittleEndian: boolean;
}

/** What is asked of the machine, by a configuration or by a running lb4. */
export interface Plan {
  /** Most sessions at a time that are asked for; undefined: no number is configured. */
  readonly maxSessions: number | undefined;
  /** Threads that take sessions, and those among them that are only for listeners with TLS. */
  readonly workers: number;
  readonly workersForTls: number;
  readonly listeners: readonly { readonly name: string; readonly addresses: readonly Address[] }[];
  readonly upstreams: readonly PlannedUpstream[];
}

export interface PlannedUpstream {
  readonly name: string;
  /** Where connections come from; absent: the one address that the system chooses, as far as is known. */
  readonly source?: readonly string[] | 'client' | undefined;
  readonly backends: readonly { readonly address: Address; readonly maxSessions: number | undefined }[];
}

export interface Judged {
  readonly machine: Machine;
  readonly plan: Plan;
  /** Undefined where the start of an lb4 is not in question: it runs already. */
  readonly outlook: Outlook | undefined;
  /** Undefined where Redis is not configured. */
  readonly redis: RedisOutlook | undefined;
}

export type Check = (judged: Judged) => readonly Finding[];

export function ok(check: string, found: string): Finding {
  return { check, verdict: 'ok', found };
}
export function warn(check: string, found: string, advice: string): Finding {
  return { check, verdict: 'warn', found, advice };
}
export function fail(check: string, found: string, advice: string): Finding {
  return { check, verdict: 'fail', found, advice };
}
export function unknown(check: string, found: string, advice?: string): Finding {
  return { check, verdict: 'unknown', found, ...(advice === undefined ? {} : { advice }) };
}
