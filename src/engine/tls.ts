/**
 * TLS as a part of the engine contract: what is asked of an engine that speaks it, and what it answers.
 *
 * Place: settings come with plans (`ListenerPlan.tls`, `UpstreamSettings.tls`) as plain values; the data plane has the
 * engine make terms of them, once per plan, and passes these back for each session. Only the `node` engine has TLS:
 * Node's OpenSSL does the cryptography.
 * Invariants:
 * - `done` is called exactly once, never after its cancel, and never before the call that took it has returned.
 * - A connection that `done` gives shows and takes the bytes inside of TLS; close_notify is its FIN. An end of TCP without
 *   close_notify is a reset (RFC 8446, 6.1), as is every error of TLS once the handshake is over.
 */
import type { Connection } from './engine.ts';

export const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/** Protocols that begin in the clear and change to TLS on request. */
export const STARTTLS = ['postgres'] as const;
export type Starttls = (typeof STARTTLS)[number];

/** A certificate with its key. */
export interface TlsCertificate {
  /** The same for the same chain, key and OCSP response, and never for others. Contains no part of the key. */
  readonly id: string;
  /** PEM: the server's own first, then those between it and the authority. */
  readonly chain: string;
  /** PEM, without a passphrase. */
  readonly key: string;
  /** The DNS names that it is for, in lower case; `*.` for one label. */
  readonly names: readonly string[];
  /** DER: what the authority says of it, for clients that ask. */
  readonly ocsp?: Uint8Array | undefined;
}

/** What clients get. */
export interface TlsServerSettings {
  /** At least one; the first is for clients that ask for no name, or for one that none has. */
  readonly certificates: readonly TlsCertificate[];
  /** In order of preference; empty: the client's offer is ignored. A client that offers none of them is refused. */
  readonly alpn: readonly string[];
  readonly minVersion: TlsVersion;
  /** As OpenSSL writes them; absent: a sane choice of lb4's. A list without one of TLS 1.3 leaves those as they are. */
  readonly ciphers?: string | undefined;
  /** Clients' certificates; absent: none is asked for. */
  readonly clients?: { readonly ca: string; readonly isRequired: boolean } | undefined;
  /** 48 bytes, the same in all workers: who has a session ticket of one goes on at another. */
  readonly ticketKeys: Uint8Array;
  /** How long STARTTLS and the handshake may take together, in milliseconds. */
  readonly timeout: number;
  readonly starttls?: Starttls | undefined;
}

/** What is asked of backends. */
export interface TlsClientSettings {
  /** For SNI and in the certificate; absent: the backend's own host name, where it has one, else its IP address. */
  readonly serverName?: string | undefined;
  /** False: any certificate is taken. */
  readonly verify: boolean;
  /** PEM: the authorities to trust; absent: those of Node. */
  readonly ca?: string | undefined;
  /** PEM: what the backend gets when it asks for a certificate. */
  readonly own?: { readonly id: string; readonly chain: string; readonly key: string } | undefined;
  /** Offered in this order; empty: none. */
  readonly alpn: readonly string[];
  readonly minVersion: TlsVersion;
  readonly starttls?: Starttls | undefined;
}

/** Settings made ready for sessions, by one engine. */
export interface TlsServerTerms {
  readonly settings: TlsServerSettings;
}
export interface TlsClientTerms {
  readonly settings: TlsClientSettings;
}

/** What the handshake has agreed on, and what it has shown of the peer. */
export interface TlsFacts {
  /** Such as `TLSv1.3`. */
  readonly version: string;
  /** As OpenSSL writes it, such as `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string;
  readonly isResumed: boolean;
  /** The name that the client has asked for, in lower case. */
  readonly serverName?: string | undefined;
  readonly alpn?: string | undefined;
  /** The client's certificate: only where it was verified. `name`: its common name, or its first DNS name. */
  readonly certificate?: { readonly name: string; readonly subject: string } | undefined;
}

export interface TlsFailure {
  /**
   * 'handshake': the peer speaks no TLS, or nothing was agreed on. 'certificate': the peer's was refused, or it has refused
   * ours. 'starttls': the peer does not do what has to come before TLS. 'closed', 'reset': it has gone.
   */
  readonly reason: 'handshake' | 'certificate' | 'starttls' | 'closed' | 'reset';
  /** The library's own name for it, such as CERT_HAS_EXPIRED or ERR_SSL_WRONG_VERSION_NUMBER; for a person who reads it. */
  readonly code: string;
}

export type TlsResult =
  | { readonly ok: true; readonly connection: Connection; readonly facts: TlsFacts }
  /** The connection is gone. */
  | { readonly ok: false; readonly failure: TlsFailure };

/** What a server's side says in the clear before TLS; pure. `read` gets all that the peer has sent so far. */
export interface ServerOpening {
  read(bytes: Uint8Array):
    | { readonly kind: 'more'; readonly bytes: number }
    /** TLS begins behind `take` bytes and the answer. */
    | { readonly kind: 'tls'; readonly take: number; readonly answer?: Uint8Array }
    /** The peer asks again behind `take` bytes and the answer. */
    | { readonly kind: 'again'; readonly take: number; readonly answer: Uint8Array }
    /** There will be no TLS, and that is right: everything goes on in the clear. */
    | { readonly kind: 'clear' }
    | { readonly kind: 'refuse'; readonly code: string; readonly answer?: Uint8Array };
}

/** What a client's side says in the clear before TLS; pure. `read` gets all that the peer has sent so far. */
export interface ClientOpening {
  readonly request: Uint8Array;
  read(
    bytes: Uint8Array,
  ):
    | { readonly kind: 'more' }
    | { readonly kind: 'tls'; readonly take: number }
    | { readonly kind: 'refuse'; readonly code: string };
}

/** For `ConnectOptions`: TLS to a backend. The handshake counts towards the connect's timeout. */
export interface TlsConnect {
  readonly terms: TlsClientTerms;
  /**
   * For SNI and in the certificate, where the settings name none; absent: no name is sent, and the certificate has to be
   * for the IP address. For a unix socket without a name any name will do. An IP address is never sent as a name.
   */
  readonly serverName?: string | undefined;
  /** Offered in place of what the settings offer: what the client of this connection has agreed on. */
  readonly alpn?: readonly string[] | undefined;
  /** Sent in the clear before anything else, such as a PROXY protocol header. */
  readonly preface?: Uint8Array | undefined;
  readonly opening?: ClientOpening | undefined;
}

/** What an engine with TLS has besides; see `Engine.tls`. */
export interface EngineTls {
  /**
   * Costs milliseconds for each certificate that earlier terms did not have. Throws for settings that OpenSSL refuses;
   * control has tried them before.
   */
  serverTerms(settings: TlsServerSettings): TlsServerTerms;
  clientTerms(settings: TlsClientSettings): TlsClientTerms;
  /**
   * Speaks TLS as a server with a client that no relay has, and owns its connection from now on. What gates have looked at
   * and not taken is read first. Has no timeout of its own. A cancel resets the client.
   */
  accept(
    client: Connection,
    terms: TlsServerTerms,
    opening: ServerOpening | undefined,
    done: (
      result: TlsResult | { readonly ok: true; readonly connection: Connection; readonly facts: undefined },
    ) => void,
  ): () => void;
}
