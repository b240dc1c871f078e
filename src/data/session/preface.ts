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
  type ProxyTlv,
} from '../../codec/proxy-protocol/index.ts';
import { ADDRESS_BYTES, TLV_FIXED_BYTES, V2_FIXED_BYTES } from '../../codec/proxy-protocol/header.ts';
import { endpointOf, tcpAddresses } from '../../codec/proxy-protocol/tcp-addresses.ts';
import type { Connection } from '../../engine/engine.ts';
import type { ForwardedTlv, SendProxy } from '../../model/send-proxy.ts';
import type { Facts } from '../admission/gate.ts';
import { ownTlv } from './tls-tlvs.ts';

/** Whom a header names. */
export type Client = Omit<Facts<unknown>, 'upstream'>;

/** Signature, command and length, and the addresses of the longest family. */
const FIXED_BYTES = V2_FIXED_BYTES + ADDRESS_BYTES.ipv6;
const CHECKSUM: ProxyTlv = Object.freeze({ type: TLV.crc32c, value: new Uint8Array(4) });
/** Types that have a word of their own, or mean something on one hop only. */
const NAMED: ReadonlySet<number> = new Set(Object.values(TLV));

/** This end of the client's connection, or that connection, which then has to ask the system. */
export type Here = string | Pick<Connection, 'localAddress'>;

/**
 * @param here looked at only if no proxy in front has said where the client connected to
 * @param id the session's
 */
export function prefaceOf({ version, tlvs }: SendProxy, client: Client, here: Here, id: string): Uint8Array {
  const addresses = addressesOf(client, here);
  if (version === 'v1') return encodeProxyHeader({ version: 1, command: 'proxy', addresses });
  return encodeProxyHeader({ version: 2, command: 'proxy', addresses, tlvs: tlvsOf(tlvs, client, id) });
}

/** Undefined where one of them is not known. */
function addressesOf({ clientAddress, clientPort, proxied }: Client, here: Here): IpAddresses | undefined {
  if (clientAddress === '') return undefined;
  const source = { address: clientAddress, port: clientPort };
  if (proxied?.destination !== undefined) return tcpAddresses(source, proxied.destination);
  return tcpAddresses(source, endpointOf(typeof here === 'string' ? here : here.localAddress));
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
  const own = ownTlv(word, client);
  if (own === 'none') return [];
  const value = own ?? tlvOf({ tlvs: received }, TLV[word]);
  if (value !== undefined) return [{ type: TLV[word], value }];
  return word === 'uniqueId' ? [{ type: TLV.uniqueId, value: Buffer.from(id) }] : [];
}
