/**
 * The one map from the system's error codes to why a connect failed.
 *
 * Place: used by every engine when it connects to a backend; the reason decides whether the backend is to
 * blame, which is why running out of something on this machine ('localResources') is a reason of its own.
 * Source: connect(2), unix(7); codes measured with refused, dropped and rejected connects on Linux 6.18.
 */
import type { Address } from '../support/address.ts';
import type { ConnectFailure } from './engine.ts';

const REASONS: ReadonlyMap<string, ConnectFailure['reason']> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ENOENT', 'refused'],
  ['ETIMEDOUT', 'timeout'],
  ['ECONNRESET', 'reset'],
  ['ECONNABORTED', 'reset'],
  ['EPIPE', 'reset'],
  ['EMFILE', 'localResources'],
  ['ENFILE', 'localResources'],
  ['ENOBUFS', 'localResources'],
  ['ENOMEM', 'localResources'],
  // No room in the epoll set (fs.epoll.max_user_watches).
  ['ENOSPC', 'localResources'],
  // No local address or port from which this backend could be reached (IPv6 switched off, or its ports used
  // up): another backend may well be reached, so the session goes on to it.
  ['EADDRNOTAVAIL', 'unreachable'],
  ['EADDRINUSE', 'localResources'],
]);

/** The failure for a system code such as ECONNREFUSED. Codes it does not know count as 'unreachable'. */
export function connectFailure(code: string, kind: Address['kind']): ConnectFailure {
  // A unix socket whose backlog is full answers EAGAIN; on TCP the same code means that ports have run out.
  if (code === 'EAGAIN') return { reason: kind === 'unix' ? 'refused' : 'localResources', code };
  return { reason: REASONS.get(code) ?? 'unreachable', code };
}

/** Says nothing of the backend: this machine has no descriptor, memory, local address or port left. */
export function isOfThisMachine({ reason, code }: ConnectFailure): boolean {
  return reason === 'localResources' || code === 'EADDRNOTAVAIL';
}
