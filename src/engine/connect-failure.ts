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
  // This backend cannot be reached from here, for want of a local address or port (IPv6 switched off, or its ports
  // used up). Another backend may well be reached, so the session goes on to it.
  ['EADDRNOTAVAIL', 'unreachable'],
  ['EADDRINUSE', 'localResources'],
]);

/** The failure for a system code such as ECONNREFUSED. A code that is not in the map counts as 'unreachable'. */
export function connectFailure(code: string, kind: Address['kind']): ConnectFailure {
  // A unix socket whose backlog is full answers EAGAIN; on TCP the same code means that ports have run out.
  if (code === 'EAGAIN') return { reason: kind === 'unix' ? 'refused' : 'localResources', code };
  return { reason: REASONS.get(code) ?? 'unreachable', code };
}

/** True when a failure says nothing about the backend: this machine lacks a descriptor, memory, address or port. */
export function isOfThisMachine({ reason, code }: ConnectFailure): boolean {
  return reason === 'localResources' || code === 'EADDRNOTAVAIL';
}
