/**
 * The number of a socket's descriptor.
 *
 * Place: for system calls that Node does not know. It is the handle's, which is Node's own business: undefined
 * wherever that looks different, and on Windows.
 */
import type { Server, Socket } from 'node:net';

export function descriptorOf(socket: Server | Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
