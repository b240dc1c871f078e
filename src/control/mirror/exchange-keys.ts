/**
 * What of the mirror stands in Redis: the names of keys and channels, and what they hold.
 *
 * Place: exchange.lua reads and writes it all; docs/many-instances.md tells people of it.
 * Keys, all under one hash tag, so that a Cluster keeps them on one node; all expire once nobody renews them:
 * - `lb4:{NAME}:i:<instance>` hash, what one instance says: `owner`, `number`, `unseen`, `lease` in ms, `backends`,
 *   `counts`. It expires with the lease. After a withdrawal a tombstone stays for a while: `owner`, `number`.
 * - `lb4:{NAME}:instances` sorted set: instance → Redis's time in ms of its last publication.
 * - `lb4:{NAME}:state` hash: `unseen`, `backends` and `totals` of all instances together; the `epoch`, a new one
 *   whenever these were summed up anew; and some `figures`, see FIGURES in the script.
 * - `lb4:{NAME}:load` sorted set, for people: backend → live sessions of all instances.
 */

/** The hash tag: what Redis Cluster takes for the name of a key, braces not included. */
const tagged = (upstream: string): string => `lb4:{${upstream}}`;

/** The script's KEYS; it makes the others' keys, and the channel, of these. */
export const exchangeKeys = (
  upstream: string,
  instance: string,
): readonly [string, string, string, string] => [
  `${tagged(upstream)}:i:${instance}`,
  `${tagged(upstream)}:instances`,
  `${tagged(upstream)}:state`,
  `${tagged(upstream)}:load`,
];

/** Where changes of an upstream's totals are told. */
export const changesChannel = (upstream: string): string => `${tagged(upstream)}:changes`;
