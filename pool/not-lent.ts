/**
 * The one misuse of a pool that both implementations must notice.
 *
 * A second release would count a session down twice, or take away the place of another session's connection.
 */

/** The error that `release` throws for a connection which this pool has not lent, or no longer lends. */
export function notLent(): Error {
  return new Error('pool.release: this pool does not lend this connection; was it released before?');
}
