/**
 * What to say to well-known servers, and what their answer means: the presets of `sendExpect`.
 *
 * Place: data for send-expect-probe.ts. All bytes are latin1 text. Each asks for nothing that needs an account, says
 * goodbye as the protocol has it, and takes a server for well that answers although it will not let us in.
 * A pass is as much of the answer as tells the protocol from every other that greets: none of them is one byte, one
 * word without its line end, or the first bytes of a packet.
 * Sources: redis.io protocol reference; PostgreSQL "Message Flow" (GSSAPI session encryption); MySQL protocol
 * HandshakeV10 and ERR_Packet; RFC 5321 3.1, 4.2; RFC 4253 4.2. docs/health-checks.md says what servers log.
 */

export interface Dialogue {
  /** Sent once connected; absent: the backend speaks first. */
  readonly send?: string;
  /** The reply, or the beginning of it, has passed. */
  readonly pass: RegExp;
  /** It has failed; looked for first. The group `said`, where there is one, is what people are shown. */
  readonly fail?: RegExp;
  /** The reply must be all that the backend says before it is spoken to again. */
  readonly isWhole?: true;
  /** Sent with the FIN after a pass. */
  readonly bye?: string;
  /** What is waited for, for people. */
  readonly expected: string;
}

export const PRESETS = {
  redis: {
    send: 'PING\r\n',
    // Wants a password, or lets us do nothing: it lives.
    pass: /^(?:\+PONG|-NO(?:AUTH|PERM)(?: [^\n]*)?)\r\n/,
    // -LOADING, -MASTERDOWN, -DENIED, -ERR max number of clients reached ...
    fail: /^(?:(?!\+PONG\r\n|-NO(?:AUTH|PERM)[ \r])[+-](?<said>[^\n]*)\n|[^+-])/,
    expected: '+PONG',
  },
  postgres: {
    // GSSENCRequest: answered by one byte, G or N, before anybody logs in. Not SSLRequest: a server with TLS on logs
    // an error for each client that leaves after it (measured with 15.18). Servers before 12 know only that one.
    send: '\x00\x00\x00\x08\x04\xd2\x16\x30',
    pass: /^(?:[GN]$|E\x00.*unsupported frontend protocol[^\x00]*\x00)/s,
    // Then the server waits for the client. Without this an IRC server's NOTICE would do.
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
    // The whole greeting: servers that look out for spammers punish who speaks before its last line.
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
