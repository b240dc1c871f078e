/**
 * Turns names into addresses, without ever holding up anything else.
 *
 * Place: one per `LoadBalancer`; backends, listeners and Redis use it. Order, as with nsswitch's usual `files dns`: the
 * hosts file, `localhost` (RFC 6761), DNS, then the other sources of nsswitch.conf. Each file is read again when it
 * has changed.
 * Why not `dns.lookup`: each lookup takes a thread of a pool of four for as long as a name server is slow, at most two
 * at a time. The next name and the end of the process have to wait for it.
 * Invariants:
 * - A name that hangs holds its place for 100 ms at most (places.ts), so it hardly delays other names.
 * - A lookup ends within `DEADLINE_MS`.
 * - After `close` all lookups end at once, and nothing of them keeps the process alive.
 */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { ownInterfaces, type Interfaces } from '../support/interfaces.ts';
import { setUnrefTimer, type SetTimer } from '../support/timer.ts';
import { byReach } from './by-reach.ts';
import { DnsLookup, type DnsAnswer } from './dns-lookup.ts';
import type { Family, NameServer } from './name-servers.ts';
import { LocalNames } from './local-names.ts';
import { OtherSources } from './other-sources.ts';
import { Places } from './places.ts';
import { canonicalName, parseOtherSources, parseResolvConf, type ResolvConf } from './system-files.ts';
import { WatchedFile } from './watched-file.ts';

export interface Found {
  /** At least one; first those that this machine is likeliest to reach. */
  readonly addresses: readonly string[];
  /** The family that the name servers did not answer for: the name may have addresses of it. */
  readonly unknown?: Family | undefined;
}

/** Resolves a name. Rejects with a `NameError`. */
export type Lookup = (host: string) => Promise<Found>;

export class NameError extends Error {
  override readonly name = 'NameError';
  /** As Node's resolver names it: ENOTFOUND, ENODATA, ETIMEOUT, ESERVFAIL, EREFUSED, ECONNREFUSED, ECANCELLED. */
  readonly code: string;

  constructor(host: string, code: string) {
    super(`name ${host} cannot be resolved (${code}${WORDS[code] ?? ''})`);
    this.code = code;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: ', there is no such name',
  ENODATA: ', it has no address',
  ETIMEOUT: ', no name server answers',
  ECONNREFUSED: ', there is no name server',
  ESERVFAIL: ', the name server has failed',
  EREFUSED: ', the name server refuses to say',
};

export interface NamesOptions {
  readonly hosts?: string;
  readonly resolvConf?: string;
  readonly nsswitch?: string;
  readonly getent?: string;
  readonly createServer?: (address: string | undefined) => NameServer;
  readonly setTimer?: SetTimer;
  readonly interfaces?: () => Interfaces;
}

/** A long search list with slow name servers would take longer; the next attempt begins anew. */
const DEADLINE_MS = 10_000;
const MOST_ADDRESSES = 64;

export class Names {
  readonly #options: NamesOptions;
  readonly #setTimer: SetTimer;
  readonly #local: LocalNames;
  readonly #resolvConf: WatchedFile<ResolvConf>;
  readonly #otherSources: WatchedFile<readonly string[]>;
  readonly #others: OtherSources;
  readonly #places: Places;
  /** Lookups under way, by name: several backends may have the same one. */
  readonly #running = new Map<string, Promise<Found>>();
  #dns: { readonly conf: ResolvConf; readonly lookup: DnsLookup } | undefined;
  #isClosed = false;

  constructor(options: NamesOptions = {}) {
    const { setTimer = setUnrefTimer, nsswitch = '/etc/nsswitch.conf' } = options;
    this.#options = options;
    this.#setTimer = setTimer;
    this.#local = new LocalNames(options.hosts);
    this.#resolvConf = new WatchedFile(options.resolvConf ?? '/etc/resolv.conf', parseResolvConf);
    this.#otherSources = new WatchedFile(nsswitch, parseOtherSources);
    this.#others = new OtherSources(options.getent);
    this.#places = new Places(setTimer);
  }
  /** The addresses of a name, or of an address itself. Rejects with a `NameError`. */
  async lookup(host: string): Promise<Found> {
    if (this.#isClosed) throw new NameError(host, 'ECANCELLED');
    if (isIP(host) !== 0) return { addresses: [host] };
    const local = this.#local.addressesOf(host);
    if (local !== undefined) return { addresses: this.#inOrder(local) };
    const key = host.toLowerCase();
    const running = this.#running.get(key) ?? this.#bounded(key).finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }

  /** Ends every lookup: those under way, and later ones as they come. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#dns?.lookup.cancel();
    this.#others.cancel();
  }

  #bounded(host: string): Promise<Found> {
    return new Promise((resolve, reject) => {
      const cancel = this.#setTimer(() => reject(new NameError(host, 'ETIMEOUT')), DEADLINE_MS);
      this.#lookup(host).then(resolve, reject).finally(cancel);
    });
  }

  async #lookup(host: string): Promise<Found> {
    const answer = await this.#places.run(() => this.#askDns(host));
    if (answer.kind === 'found') {
      return { addresses: this.#inOrder(answer.addresses), unknown: answer.unknown };
    }
    const sources = this.#otherSources.read();
    const addresses = sources.length === 0 ? [] : await this.#others.lookup(canonicalName(host), sources);
    if (addresses.length === 0) throw new NameError(host, answer.code);
    return { addresses: this.#inOrder(addresses) };
  }

  async #askDns(host: string): Promise<DnsAnswer> {
    for (;;) {
      if (this.#isClosed) return { kind: 'failed', code: 'ECANCELLED' };
      const answer = await this.#currentDns().lookup(host);
      // Cancelled because the name servers have changed meanwhile: asks the new ones.
      if (answer.kind !== 'failed' || answer.code !== 'ECANCELLED') return answer;
    }
  }

  #currentDns(): DnsLookup {
    const conf = this.#resolvConf.read();
    if (this.#dns?.conf !== conf) {
      const { createServer } = this.#options;
      const deps = { setTimer: this.#setTimer, ...(createServer && { createServer }) };
      this.#dns?.lookup.cancel();
      this.#dns = { conf, lookup: new DnsLookup(conf, hostname(), deps) };
    }
    return this.#dns.lookup;
  }

  #inOrder(addresses: readonly string[]): readonly string[] {
    const { interfaces = ownInterfaces } = this.#options;
    return byReach([...new Set(addresses)], interfaces()).slice(0, MOST_ADDRESSES);
  }
}
