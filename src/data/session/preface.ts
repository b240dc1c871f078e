/**
 * The PROXY protocol header that a backend gets before the client's bytes (`sendProxy`).
 *
 * Place: the session asks for it when it has a connection, so that each connection gets a header of its own and an
 * attempt that fails gets none.
 * Invariant: it never throws, whatever a proxy in front has sent: what has no room is left out, the checksum last.
 */
import {
  encodeProxyHeader,
  TLV,
  tlvOf,
  V2_MAX_BYTES,
  type IpAddresses,
  type ProxyEndpoint,
  type ProxyTlv,
} from '../../codec/proxy-protocol/index.ts';
import type { Connection } from '../../engine/engine.ts';
import type { ForwardedTlv, SendProxy } from '../../model/send-proxy.ts';
import { splitZone } from '../../support/zone.ts';
import type { Facts } from '../admission/gate.ts';

/** Whom a header names. */
type Client = Omit<Facts<unknown>, 'upstream'>;

/** Signature, command and length, and the addresses of the longest family. */
const FIXED_BYTES = 16 + 36;
const TLV_FIXED_BYTES = 3;
const CHECKSUM: ProxyTlv = Object.freeze({ type: TLV.crc32c, value: new Uint8Array(4) });
/** Types that have a word of their own, or mean something on one hop only. */
const NAMED: ReadonlySet<number> = new Set(Object.values(TLV));

/**
 * @param here the client's connection: asked where it leads to only if no proxy in front has said that
 * @param id the session's
 */
export function prefaceOf(
  { version, tlvs }: SendProxy,
  client: Client,
  here: Pick<Connection, 'localAddress'>,
  id: string,
): Uint8Array {
  const addresses = addressesOf(client, here);
  if (version === 'v1') return encodeProxyHeader({ version: 1, command: 'proxy', addresses });
  return encodeProxyHeader({ version: 2, command: 'proxy', addresses, tlvs: tlvsOf(tlvs, client, id) });
}

/** Undefined where one of them is not known. Without zones, which mean something on this machine only. */
function addressesOf(
  { clientAddress, clientPort, proxied }: Client,
  here: Pick<Connection, 'localAddress'>,
): IpAddresses | undefined {
  if (clientAddress === '') return undefined;
  const destination = proxied?.destination ?? endpointOf(here.localAddress);
  if (destination === undefined) return undefined;
  const source = { address: splitZone(clientAddress)[0], port: clientPort };
  const family = source.address.includes(':') ? 'ipv6' : 'ipv4';
  return { family, transport: 'stream', source, destination };
}

/** `192.0.2.1:80` or `[2001:db8::1]:80`. */
function endpointOf(text: string): ProxyEndpoint | undefined {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return undefined;
  const host = text.startsWith('[') ? text.slice(1, colon - 1) : text.slice(0, colon);
  return { address: splitZone(host)[0], port: Number(text.slice(colon + 1)) };
}

function tlvsOf(wanted: readonly ForwardedTlv[], client: Client, id: string): readonly ProxyTlv[] {
  if (wanted.length === 0) return [];
  const hasChecksum = wanted.includes('crc32c');
  let room = V2_MAX_BYTES - FIXED_BYTES - (hasChecksum ? TLV_FIXED_BYTES + CHECKSUM.value.length : 0);
  const fitting = wanted
    .flatMap(word => (word === 'crc32c' ? [] : tlvsFor(word, client, id)))
    .filter(({ value }) => {
      const bytes = TLV_FIXED_BYTES + value.length;
      if (bytes > room) return false;
      room -= bytes;
      return true;
    });
  return hasChecksum ? [...fitting, CHECKSUM] : fitting;
}

function tlvsFor(word: Exclude<ForwardedTlv, 'crc32c'>, client: Client, id: string): readonly ProxyTlv[] {
  const received = client.proxied?.tlvs ?? [];
  if (word === 'others') return received.filter(({ type }) => !NAMED.has(type));
  const value = tlvOf({ tlvs: received }, TLV[word]);
  if (value !== undefined) return [{ type: TLV[word], value }];
  return word === 'uniqueId' ? [{ type: TLV.uniqueId, value: Buffer.from(id) }] : [];
}
