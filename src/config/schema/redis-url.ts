/**
 * Redis URLs: one Redis, Sentinels with a master's name, or a cluster, each with or without TLS.
 *
 * Place: `redis.url` of the configuration (redis-schema.ts) and the cross-checks; src/control/mirror uses the types.
 * Written by hand because `URL` supports neither several hosts nor a password that must not appear in errors.
 * Invariants:
 * - Never throws.
 * - Linear in the text.
 * - `expected` never contains a part of the text.
 */
import { formatAddress, parseAddress } from '../../support/address.ts';

export interface RedisNode {
  /** IPv4, IPv6 without brackets, or a DNS name; in lower case. */
  readonly host: string;
  readonly port: number;
}

export type RedisTopology =
  | { readonly kind: 'single'; readonly node: RedisNode }
  | { readonly kind: 'sentinel'; readonly nodes: readonly RedisNode[]; readonly master: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] };

/** A Redis URL as values; a user and a password are decoded, and absent when empty. */
export interface RedisUrl {
  readonly topology: RedisTopology;
  /** Number of the database, default 0; 0 with a cluster. */
  readonly database: number;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
}

export type ParsedRedisUrl =
  { readonly ok: true; readonly url: RedisUrl } | { readonly ok: false; readonly expected: string };

type Kind = RedisTopology['kind'];

/** What stands before `://`, in lower case. */
const SCHEMES: Readonly<Record<string, { readonly kind: Kind; readonly tls: boolean }>> = {
  redis: { kind: 'single', tls: false },
  rediss: { kind: 'single', tls: true },
  'redis+sentinel': { kind: 'sentinel', tls: false },
  'rediss+sentinel': { kind: 'sentinel', tls: true },
  'redis+cluster': { kind: 'cluster', tls: false },
  'rediss+cluster': { kind: 'cluster', tls: true },
};

const FORMS: Readonly<Record<Kind, string>> = {
  single: 'redis://[user[:password]@]host[:6379][/db]',
  sentinel: 'redis+sentinel://[user[:password]@]host[:26379][,host2…]/MASTER[/db]',
  cluster: 'redis+cluster://[user[:password]@]host[:6379][,host2…]',
};
/** What a Redis URL looks like, and the pattern of it in the published JSON Schema. */
export const REDIS_URL_FORM = `a Redis URL: ${FORMS.single}, ${FORMS.sentinel} or ${FORMS.cluster}, with rediss for TLS`;
export const REDIS_URL_PATTERN = String.raw`^[Rr][Ee][Dd][Ii][Ss][Ss]?(\+([Ss][Ee][Nn][Tt][Ii][Nn][Ee][Ll]|[Cc][Ll][Uu][Ss][Tt][Ee][Rr]))?://.+$`;

const DEFAULT_PORTS: Readonly<Record<Kind, number>> = { single: 6379, sentinel: 26_379, cluster: 6379 };
const LONGEST = 4096;
const MOST_NODES = 64;
const MOST_DATABASES = 65_536;
/** The characters that Redis Sentinel allows. */
const MASTER = /^[A-Za-z0-9._-]{1,255}$/;
const ENCODE = 'percent-encoded characters (%40 for @, %2F for /, %25 for %) in user and password';

