/**
 * What a PROXY protocol header says of a client's TLS, as far as lb4 knows it itself: from the handshake that has ended
 * here, or from a first message that it has read and passed on.
 *
 * Place: a part of preface.ts. What is said here takes the place of what a proxy in front has said: that was of TLS which
 * had ended there, and this is the TLS that the client's connection has.
 */
import { encodeSslTlv, SSL_CLIENT, SSL_TLV } from '../../codec/proxy-protocol/index.ts';
import type { TlsFacts } from '../../engine/tls.ts';
import type { ForwardedTlv } from '../../model/send-proxy.ts';
import type { Facts } from '../admission/gate.ts';

const { ssl, certificateOfConnection, certificateOfSession } = SSL_CLIENT;

type Known = Pick<Facts<unknown>, 'serverName' | 'tls'>;

/** The value, or 'none'. Undefined: what a proxy in front has said holds. */
export function ownTlv(word: ForwardedTlv, { serverName, tls }: Known): Uint8Array | 'none' | undefined {
  switch (word) {
    case 'authority':
      if (serverName !== undefined) return Buffer.from(serverName);
      return tls && 'none';
    case 'alpn':
      return tls && (tls.alpn === undefined ? 'none' : Buffer.from(tls.alpn));
    case 'ssl':
      return tls && sslOf(tls);
    case 'uniqueId':
    case 'netns':
    case 'others':
    case 'crc32c':
      return undefined;
  }
}

function sslOf({ version, cipher, isResumed, certificate }: TlsFacts): Uint8Array {
  const shown = certificateOfSession | (isResumed ? 0 : certificateOfConnection);
  return encodeSslTlv({
    client: ssl | (certificate === undefined ? 0 : shown),
    // As the specification has it; without a certificate HAProxy sends 0, too.
    verify: certificate === undefined ? 1 : 0,
    tlvs: [
      { type: SSL_TLV.version, value: Buffer.from(version) },
      ...(certificate === undefined
        ? []
        : [{ type: SSL_TLV.commonName, value: Buffer.from(certificate.name) }]),
      { type: SSL_TLV.cipher, value: Buffer.from(cipher) },
    ],
  });
}
