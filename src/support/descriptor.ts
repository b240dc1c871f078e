/**
 * What the handle of a socket knows: its descriptor, and the bytes it has not written yet.
 *
 * Place: for system calls that Node does not offer, for the node engine, and for sockets that are handed over. The handle is internal to Node: the
 * descriptor is undefined wherever it looks different, and on Windows.
 */
import type { Server, Socket } from 'node:net';

export function descriptorOf(socket: Server | Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

/** Bytes that the kernel has not taken yet; 0 where this is not known. */
export function queuedBytesOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const bytes: unknown =
    typeof handle === 'object' && handle !== null && Reflect.get(handle, 'writeQueueSize');
  return typeof bytes === 'number' ? bytes : 0;
}
