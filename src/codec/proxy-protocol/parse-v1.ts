/**
 * The line of version 1: `TCP4 192.0.2.1 192.0.2.2 50000 443` (section 2.1 of the specification).
 *
 * Place: a part of parse.ts, which has found the line's end.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { ProxyHeader } from './header.ts';

const UNKNOWN: ProxyHeader = Object.freeze({
  version: 1,
  command: 'proxy',
  addresses: undefined,
  tlvs: Object.freeze([]),
});
const PORT = /^(0|[1-9]\d{0,4})$/;

/** `text`: the line without `PROXY ` and CRLF. Undefined: it is malformed. */
export function parseV1(text: string): ProxyHeader | undefined {
  // What follows is to be ignored.
  if (text === 'UNKNOWN' || text.startsWith('UNKNOWN ')) return UNKNOWN;
  const [protocol, source = '', destination = '', sourcePort = '', destinationPort = '', ...more] =
    text.split(' ');
  const isAddress = protocol === 'TCP4' ? isIPv4 : protocol === 'TCP6' ? isPlainIPv6 : undefined;
  if (isAddress === undefined || more.length > 0) return undefined;
  if (!isAddress(source) || !isAddress(destination)) return undefined;
  if (!isPort(sourcePort) || !isPort(destinationPort)) return undefined;
  return {
    version: 1,
    command: 'proxy',
    addresses: {
      family: protocol === 'TCP4' ? 'ipv4' : 'ipv6',
      transport: 'stream',
      source: { address: source.toLowerCase(), port: Number(sourcePort) },
      destination: { address: destination.toLowerCase(), port: Number(destinationPort) },
    },
    tlvs: [],
  };
}

/** Without a zone, which would mean something on the sender's machine only. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function isPort(text: string): boolean {
  return PORT.test(text) && Number(text) <= 65_535;
}
