/**
 * The files that define how a system resolves names: hosts(5), resolv.conf(5) and nsswitch.conf(5).
 *
 * Place: `Names` reads them through `WatchedFile`. Pure; a line that means nothing is skipped, as in the C library.
 */
import { isIP } from 'node:net';

/** The addresses of each name, in the order of the file; names in lower case, without a dot at the end. */
export type Hosts = ReadonlyMap<string, readonly string[]>;

export interface ResolvConf {
  /** Name servers, in Node's notation; none: the one of this machine. */
  readonly servers: readonly string[];
  /** Domains in which short names are looked for; undefined: the file names none. */
  readonly search: readonly string[] | undefined;
  /** A name with fewer dots than this is looked for in the domains first. */
  readonly ndots: number;
}

const NDOTS = { default: 1, max: 15 };

export function parseHosts(text: string): Hosts {
  const hosts = new Map<string, string[]>();
  for (const [address = '', ...names] of wordsOfLines(text)) {
    if (isIP(address) === 0) continue;
    for (const name of names.map(canonicalName)) {
      const known = hosts.get(name);
      if (known === undefined) hosts.set(name, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return hosts;
}

export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: readonly string[] | undefined;
  let ndots = NDOTS.default;
  for (const [keyword, ...words] of wordsOfLines(text)) {
    if (keyword === 'nameserver') servers.push(...words.slice(0, 1));
    // The last of these lines counts.
    else if (keyword === 'search') search = words.map(canonicalName);
    else if (keyword === 'domain') search = words.slice(0, 1).map(canonicalName);
    else if (keyword === 'options') {
      for (const word of words) {
        const given = /^ndots:(\d+)$/.exec(word)?.[1];
        if (given !== undefined) ndots = Math.min(Number(given), NDOTS.max);
      }
    }
  }
  return { servers, search, ndots };
}

/** The sources of host names besides the hosts file and DNS, such as `mdns4_minimal`, `ldap` or `myhostname`. */
export function parseOtherSources(nsswitch: string): readonly string[] {
  const sources = wordsOfLines(nsswitch.replace(/\[[^\]\n]*\]/g, ' ')).flatMap(([database, ...words]) =>
    database === 'hosts:' ? words : [],
  );
  return sources.filter(source => /^\w+$/.test(source) && source !== 'files' && source !== 'dns');
}

/** In lower case, without a dot at the end. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function wordsOfLines(text: string): string[][] {
  return text
    .split('\n')
    .map(line => line.replace(/[#;].*/, '').trim())
    .filter(line => line !== '')
    .map(line => line.split(/\s+/));
}
