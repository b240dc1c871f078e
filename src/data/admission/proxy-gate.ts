/**
 * The gate that reads a PROXY protocol header of a trusted sender, and takes the client's address from it.
 *
 * Place: the first gate of a listener with `acceptProxy`: those behind it judge by the address that it gives.
 * Invariants:
 * - The bytes of other senders are never looked at: they are payload, whatever they look like.
 * - Of what follows a header nothing is taken.
 * - Pure: it keeps nothing between two calls.
 */
import { V2_SIGNATURE } from '../../codec/proxy-protocol/header.ts';
import { parseProxyHeader, TLV, tlvOf, type ProxyHeader } from '../../codec/proxy-protocol/index.ts';
import type { Connection } from '../../engine/engine.ts';
import type { AcceptProxy } from '../../model/listener-plan.ts';
import { Networks } from '../../model/networks.ts';
import type { SessionRecord } from '../../model/session-record.ts';
import { bytesOfIPv6, formatIPv4, isMappedIPv4 } from '../../support/ip-bytes.ts';
import type { Facts, Gate, Proxied, Verdict } from './gate.ts';

/** As much as any path carries in one segment (RFC 879): usually all of the header. */
const FIRST_LOOK_BYTES = 536;
/** `PROXY `. */
const V1_MARK_BYTES = 6;
/** It stands in every spelling of a mapped address, and in few others. */
const MARK_OF_MAPPED = 'ffff:';

export function proxyGate<U>({ from, timeout, required }: AcceptProxy): Gate<U> {
  const trusted = new Networks(from);
  const pass: Verdict<U> = { kind: 'pass' };
  return (facts, { bytes, isAll }) => {
    if (!trusted.has(facts.clientAddress)) return pass;
    const parsed = parseProxyHeader(bytes);
    switch (parsed.kind) {
      case 'header':
        return { kind: 'pass', facts: factsOf(facts, parsed.header), take: parsed.bytes };
      case 'incomplete':
        // A client without a header may wait for the server to speak first, or have sent `\r\n` or `P` of its own.
        if (isAll && !required && bytes.length < markOf(bytes)) return pass;
        return {
          kind: 'more',
          bytes: Math.max(parsed.bytes, FIRST_LOOK_BYTES),
          withinMs: timeout,
          late: 'noProxyHeader',
        };
      case 'absent':
        return required ? { kind: 'refuse', reason: 'noProxyHeader' } : pass;
      case 'invalid':
        return { kind: 'refuse', reason: 'badProxyHeader' };
    }
  };
}

/** How many bytes it takes to tell a header from everything else. */
function markOf(bytes: Uint8Array): number {
  return bytes[0] === V2_SIGNATURE[0] ? V2_SIGNATURE.length : V1_MARK_BYTES;
}

/** With `local`, and where the sender does not know the addresses, those of the connection stay. */
function factsOf<U>(facts: Facts<U>, { command, addresses, tlvs }: ProxyHeader): Facts<U> {
  if (command === 'local') return facts;
  if (addresses === undefined) return { ...facts, proxied: { tlvs } };
  if (addresses.family === 'unix') return { ...facts, clientAddress: '', clientPort: 0, proxied: { tlvs } };
  const { source, destination } = addresses;
  return {
    clientAddress: unmapped(source.address),
    clientPort: source.port,
    upstream: facts.upstream,
    proxied: {
      destination: { address: unmapped(destination.address), port: destination.port },
      tlvs,
    },
  };
}

/** IPv4 is never shown as IPv6. The parser accepts every spelling of an address, and gives it in small letters. */
function unmapped(address: string): string {
  if (!address.includes(MARK_OF_MAPPED)) return address;
  const bytes = Uint8Array.from(bytesOfIPv6(address));
  return isMappedIPv4(bytes, 0) ? formatIPv4(bytes, 12) : address;
}

/** The proxy in front, in the record of a session. */
export function proxyIn(
  proxied: Proxied,
  { peerAddress }: Pick<Connection, 'peerAddress'>,
): Pick<SessionRecord, 'proxyAddress' | 'uniqueId'> {
  return { proxyAddress: peerAddress, uniqueId: uniqueIdOf(proxied) };
}

/** The id that a proxy in front has given the session, fit for a log; undefined: none. */
function uniqueIdOf(proxied: Proxied): string | undefined {
  const value = tlvOf(proxied, TLV.uniqueId);
  if (value === undefined) return undefined;
  const text = Buffer.from(value).toString('latin1');
  // Opaque bytes: as text where it is one, else in hexadecimal.
  return /^[!-~]+$/.test(text) ? text : Buffer.from(value).toString('hex');
}
