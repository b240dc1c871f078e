/**
 * Who asks: which way a request came in, and whether it may do what it asks for.
 *
 * Place: dispatch.ts asks before a route is called.
 * Rules:
 * - A unix socket is guarded by the mode of its file alone.
 * - With a token, a TCP address needs it for everything but open routes and the dashboard's files.
 * - On a TCP address the Host must be one of this machine's, so that no page of another site can reach the API through
 *   a name that it has pointed at this machine (DNS rebinding).
 * - A change that a browser sends must come from a page of this very address (CSRF).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { Problem } from './problem.ts';

export interface Caller {
  readonly via: 'socket' | 'token' | 'address';
  /** The client's IP address; undefined on a unix socket. */
  readonly address: string | undefined;
}

export interface Rules {
  readonly token: string | undefined;
  /** Names of this machine, in lower case. */
  readonly hosts: readonly string[];
}

/** What a request is about. */
export interface Asks {
  /** Whether all may ask it. */
  readonly isOpen: boolean;
  /** Whether it is a file of the dashboard. */
  readonly isPage: boolean;
  readonly isChange: boolean;
}

export class Gatekeeper {
  readonly #tokenHash: Buffer | undefined;
  readonly #hosts: ReadonlySet<string>;

  constructor({ token, hosts }: Rules) {
    this.#tokenHash = token === undefined ? undefined : hashOf(token);
    this.#hosts = new Set(['localhost', ...hosts.map(host => host.toLowerCase())]);
  }

  /** Throws a `Problem` for a caller that may not. */
  check(request: IncomingMessage, { isOpen, isPage, isChange }: Asks): Caller {
    const address = request.socket.remoteAddress;
    // Node gives sockets of the unix kind no address.
    if (address === undefined || address === '') return { via: 'socket', address: undefined };
    if (isOpen) return { via: 'address', address };
    this.#checkHost(request);
    if (isChange) checkOrigin(request);
    if (isPage || this.#tokenHash === undefined) return { via: 'address', address };
    this.#checkToken(request, this.#tokenHash);
    return { via: 'token', address };
  }

  #checkHost({ headers: { host = '' } }: IncomingMessage): void {
    const name = hostOf(host);
    if (name !== undefined && (isIP(name) !== 0 || this.#hosts.has(name))) return;
    throw new Problem(
      403,
      'the Host of the request is no name of this machine; admin.hosts of the configuration adds names',
    );
  }

  #checkToken({ headers: { authorization = '' } }: IncomingMessage, hash: Buffer): void {
    const given = /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
    // Of equal length, whatever was sent.
    if (timingSafeEqual(hashOf(given), hash)) return;
    const detail = given === '' ? 'a bearer token is needed' : 'the bearer token is another one';
    throw new Problem(401, detail, { 'www-authenticate': 'Bearer' });
  }
}

function checkOrigin({ headers }: IncomingMessage): void {
  const { origin, host = '' } = headers;
  const site = headers['sec-fetch-site'];
  const isOther = origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`;
  if (!isOther && (site === undefined || site === 'same-origin' || site === 'none')) return;
  throw new Problem(403, 'a page of another origin may not change anything');
}

/** The host of a Host header, without its port, in lower case. */
function hostOf(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@/]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
