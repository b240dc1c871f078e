/**
 * What `access` says, in words: of a listener as a whole, and of one client with the entry that decides.
 *
 * Place: `lb4 check`, with the file, line and column of the entry. It looks at one entry after the other; data planes look into a table that is built from the same
 * steps (control/access/).
 */
import { DECISION, type Decision } from '../model/access-list.ts';
import { counted } from '../support/counted.ts';
import type { Path } from '../config/report/issue.ts';
import type { Config } from '../config/schema/schema.ts';
import { Networks } from '../model/networks.ts';
import type { AccessEntry, AccessStep, AccessSteps } from './access-lists.ts';

const SHOWN_ENTRIES = 3;
const VERBS: Readonly<Record<Decision, string>> = {
  [DECISION.allow]: 'allows',
  [DECISION.reset]: 'denies',
  [DECISION.drop]: 'drops',
};
const DRY_RUN = ' (dryRun: it comes in, and is logged)';
const ENDS: Readonly<Record<Decision, string>> = {
  [DECISION.allow]: 'allowed',
  [DECISION.reset]: 'denied: reset',
  [DECISION.drop]: 'denied: dropped',
};

/** `listener web: allows 10.0.0.0/8, denies all`. */
export function accessInWords({ listener, steps, otherwise, isDryRun }: AccessSteps): string {
  const parts = steps.map(
    ({ decision, isForOthers, entries }) =>
      `${VERBS[decision]} ${isForOthers ? 'all others' : entriesInWords(entries)}`,
  );
  const isForAll = steps.some(({ entries }) => entries.some(({ list }) => list.all > 0));
  if (!isForAll) parts.push(`${VERBS[otherwise]} all others`);
  return `listener ${listener}: ${parts.join(', ')}${isDryRun ? ' (dryRun: all come in)' : ''}`;
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
 * `listener web: 10.1.2.3 is allowed, by allow 10.0.0.0/8, at lb4.yaml:5:20`.
 * @param address an IP address; '' for a client of a unix socket
 * @param placeOf where an entry stands, in words
 */
export function clientInWords(
  { listener, steps, otherwise, isDryRun }: AccessSteps,
  address: string,
  placeOf: (path: Path) => string | undefined,
): string {
  const client = nameOf(address);
  for (const step of steps) {
    const by = foundIn(step, address);
    if (by === undefined) continue;
    const rule = step.decision === DECISION.allow ? 'allow' : 'deny';
    const place = placeOf(by.path);
    const at = place === undefined ? '' : `, at ${place}`;
    return `listener ${listener}: ${client} is ${ENDS[step.decision]}, by ${rule} ${by.text}${at}${note(step.decision)}`;
  }
  return `listener ${listener}: ${client} is ${ENDS[otherwise]}, by no entry${note(otherwise)}`;

  function note(decision: Decision): string {
    return isDryRun && decision !== DECISION.allow ? DRY_RUN : '';
  }
}

/** That a proxy in front is judged by the client that it names; undefined: it is none. */
export function proxyInWords(
  { name, acceptProxy }: Pick<Config['listeners'][number], 'name' | 'acceptProxy'>,
  address: string,
): string | undefined {
  if (acceptProxy === undefined || !new Networks(acceptProxy.from).has(address)) return undefined;
  return `listener ${name}: ${nameOf(address)} is trusted to name its client (acceptProxy): that one is judged, and the sender itself only where it names none`;
}

function nameOf(address: string): string {
  return address === '' ? 'a client of a unix socket' : address;
}

function foundIn(
  { entries }: AccessStep,
  address: string,
): { readonly text: string; readonly path: Path } | undefined {
  for (const { text, path, isFile, list } of entries) {
    const found = foundInList(list, address);
    if (found !== undefined) return { text: isFile ? `${text} (${found})` : text, path };
  }
  return undefined;
}

/** The entry and its line. */
function foundInList(
  { networks, lines, all, unix }: AccessEntry['list'],
  address: string,
): string | undefined {
  const network = address === '' ? undefined : networks.holding(address);
  if (network !== undefined) return `${networks.textAt(network)} in line ${lines[network] ?? 0}`;
  if (address === '' && unix > 0) return `unix in line ${unix}`;
  return all > 0 ? `all in line ${all}` : undefined;
}
