/**
 * The mirror's data in Redis: the names of keys and channels, and what they hold.
 *
 * Place: exchange.lua reads and writes all of it; docs/many-instances.md describes it for people.
 * Keys, all under one hash tag, so that a Cluster keeps them on one node; all expire unless an instance renews them:
 * - `lb4:{NAME}:i:<instance>` hash, one instance's publication: `owner`, `number`, `unseen`, `lease` in ms, `backends`,
 *   `counts`. It expires with the lease. After a withdrawal a tombstone stays for 10 s: `owner`, `number`.
 * - `lb4:{NAME}:instances` sorted set: instance → Redis's time in ms of its last publication.
 * - `lb4:{NAME}:state` hash: `unseen`, `backends` and `totals` of all instances together; the `epoch`, a new one
 *   whenever these are summed up anew; and some `figures`, see FIGURES in the script.
 * - `lb4:{NAME}:load` sorted set, for people: backend → live sessions of all instances.
 */

/** The prefix with the hash tag: a Redis Cluster chooses the node by what stands between the braces. */
const tagged = (upstream: string): string => `lb4:{${upstream}}`;

/** The script's KEYS; from these it makes the channel and the keys of other instances. */
export const exchangeKeys = (
  upstream: string,
  instance: string,
): readonly [string, string, string, string] => [
  `${tagged(upstream)}:i:${instance}`,
  `${tagged(upstream)}:instances`,
  `${tagged(upstream)}:state`,
  `${tagged(upstream)}:load`,
];

/** The channel on which changes of an upstream's totals are reported. */
export const changesChannel = (upstream: string): string => `${tagged(upstream)}:changes`;
