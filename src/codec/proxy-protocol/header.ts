/**
 * A PROXY protocol header as a plain value: who connected to whom, as a proxy reports it to the next hop.
 *
 * Place: what parse.ts returns and encode.ts takes. The specification is HAProxy's doc/proxy-protocol.txt (2.2 and 2.3).
 */

/** The first bytes of version 2 (section 2.2). */
export const V2_SIGNATURE: readonly number[] = [
  0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
];
/** Of version 2: signature, command, family and length. */
export const V2_FIXED_BYTES = 16;
/** Of the addresses of each family, and of a path. */
export const UNIX_PATH_BYTES = 108;
export const ADDRESS_BYTES = { unspecified: 0, ipv4: 12, ipv6: 36, unix: 2 * UNIX_PATH_BYTES } as const;
/** Of a TLV: what stands before its value, type and length; and in a value of type `ssl`, before its own TLVs. */
export const TLV_FIXED_BYTES = 3;
export const SSL_FIXED_BYTES = 5;
/** The longest line of version 1, its CRLF included (section 2.1). */
export const V1_MAX_BYTES = 107;
/** The longest header of version 2 that is taken, all of it: nginx takes as much; the format allows 65,551. */
export const V2_MAX_BYTES = 4096;

/** An IP address, and a port. */
export interface ProxyEndpoint {
  readonly address: string;
  readonly port: number;
}

export interface IpAddresses {
  readonly family: 'ipv4' | 'ipv6';
  readonly transport: 'stream' | 'datagram';
  readonly source: ProxyEndpoint;
  readonly destination: ProxyEndpoint;
}

/** Paths of unix sockets: up to 108 bytes; empty for a socket without a name. */
export interface UnixAddresses {
  readonly family: 'unix';
  readonly transport: 'stream' | 'datagram';
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** Something that a header of version 2 adds: a type of `TLV`, or any other from 0 to 255, and its bytes. */
export interface ProxyTlv {
  readonly type: number;
  readonly value: Uint8Array;
}

export interface ProxyHeader {
  readonly version: 1 | 2;
  /** `local`: the proxy speaks for itself, for example to check the receiver; the connection's own addresses hold. */
  readonly command: 'proxy' | 'local';
  /** Undefined: the sender does not know them, and with `local`. */
  readonly addresses: IpAddresses | UnixAddresses | undefined;
  /** In their order; none in version 1, and none with `local`. */
  readonly tlvs: readonly ProxyTlv[];
}

/** Why bytes that begin like a header are none. */
export type ProxyProblem =
  /** It is longer than this parser takes. */
  | 'tooLong'
  /** It is not what the specification describes. */
  | 'malformed'
  /** Its checksum is another one. */
  | 'badChecksum';

/** Types of TLVs (section 2.2.1 and following). */
export const TLV = Object.freeze({
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  netns: 0x30,
});

/** Types of TLVs within one of type `ssl` (section 2.2.6). */
export const SSL_TLV = Object.freeze({
  version: 0x21,
  commonName: 0x22,
  cipher: 0x23,
  signatureAlgorithm: 0x24,
  keyAlgorithm: 0x25,
  group: 0x26,
  signatureScheme: 0x27,
  clientCertificate: 0x28,
});

/** Bits of `SslTlv.client`. */
export const SSL_CLIENT = Object.freeze({
  /** The client connected over TLS. */
  ssl: 0x01,
  /** It sent a certificate over this connection. */
  certificateOfConnection: 0x02,
  /** It sent a certificate at least once in the TLS session. */
  certificateOfSession: 0x04,
});

/** The value of a TLV of type `ssl`. */
export interface SslTlv {
  /** Bits of `SSL_CLIENT`. */
  readonly client: number;
  /** 0: the client sent a certificate that was verified. */
  readonly verify: number;
  readonly tlvs: readonly ProxyTlv[];
}

/** The longest value of a TLV of type `uniqueId` (section 2.2.5). */
export const UNIQUE_ID_MAX_BYTES = 128;

/** The value of the first TLV of a type. */
export function tlvOf(
  { tlvs }: { readonly tlvs: readonly ProxyTlv[] },
  type: number,
): Uint8Array | undefined {
  return tlvs.find(tlv => tlv.type === type)?.value;
}
