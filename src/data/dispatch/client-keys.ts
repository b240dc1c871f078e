/**
 * By what the client of a session is known to strategies and stickiness.
 *
 * Place: the session asks its upstream for it, once it is through the gates; the dispatcher passes it on to the picker.
 * How: most upstreams tell clients apart by their addresses: then the address is all there is, and nothing is made. A
 * client without what the key is made of (no such TLV, no name, no address) is known by its address.
 * Why keys look like addresses: the table of clients (sticky-table.ts) has 16 bytes for each. The value of a TLV, or
 * a name, is hashed into as many; a client that can choose it cannot find another one's.
 */
import { hash } from 'node:crypto';
import type { ProxyTlv } from '../../codec/proxy-protocol/index.ts';
import type { KeyBy } from '../../model/key-by.ts';
import { ipKey } from '../../shared-memory/ip-key.ts';

export interface ClientKeys {
  readonly address: string;
  readonly hash: string;
  readonly sticky: string;
}

/** A text: its address, which is its key for everything. */
export type Client = string | ClientKeys;

/** What is known of the client besides its address. */
interface Known {
  /** What a proxy in front has said. */
  readonly proxied?: { readonly tlvs: readonly ProxyTlv[] };
  readonly serverName?: string;
}

export type ClientOf = (address: string, known: Known | undefined) => Client;

const WORDS = 4;
const MAPPED = 0xffff;
const IPV4_AT = 96;
const words = new Int32Array(WORDS);

export function clientOf(hashBy: KeyBy | undefined, stickyBy: KeyBy | undefined): ClientOf {
  if (hashBy === undefined && stickyBy === undefined) return address => address;
  return (address, known = {}) => ({
    address,
    hash: keyOf(hashBy, address, known),
    sticky: keyOf(stickyBy, address, known),
  });
}

export function addressIn(client: Client): string {
  return typeof client === 'string' ? client : client.address;
}

export function stickyKeyOf(client: Client): string {
  return typeof client === 'string' ? client : client.sticky;
}

function keyOf(by: KeyBy | undefined, address: string, { proxied, serverName }: Known): string {
  if (by === undefined) return address;
  if (by.by === 'clientPrefix') return networkOf(address, by.v4, by.v6);
  if (by.by === 'sni') return serverName === undefined ? address : digestOf(Buffer.from(serverName));
  const tlv = proxied?.tlvs.find(({ type }) => type === by.type);
  return tlv === undefined ? address : digestOf(tlv.value);
}

/** The first address of the network. */
function networkOf(address: string, v4: number, v6: number): string {
  if (!ipKey(address, words)) return address;
  const isV4 = words[0] === 0 && words[1] === 0 && words[2] === MAPPED;
  const bits = isV4 ? IPV4_AT + v4 : v6;
  for (let i = 0; i < WORDS; i++) {
    const left = Math.min(Math.max(bits - 32 * i, 0), 32);
    words[i] = (words[i] ?? 0) & (left === 0 ? 0 : -1 << (32 - left));
  }
  return isV4 ? dotted(words[3] ?? 0) : Array.from(words, groups).join(':');
}

function dotted(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

function groups(word: number): string {
  return `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;
}

/** 128 bits of it, as an IPv6 address. */
function digestOf(value: Uint8Array): string {
  const hex = hash('sha256', value, 'hex');
  let text = hex.slice(0, 4);
  for (let at = 4; at < 32; at += 4) text += `:${hex.slice(at, at + 4)}`;
  return text;
}
