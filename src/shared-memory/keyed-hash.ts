/**
 * HalfSipHash-1-3 over four 32-bit words: a short hash that cannot be aimed at without the key.
 *
 * Place: spreads client addresses over the chains of the sticky table. An attacker who could choose addresses that
 * share a chain would make every look-up as long as the chain.
 * Source: https://github.com/veorq/SipHash (halfsiphash.c), Aumasson and Bernstein, "SipHash: a fast short-input PRF".
 */

/** Not negative. */
export function keyedHash(
  key0: number,
  key1: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): number {
  let v0 = key0;
  let v1 = key1;
  let v2 = 0x6c796765 ^ key0;
  let v3 = 0x74656462 ^ key1;
  // Four words, the length (16 bytes, in the top byte), and three rounds to finish.
  for (let i = 0; i < 8; i++) {
    const word = i === 0 ? w0 : i === 1 ? w1 : i === 2 ? w2 : i === 3 ? w3 : i === 4 ? 16 << 24 : 0;
    if (i === 5) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}
