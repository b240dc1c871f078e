/**
 * The ciphers that clients are offered.
 *
 * Place: terms of servers. Why these: forward secrecy and authenticated encryption only, AES-128 first because it is
 * the fastest; a client that prefers ChaCha20 for want of AES in hardware gets that (SSL_OP_PRIORITIZE_CHACHA).
 */
const TLS_1_3 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'].join(
  ':',
);

const TLS_1_2 = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** A list that names none of TLS 1.3 is about TLS 1.2, as in OpenSSL; to Node it would forbid TLS 1.3. */
export function withDefaults(ciphers: string | undefined): string {
  if (ciphers === undefined) return `${TLS_1_3}:${TLS_1_2}`;
  return ciphers.includes('TLS_') ? ciphers : `${TLS_1_3}:${ciphers}`;
}
