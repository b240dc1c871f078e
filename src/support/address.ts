/**
 * Network addresses: TCP `host:port` and unix-domain socket paths, parsed from and printed as text.
 *
 * Place: used by configuration, engines, listeners and logs.
 * Invariants:
 * - `formatAddress(parseAddress(x))` is canonical: equal addresses print alike, so the printed form serves as a
 *   backend's identity. Names and IPv6 addresses are in lower case, zones as they were written.
 * - A missing host (`:8080`) means every local address, IPv6 and IPv4.
 */
import { isIP } from 'node:net';
import { bytesOfIPv6, formatIPv4, formatIPv6, isMappedIPv4 } from './ip-bytes.ts';
import { splitZone } from './zone.ts';

export interface TcpAddress {
  readonly kind: 'tcp';
  /** IPv4, IPv6 without brackets, a DNS name, or '' for every local address. */
  readonly host: string;
  readonly port: number;
}

export interface UnixAddress {
  readonly kind: 'unix';
  /** A file, or with `@` before it a name in Linux's abstract namespace (unix(7)), which no file stands for. */
  readonly path: string;
}

export type Address = TcpAddress | UnixAddress;

/** Who may connect to a unix socket: permissions and owners of its file. Absent: the system's default. */
export interface SocketAccess {
  readonly mode?: number | undefined;
  /** A name, or its number. */
  readonly user?: string | number | undefined;
  readonly group?: string | number | undefined;
}

export interface ListenUnixAddress extends UnixAddress {
  readonly access?: SocketAccess | undefined;
}

/** Where to listen. `entry`: its place in the list as it was written, where a range of ports stands for several. */
export type ListenAddress = (TcpAddress | ListenUnixAddress) & { readonly entry?: number | undefined };

export type ParsedAddress =
  { readonly ok: true; readonly address: Address } | { readonly ok: false; readonly expected: string };

/** Linux keeps 108 bytes for a socket path, the last of them a NUL; of an abstract name the first one (unix(7)). */
const UNIX_PATH_MAX_BYTES = 107;
const ABSTRACT = '@';
const DNS_NAME = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?$/i;
const ALL_DIGITS_AND_DOTS = /^[\d.]+$/;

/**
 * Parses `host:port`, `[v6]:port`, `:port` (only where `anyHost` allows it) or `unix:/path`.
 * Port 0 is accepted where `anyPort` allows it: the kernel then chooses one.
 */
export function parseAddress(
  text: string,
  allow: { anyHost?: boolean; anyPort?: boolean; platform?: NodeJS.Platform } = {},
): ParsedAddress {
  if (text.startsWith('unix:')) return parseUnix(text.slice('unix:'.length), allow.platform);
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:[\]]*)):(?<port>[^:]*)$/.exec(text);
  if (match?.groups === undefined) return { ok: false, expected: expectedForm(text, allow) };
  const { v6, host, port: portText = '' } = match.groups;

  const lowest = allow.anyPort === true ? 0 : 1;
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : -1;
  if (port < lowest || port > 65535) return { ok: false, expected: `a port from ${String(lowest)} to 65535` };

  if (v6 !== undefined) {
    const parsed = parseIPv6(v6);
    return parsed.ok ? { ok: true, address: { kind: 'tcp', host: parsed.host, port } } : parsed;
  }
  if (host === undefined || host === '') {
    if (allow.anyHost === true) return { ok: true, address: { kind: 'tcp', host: '', port } };
    return { ok: false, expected: 'a host before the port' };
  }
  if (isIP(host) === 4) return { ok: true, address: { kind: 'tcp', host, port } };
  // 256.1.1.1 and 10.0.0 are mistyped addresses, not names.
  if (ALL_DIGITS_AND_DOTS.test(host) || host.length > 253 || !DNS_NAME.test(host)) {
    return { ok: false, expected: 'an IPv4 address or a host name before the port' };
  }
  return { ok: true, address: { kind: 'tcp', host: host.toLowerCase(), port } };
}

/** The canonical text of an address; what logs, metrics and the command line show. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return isIP(address.host) === 6
    ? `[${address.host}]:${String(address.port)}`
    : `${address.host}:${String(address.port)}`;
}

function parseIPv6(
  text: string,
): { readonly ok: true; readonly host: string } | { readonly ok: false; readonly expected: string } {
  const [address, zone] = splitZone(text);
  if (isIP(address) !== 6) return { ok: false, expected: 'an IPv6 address between the brackets' };
  // Node takes no other zones.
  if (isIP(text) !== 6) {
    return { ok: false, expected: 'an interface named by letters, digits, ".", ":" and "-" after the %' };
  }
  const bytes = Uint8Array.from(bytesOfIPv6(address));
  const canonical = isMappedIPv4(bytes, 0) ? `::ffff:${formatIPv4(bytes, 12)}` : formatIPv6(bytes, 0);
  return { ok: true, host: zone === undefined ? canonical : `${canonical}%${zone}` };
}

/** Whether a unix address is a name in the abstract namespace, and no file. */
export function isAbstract({ path }: UnixAddress): boolean {
  return path.startsWith(ABSTRACT);
}

function parseUnix(path: string, platform: NodeJS.Platform = process.platform): ParsedAddress {
  const address = { kind: 'unix', path } as const;
  if (path === '') return { ok: false, expected: 'a path after unix:' };
  if (path.includes('\0')) return { ok: false, expected: 'a path without a NUL byte' };
  if (isAbstract(address) && platform !== 'linux') {
    return { ok: false, expected: 'a path after unix: (names, as in unix:@name, are for Linux only)' };
  }
  if (path === ABSTRACT) return { ok: false, expected: 'a name after unix:@' };
  const bytes = Buffer.byteLength(path) - (isAbstract(address) ? ABSTRACT.length : 0);
  if (bytes <= UNIX_PATH_MAX_BYTES) return { ok: true, address };
  const what = isAbstract(address) ? 'name' : 'path';
  return { ok: false, expected: `a ${what} of at most ${String(UNIX_PATH_MAX_BYTES)} bytes` };
}

function expectedForm(text: string, allow: { anyHost?: boolean }): string {
  if (isIP(text) === 6) return `brackets and a port, as in [${text}]:5432`;
  if (allow.anyHost === true && /^\d+(-\d+)?$/.test(text)) return `a colon before the port, as in :${text}`;
  if (/^\d+$/.test(text)) return `a host before the port, as in 127.0.0.1:${text}`;
  if (!text.includes(':')) return `a port, as in ${text === '' ? '127.0.0.1' : text}:5432`;
  return allow.anyHost === true
    ? 'host:port, [v6]:port, :port or unix:/path'
    : 'host:port, [v6]:port or unix:/path';
}
