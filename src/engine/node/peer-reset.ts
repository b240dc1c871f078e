/**
 * Distinguishes a reset that Node reports as end-of-file from a real FIN.
 *
 * Place: asked by a connection when its 'end' arrives.
 * Why: libuv before 1.52 (Node 20 and 22) turns "data, then reset" into end-of-file when it sees both in one
 * poll (https://github.com/libuv/libuv/pull/4997), and a truncated answer would reach the client as a
 * complete one. After a FIN the kernel still knows the peer; after a reset getpeername(2) fails with ENOTCONN.
 * Limits: once our own FIN is out, an orderly end looks the same, so nothing is asked then and such a reset
 * stays an end-of-file. A FIN and a reset seen in one poll count as a reset. Unix sockets have no reset.
 */
import type { Socket } from 'node:net';

/** Whether this Node mistakes a reset for end-of-file; what getpeername says was verified on Linux only. */
const MASKS_RESETS = process.platform === 'linux' && isOlderThan(process.versions.uv, 1, 52);

/** True when the 'end' that `socket` has just emitted stands for a reset by its peer. */
export function endWasReset(socket: Socket): boolean {
  if (!MASKS_RESETS || socket.writableEnded) return false;
  // `socket.remoteAddress` would do, but it remembers its first answer, so the handle itself is asked. The
  // handle is internal to Node: where it looks different, end-of-file is believed.
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return false;
  const getpeername: unknown = Reflect.get(handle, 'getpeername');
  if (typeof getpeername !== 'function') return false;
  const errno: unknown = Reflect.apply(getpeername, handle, [{}]);
  return typeof errno === 'number' && errno < 0;
}

function isOlderThan(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}
