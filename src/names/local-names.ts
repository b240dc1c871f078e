/**
 * What this machine knows of names by itself: its hosts file, and that `localhost` is this machine (RFC 6761).
 *
 * Place: `Names` asks first; the checks of a configuration, which ask no name server, ask nothing else.
 */
import { canonicalName, parseHosts, type Hosts } from './system-files.ts';
import { WatchedFile } from './watched-file.ts';

const LOOPBACK = ['127.0.0.1', '::1'];

export class LocalNames {
  readonly #hosts: WatchedFile<Hosts>;

  constructor(path = '/etc/hosts') {
    this.#hosts = new WatchedFile(path, parseHosts);
  }

  /** The addresses of a name; undefined where only others may know it. */
  addressesOf(host: string): readonly string[] | undefined {
    const name = canonicalName(host);
    const known = this.#hosts.read().get(name);
    // Both, also where the hosts file has one: programs listen on either.
    if (name === 'localhost') return [...new Set([...(known ?? []), ...LOOPBACK])];
    return known ?? (name.endsWith('.localhost') ? LOOPBACK : undefined);
  }
}