/** Parses a Redis URL. */
export function parseRedisUrl(text: string): ParsedRedisUrl {
  if (text.length > LONGEST) return expected(`a Redis URL of at most ${LONGEST} characters`);
  const scheme = schemeOf(text);
  if (scheme === undefined) return expected(REDIS_URL_FORM);
  if (/[\s\p{Cc}]/u.test(text)) return expected(`no spaces and line ends, and ${ENCODE}`);
  const { kind, tls } = scheme;
  const rest = text.slice(text.indexOf('://') + '://'.length);
  const authorityEnd = endOf(rest, /[/?#]/);
  const authority = rest.slice(0, authorityEnd);
  const path = rest.slice(authorityEnd);
  const at = authority.indexOf('@');
  // An @ that separates nothing belongs to a password, and so does the text before it.
  if (path.includes('@') || authority.includes('@', at + 1)) return expected(`at most one @, and ${ENCODE}`);
  const user = userinfo(at < 0 ? '' : authority.slice(0, at));
  if (user === undefined) return expected(ENCODE);
  if (/[?#]/.test(path)) return expected('no query (?) and no fragment (#) in the URL');
  const nodes = nodesOf(authority.slice(at + 1), kind);
  if (!nodes.ok) return nodes;
  const target = targetOf(path, kind, nodes.nodes);
  return target.ok ? { ok: true, url: { ...target.target, tls, ...user } } : target;
}

/** The text of a URL, user and password included. */
export function formatRedisUrl({ topology, database, tls, username, password }: RedisUrl): string {
  const [before, after] = topology.kind === 'single' ? ['', ''] : ['+', topology.kind];
  const nodes = topology.kind === 'single' ? [topology.node] : topology.nodes;
  const hosts = nodes.map(({ host, port }) => formatAddress({ kind: 'tcp', host, port }));
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`;
  const user = encodeURIComponent(username ?? '');
  const userinfo = user + secret === '' ? '' : `${user}${secret}@`;
  const master = topology.kind === 'sentinel' ? `/${topology.master}` : '';
  const path = `${master}${database === 0 ? '' : `/${database}`}`;
  return `redis${tls ? 's' : ''}${before}${after}://${userinfo}${hosts.join(',')}${path}`;
}

/** The known scheme that `text` begins with, in lower case and with its `://`; else undefined. */
export function redisScheme(text: string): string | undefined {
  const scheme = text.slice(0, Math.max(text.indexOf('://'), 0)).toLowerCase();
  return Object.hasOwn(SCHEMES, scheme) ? `${scheme}://` : undefined;
}

function schemeOf(text: string): (typeof SCHEMES)[string] | undefined {
  const scheme = redisScheme(text);
  return scheme === undefined ? undefined : SCHEMES[scheme.slice(0, -'://'.length)];
}

interface Refused {
  readonly ok: false;
  readonly expected: string;
}

function expected(words: string): Refused {
  return { ok: false, expected: words };
}

/** `user:password`, each decoded; undefined when the encoding is broken. */
function userinfo(text: string): { username?: string; password?: string } | undefined {
  const colon = endOf(text, /:/);
  const username = decoded(text.slice(0, colon));
  const password = decoded(text.slice(colon + 1));
  if (username === undefined || password === undefined) return undefined;
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

type Nodes = readonly [RedisNode, ...RedisNode[]];

function nodesOf(text: string, kind: Kind): { readonly ok: true; readonly nodes: Nodes } | Refused {
  const hosts = text.split(',');
  if (kind === 'single' && hosts.length > 1) {
    return expected('one host; several go with redis+sentinel:// and redis+cluster:// only');
  }
  if (hosts.length > MOST_NODES) return expected(`at most ${MOST_NODES} hosts`);
  const nodes: RedisNode[] = [];
  for (const [index, host] of hosts.entries()) {
    const node = nodeOf(host, DEFAULT_PORTS[kind]);
    // Named by its number: a text that is no host may be a part of a password.
    const which = hosts.length === 1 ? '' : ` as host ${index + 1}`;
    if (typeof node === 'string') return expected(`${node}${which}, as in ${FORMS[kind]}`);
    nodes.push(node);
  }
  const [first, ...others] = nodes;
  // `split` returns at least one part.
  return first === undefined ? expected('a host') : { ok: true, nodes: [first, ...others] };
}

/** A node, or what is expected instead. */
function nodeOf(text: string, defaultPort: number): RedisNode | string {
  const colons = text.split(':').length - 1;
  if (!text.startsWith('[') && colons > 1) return 'brackets around an IPv6 address';
  const hasPort = text.startsWith('[') ? !text.endsWith(']') : colons === 1;
  const port = hasPort ? text.slice(text.lastIndexOf(':') + 1) : String(defaultPort);
  const host = hasPort ? text.slice(0, text.lastIndexOf(':')) : text;
  if (host === '' || host === '[]') return 'a host';
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) return 'a port from 1 to 65535';
  const parsed = parseAddress(`${host}:${port}`);
  if (parsed.ok && parsed.address.kind === 'tcp')
    return { host: parsed.address.host, port: parsed.address.port };
  return 'a host name, an IPv4 address or an IPv6 address in brackets';
}

function targetOf(
  path: string,
  kind: Kind,
  nodes: Nodes,
): { readonly ok: true; readonly target: Pick<RedisUrl, 'topology' | 'database'> } | Refused {
  const [, ...parts] = path.replace(/\/$/, '').split('/');
  if (kind === 'cluster') {
    if (parts.length > 0) return expected('nothing after the hosts, because a cluster has no databases');
    return { ok: true, target: { topology: { kind, nodes }, database: 0 } };
  }
  const master = kind === 'sentinel' ? parts.shift() : undefined;
  if (kind === 'sentinel' && (master === undefined || !MASTER.test(master))) {
    return expected(
      "the master's name (letters, digits, ., _ or -) after the hosts, as in redis+sentinel://host:26379/mymaster",
    );
  }
  const [databaseText = '0', ...tooMuch] = parts;
  const database = /^\d{1,5}$/.test(databaseText) ? Number(databaseText) : MOST_DATABASES;
  if (database >= MOST_DATABASES || tooMuch.length > 0) {
    return expected(
      `the number of a database, from 0 to ${MOST_DATABASES - 1}, as the last part: ${FORMS[kind]}`,
    );
  }
  const topology: RedisTopology =
    master === undefined ? { kind: 'single', node: nodes[0] } : { kind: 'sentinel', nodes, master };
  return { ok: true, target: { topology, database } };
}

function endOf(text: string, pattern: RegExp): number {
  const found = text.search(pattern);
  return found < 0 ? text.length : found;
}
