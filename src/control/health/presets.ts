/**
 * What to send to well-known servers, and what their answers mean: the presets of `sendExpect`.
 *
 * Place: data for send-expect-probe.ts. All bytes are latin1 text.
 * Invariants:
 * - A dialogue asks for nothing that needs an account, and ends as its protocol prescribes.
 * - A server that answers counts as well, although it will not let lb4 in.
 * - A pass needs enough of the answer to tell the protocol from every other that greets: never only one byte, one word
 *   without its line end, or the first bytes of a packet.
 * Sources: redis.io protocol reference; PostgreSQL "Message Flow" (GSSAPI session encryption); MySQL protocol
 * HandshakeV10 and ERR_Packet; RFC 5321 3.1, 4.2; RFC 4253 4.2. docs/health-checks.md says what servers log.
 */

export interface Dialogue {
  /** Sent once connected; absent: the backend speaks first. */
  readonly send?: string;
  /** The reply, or its beginning, that passes. */
  readonly pass: RegExp;
  /** The reply that fails; tried before `pass`. The group `said`, where there is one, is shown to people. */
  readonly fail?: RegExp;
  /** The reply must be all that the backend sends before lb4 sends anything further. */
  readonly isWhole?: true;
  /** Sent with the FIN after a pass. */
  readonly bye?: string;
  /** The expected reply, in words for people. */
  readonly expected: string;
}

export const PRESETS = {
  redis: {
    send: 'PING\r\n',
    // A server that requires a password, or permits nothing, is alive.
    pass: /^(?:\+PONG|-NO(?:AUTH|PERM)(?: [^\n]*)?)\r\n/,
    // -LOADING, -MASTERDOWN, -DENIED, -ERR max number of clients reached ...
    fail: /^(?:(?!\+PONG\r\n|-NO(?:AUTH|PERM)[ \r])[+-](?<said>[^\n]*)\n|[^+-])/,
    expected: '+PONG',
  },
  postgres: {
    // GSSENCRequest: answered by one byte, G or N, before any login. Not SSLRequest: a server with TLS on logs an error
    // for each client that leaves after it (measured with 15.18). Servers before 12 know only SSLRequest.
    send: '\x00\x00\x00\x08\x04\xd2\x16\x30',
    pass: /^(?:[GN]$|E\x00.*unsupported frontend protocol[^\x00]*\x00)/s,
    // After this byte the server waits for the client. Without `isWhole` an IRC server's NOTICE would pass.
    isWhole: true,
    // An error, with its message as the field M or, when the server could not even fork, as it is.
    fail: /^(?:E(?!\x00.*unsupported frontend protocol)(?:\x00.*?\x00M)?(?<said>[^\x00]+)\x00|[GN].|[^GNE])/s,
    expected: 'G or N',
  },
  mysql: {
    // Length in three bytes, sequence number, 10 for the version of the protocol, the version of the server as text,
    // number of the connection (4), random bytes (8), 0.
    pass: /^.[\x00-\x0f]\x00\x00\x0a[ -~]+\x00.{12}\x00/s,
    // Or 255, the number of an error (2) and its text.
    fail: /^(?:.[^\x00-\x0f]|..[^\x00]|.{3}(?:\x00(?:\xff..(?<said>.+)|\x0a(?:[ -~]*[^ -~\x00]|\x00|[ -~]+\x00.{12}[^\x00])|[^\x0a\xff])|[^\x00]))/s,
    expected: 'a greeting of protocol 10',
  },
  smtp: {
    // The whole greeting: servers that look out for spammers punish a client that speaks before its last line.
    pass: /^(?:220-[^\n]*\n)*220(?: [^\n]*|\r)?\n/,
    fail: /^(?:220-[^\n]*\n)*(?!220[- \r\n])(?<said>[^\n]*)\n/,
    bye: 'QUIT\r\n',
    expected: 'a greeting 220',
  },
  ssh: {
    // Other lines may come before the identification.
    pass: /(?:^|\n)SSH-(?:2\.0|1\.99)-[!-~][^\n]*\n/,
    fail: /(?:^|\n)(?<said>SSH-(?!(?:2\.0|1\.99)-[!-~])[^\n]*)\n/,
    bye: 'SSH-2.0-lb4\r\n',
    expected: 'SSH-2.0-',
  },
} satisfies Readonly<Record<string, Dialogue>>;
