/**
 * Names that this machine resolves by itself: its hosts file, and `localhost` as this machine (RFC 6761).
 *
 * Place: the first source of `Names`, and the only one of the checks of a configuration, which ask no name server.
 */
import { canonicalName, parseHosts, type Hosts } from './system-files.ts';
import { WatchedFile } from './watched-file.ts';

const LOOPBACK = ['127.0.0.1', '::1'];

export class LocalNames {
  readonly #hosts: WatchedFile<Hosts>;

  constructor(path = '/etc/hosts') {
    this.#hosts = new WatchedFile(path, parseHosts);
  }

  /** The addresses of a name; undefined where only other sources may have them. */
  addressesOf(host: string): readonly string[] | undefined {
    const name = canonicalName(host);
    const known = this.#hosts.read().get(name);
    // Both families, also where the hosts file has only one: programs listen on either.
    if (name === 'localhost') return [...new Set([...(known ?? []), ...LOOPBACK])];
    return known ?? (name.endsWith('.localhost') ? LOOPBACK : undefined);
  }
}
