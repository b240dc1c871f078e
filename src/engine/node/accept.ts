/**
 * Takes accepted clients from Node before it has made a stream of them.
 *
 * Place: used by the listener. Why: `createServer` cannot be told to read into a buffer of ours (`onread`), but the
 * constructor of net.Socket can, given the handle.
 * How: the listening handle calls its `onconnection` for each client; node:cluster replaces it in the same way.
 * Both are Node's own business, so all is checked: where anything looks different, the listener takes the sockets
 * that the server makes, which read at their own cost.
 */
import { Socket, type OnReadOpts, type Server } from 'node:net';

/** A client, accepted and not read from. */
export interface AcceptedHandle {
  getpeername?(name: { address?: string; port?: number }): number;
  close(): void;
}

/** Makes `server` hand over handles instead of sockets; false where this Node does not allow it. */
export function takeHandles(server: Server, onHandle: (handle: AcceptedHandle) => void): boolean {
  const listening: unknown = Reflect.get(server, '_handle');
  if (!isObject(listening) || !hasMethod(listening, 'onconnection')) return false;
  const inherited = inheritsNoDelay(listening);
  return Reflect.set(listening, 'onconnection', (_error: unknown, handle: unknown) => {
    // A failed accept (out of descriptors) is the kernel's to report again.
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

/** Linux gives TCP_NODELAY of a listening socket to those it accepts: one system call less for each. */
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
