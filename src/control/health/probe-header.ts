/**
 * The PROXY protocol header of a check (`health.sendProxy`).
 *
 * Place: the probes send it first. A check has no client: version 2 says so (LOCAL). Version 1 has no word for that, and
 * some receivers refuse UNKNOWN, so it names the two ends of the check's own connection, as the specification advises
 * (section 2.1).
 */
import type { Socket } from 'node:net';
import { encodeProxyHeader, type ProxyEndpoint } from '../../codec/proxy-protocol/index.ts';
import { endpointOf, tcpAddresses } from '../../codec/proxy-protocol/tcp-addresses.ts';
import type { Connection } from '../../engine/engine.ts';
import type { SendProxy } from '../../model/send-proxy.ts';

/** Undefined for unix sockets. */
export interface Ends {
  readonly local: ProxyEndpoint | undefined;
  readonly peer: ProxyEndpoint | undefined;
}

export function probeHeader(version: SendProxy['version'], { local, peer }: Ends): Uint8Array {
  if (version === 'v2') return encodeProxyHeader({ version: 2, command: 'local', addresses: undefined });
  return encodeProxyHeader({ version: 1, command: 'proxy', addresses: tcpAddresses(local, peer) });
}

export function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): Ends {
  return { local: endOf(localAddress, localPort), peer: endOf(remoteAddress, remotePort) };
}

export function endsOfConnection({ localAddress, peerAddress, peerPort }: Connection): Ends {
  return { local: endpointOf(localAddress), peer: endOf(peerAddress, peerPort) };
}

function endOf(address = '', port = 0): ProxyEndpoint | undefined {
  return address === '' ? undefined : { address, port };
}
