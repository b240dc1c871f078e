/**
 * Networks as text: `10.0.0.0/8`, `fd00::/8`, or one address.
 *
 * Place: the configuration checks them, gates look addresses up in them.
 */
import { isIP } from 'node:net';

export interface Network {
  readonly address: string;
  /** Leading bits that count: up to 32 of IPv4, 128 of IPv6. */
  readonly bits: number;
}

/** Undefined: the text is no network. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', bitsText] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const bits = bitsText === undefined ? most : Number(bitsText);
  return family === 0 || bits > most ? undefined : { address, bits };
}
