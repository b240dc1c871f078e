/**
 * CRC-32C, the checksum of PROXY protocol v2 (RFC 3720, appendix B.4).
 *
 * Why its own: `zlib.crc32` of Node is another polynomial, and Node 20.19 has none at all.
 */

const POLYNOMIAL = 0x82f63b78;
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
  return crc;
});

/** The checksum of some bytes, from 0 to 2³²-1. `zeroedAt`: four bytes there are taken as zeros. */
export function crc32c(bytes: Uint8Array, zeroedAt = Infinity): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = i >= zeroedAt && i < zeroedAt + 4 ? 0 : (bytes[i] ?? 0);
    crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
