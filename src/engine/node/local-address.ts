/**
 * The address of this end of a socket, as text.
 *
 * Place: asked for by those who log sessions only: Node makes a system call for it.
 */
import type { Socket } from 'node:net';

/** '' for a unix socket, and for one that is closed. */
export function localAddressOf({ localAddress, localPort }: Socket): string {
  if (localAddress === undefined || localPort === undefined) return '';
  // An IPv6 socket that serves IPv4 clients, too.
  const host = localAddress.startsWith('::ffff:') ? localAddress.slice('::ffff:'.length) : localAddress;
  return host.includes(':') ? `[${host}]:${localPort}` : `${host}:${localPort}`;
}
