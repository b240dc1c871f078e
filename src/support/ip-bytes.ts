/**
 * IP addresses between text and bytes in network order.
 *
 * Place: used where the kernel's own structures are read or written. Text comes from a validated configuration
 * or from the kernel; IPv6 is printed as RFC 5952 recommends, which is also what Node prints.
 */

/** The 4 bytes of a dotted IPv4 address. */
export function bytesOfIPv4(text: string): number[] {
  return text.split('.').map(Number);
}

/** The 16 bytes of an IPv6 address: zeros may be shortened, the last 32 bits dotted; a zone is left out. */
export function bytesOfIPv6(text: string): number[] {
  const [address = ''] = text.split('%');
  const [before = [], tail] = address.split('::').map(groupBytes);
  if (tail === undefined) return before;
  const zeros = new Array<number>(16 - before.length - tail.length).fill(0);
  return [...before, ...zeros, ...tail];
}

function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap(group => {
    if (group.includes('.')) return bytesOfIPv4(group);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** The IPv4 address at an offset. */
export function formatIPv4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** Whether the 16 bytes at an offset are an IPv4-mapped address (`::ffff:a.b.c.d`). */
export function isMappedIPv4(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

/** The IPv6 address at an offset, the longest run of zeros shortened. */
export function formatIPv6(bytes: Uint8Array, at: number): string {
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((bytes[at + 2 * i] ?? 0) << 8) | (bytes[at + 2 * i + 1] ?? 0),
  );
  const [start, length] = longestZeroRun(groups);
  const print = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map(group => group.toString(16))
      .join(':');
  if (length < 2) return print(0, 8);
  return `${print(0, start)}::${print(start + length, 8)}`;
}

function longestZeroRun(groups: readonly number[]): readonly [start: number, length: number] {
  let best: readonly [number, number] = [0, 0];
  let start = 0;
  groups.forEach((group, i) => {
    if (group !== 0) start = i + 1;
    else if (i + 1 - start > best[1]) best = [start, i + 1 - start];
  });
  return best;
}
