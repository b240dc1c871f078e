/**
 * What `access` says, in words: of a listener as a whole, and of one client with the entry that decides.
 *
 * Place: `lb4 check`. It looks at one entry after the other; data planes look into a table that is built from the same
 * steps (control/access/).
 */
import { DECISION, type Decision } from '../model/access-list.ts';
import { counted } from '../support/counted.ts';
import type { AccessEntry, AccessStep, AccessSteps } from './access-lists.ts';

const SHOWN_ENTRIES = 3;
const VERBS: Readonly<Record<Decision, string>> = {
  [DECISION.allow]: 'allows',
  [DECISION.reset]: 'denies',
  [DECISION.drop]: 'drops',
};
const ENDS: Readonly<Record<Decision, string>> = {
  [DECISION.allow]: 'allowed',
  [DECISION.reset]: 'denied: reset',
  [DECISION.drop]: 'denied: dropped',
};

/** `listener web: allows 10.0.0.0/8, denies all`. */
export function accessInWords({ listener, steps, otherwise }: AccessSteps): string {
  const parts = steps.map(step => `${VERBS[step.decision]} ${entriesInWords(step.entries)}`);
  const isForAll = steps.some(({ entries }) => entries.some(({ list }) => list.isAll));
  if (!isForAll) parts.push(`${VERBS[otherwise]} all others`);
  return `listener ${listener}: ${parts.join(', ')}`;
}

function entriesInWords(entries: readonly AccessEntry[]): string {
  if (entries.length === 0) return 'no client';
  const shown = entries.slice(0, SHOWN_ENTRIES).map(({ text, isFile, list: { networks } }) => {
    return isFile ? `${text} (${counted(networks.length, 'network')})` : text;
  });
  const more = entries.length - shown.length;
  const words = shown.join(' and ');
  return more === 0 ? words : `${words} and ${more} more`;
}

/**
 * `listener web: 10.1.2.3 is allowed, by allow 10.0.0.0/8`.
 * @param address an IP address; '' for a client of a unix socket
 */
export function clientInWords({ listener, steps, otherwise }: AccessSteps, address: string): string {
  const client = address === '' ? 'a client of a unix socket' : address;
  for (const step of steps) {
    const by = foundIn(step, address);
    if (by === undefined) continue;
    const rule = step.decision === DECISION.allow ? 'allow' : 'deny';
    return `listener ${listener}: ${client} is ${ENDS[step.decision]}, by ${rule} ${by}`;
  }
  return `listener ${listener}: ${client} is ${ENDS[otherwise]}, by no entry`;
}

function foundIn({ entries }: AccessStep, address: string): string | undefined {
  for (const { text, isFile, list } of entries) {
    const network = address === '' ? undefined : list.networks.holding(address);
    const word = address === '' && list.isUnix ? 'unix' : list.isAll ? 'all' : undefined;
    const found = network ?? word;
    if (found !== undefined) return isFile ? `${text} (${found})` : text;
  }
  return undefined;
}
