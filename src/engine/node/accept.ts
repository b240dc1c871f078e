/**
 * Takes accepted clients from Node before it has made a stream of them.
 *
 * Place: used by the listener. Why: `createServer` has no option to read into a buffer of ours (`onread`), but the
 * constructor of net.Socket has, given the handle.
 * How: the listening handle calls its `onconnection` for each client; node:cluster replaces it in the same way.
 * Both are internals of Node, so all is checked: where anything looks different, the listener takes the sockets
 * that the server makes, which allocate a buffer for each read.
 */
import { Socket, type OnReadOpts, type Server } from 'node:net';
import type { NoDelay } from './acceptor.ts';

/** A client, accepted and not read from. */
export interface AcceptedHandle {
  getpeername?(name: { address?: string; port?: number }): number;
  close(): void;
}

/** Makes `server` hand over handles instead of sockets; false where this Node does not allow it. */
export function takeHandles(
  server: Server,
  onHandle: (handle: AcceptedHandle) => void,
  noDelay?: NoDelay,
): boolean {
  const listening: unknown = Reflect.get(server, '_handle');
  if (!isObject(listening) || !hasMethod(listening, 'onconnection')) return false;
  const inherited = noDelay !== undefined || inheritsNoDelay(listening);
  return Reflect.set(listening, 'onconnection', (_error: unknown, handle: unknown) => {
    // A failed accept (out of descriptors): the kernel will report it again.
    if (!isAccepted(handle)) return;
    if (!inherited && hasMethod(handle, 'setNoDelay')) handle.setNoDelay(true);
    onHandle(handle);
  });
}

/** A paused socket over the handle, which reads as `onread` says. */
export function socketOver(handle: AcceptedHandle, onread: OnReadOpts): Socket {
  const options = { handle, onread, allowHalfOpen: true, pauseOnCreate: true };
  return new Socket(options);
}

/** Linux passes TCP_NODELAY of a listening socket on to those it accepts: one system call less for each. */
function inheritsNoDelay(listening: object): boolean {
  return (
    process.platform === 'linux' && hasMethod(listening, 'setNoDelay') && listening.setNoDelay(true) === 0
  );
}

function isAccepted(value: unknown): value is AcceptedHandle {
  return isObject(value) && hasMethod(value, 'close');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function hasMethod<Name extends string>(
  value: object,
  name: Name,
): value is Record<Name, (...args: unknown[]) => unknown> {
  return typeof Reflect.get(value, name) === 'function';
}
