/**
 * The first message of a TLS client, as far as it says whom the client wants to reach.
 *
 * Place: what parse.ts returns. The format is that of RFC 8446 4.1.2; of older versions of TLS it is the same.
 */

/** The longest message that is taken, without its head of 4 bytes. Browsers send some 2 KiB. */
export const HELLO_MAX_BYTES = 16 * 1024;
/** The most bytes of a connection that are looked at: a long message must not come in records of a few bytes. */
export const HELLO_MAX_BYTES_IN_RECORDS = 20 * 1024;

export interface ClientHello {
  /**
   * The host's name (RFC 6066 3), in small letters and without a dot at the end. Undefined: the client names none.
   * With Encrypted Client Hello it is the name of the outer message.
   */
  readonly serverName: string | undefined;
  /** Protocols that it offers (RFC 7301), the preferred first: a character for each byte. */
  readonly alpn: readonly string[];
  /** Of TLS, such as 0x0304, the preferred first; without those that stand for nothing (RFC 8701). */
  readonly versions: readonly number[];
}

/** Why bytes that begin like TLS have no hello that can be used. */
export const HELLO_PROBLEMS = ['malformed', 'tooLong', 'otherMessage', 'badServerName'] as const;

/**
 * - `malformed`: it is not what the RFCs describe.
 * - `tooLong`: it is longer than this parser takes, or comes in too many records.
 * - `otherMessage`: the first message is another one.
 * - `badServerName`: the name is no host name: an address, not ASCII, too long, empty.
 */
export type HelloProblem = (typeof HELLO_PROBLEMS)[number];
