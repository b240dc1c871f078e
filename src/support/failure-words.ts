/**
 * Why a connect failed, for people: the reason and the system's code, explained where the code alone misleads.
 *
 * Place: the log, and what is kept of a backend's last failure.
 */

const MEANINGS: ReadonlyMap<string, string> = new Map([
  // connect(2): "Cannot assign requested address" says nothing of ports.
  ['EADDRNOTAVAIL', 'this machine has no source port left for it, or not the source address: see source'],
  ['ENODEV', 'the interface to connect through is not there'],
]);

/** `refused (ECONNREFUSED)` */
export function failureWords({ reason, code }: { readonly reason: string; readonly code: string }): string {
  const meaning = MEANINGS.get(code);
  return meaning === undefined ? `${reason} (${code})` : `${reason} (${code}: ${meaning})`;
}
