/**
 * The addresses of a name by DNS, IPv4 and IPv6 together, over the search list of resolv.conf.
 *
 * Place: `Names` asks, after the hosts file. c-ares does not apply the search list to lb4's questions, so it is applied
 * here, as resolv.conf(5) says: in Kubernetes `db` or `db.prod` is a name like any other.
 * Invariants:
 * - A server that does not answer for a domain of the list ends the lookup: to go on would find another host by the
 *   same short name.
 * - A family without an answer holds up the other one for `OTHER_FAMILY_MS` only.
 */
import type { SetTimer } from '../support/timer.ts';
import { NameServers, type Answer, type Family, type NameServersDeps } from './name-servers.ts';
import type { ResolvConf } from './system-files.ts';

export type DnsAnswer =
  | {
      readonly kind: 'found';
      readonly addresses: readonly string[];
      /** The family that was not answered for: the name may have addresses of it. */
      readonly unknown: Family | undefined;
    }
  | { readonly kind: 'absent' | 'failed'; readonly code: string };

/** The longest that the answer for one family waits for the other: some name servers drop questions for IPv6. */
const OTHER_FAMILY_MS = 500;
const FAMILIES = [4, 6] as const;

export class DnsLookup {
  readonly #conf: ResolvConf;
  readonly #domains: readonly string[];
  readonly #servers: NameServers;
  readonly #setTimer: SetTimer;

  /** @param hostname of this machine: its domain is searched where `conf` names none */
  constructor(conf: ResolvConf, hostname: string, deps: NameServersDeps) {
    this.#conf = conf;
    const [, ...domain] = hostname.split('.');
    this.#domains = conf.search ?? (domain.length === 0 ? [] : [domain.join('.')]);
    this.#servers = new NameServers(conf.servers, deps);
    this.#setTimer = deps.setTimer;
  }

  /** @param name a dot at its end keeps it out of the search list */
  async lookup(name: string): Promise<DnsAnswer> {
    let last: DnsAnswer = { kind: 'absent', code: 'ENOTFOUND' };
    for (const candidate of candidates(name, this.#domains, this.#conf.ndots)) {
      const answer = await this.#both(candidate);
      if (answer.kind === 'found') return answer;
      // "No such name" says less than any other answer.
      if (last.code === 'ENOTFOUND' || answer.kind === 'failed') last = answer;
      if (answer.code === 'ETIMEOUT' || answer.code === 'ECONNREFUSED' || answer.code === 'ECANCELLED') break;
    }
    return last;
  }

  /** Every lookup ends at once, as failed with ECANCELLED. */
  cancel(): void {
    this.#servers.cancel();
  }

  #both(name: string): Promise<DnsAnswer> {
    return new Promise(resolve => {
      const answers = new Map<Family, Answer>();
      let cancelWait = (): void => undefined;
      const end = (): void => {
        cancelWait();
        resolve(together(answers.get(4), answers.get(6)));
      };
      for (const family of FAMILIES) {
        void this.#servers.ask(name, family).then(answer => {
          answers.set(family, answer);
          if (answers.size === FAMILIES.length) end();
          else if (answer.kind === 'found') cancelWait = this.#setTimer(end, OTHER_FAMILY_MS);
        });
      }
    });
  }
}

/** The full names that a name may stand for, in the order in which they are tried. */
export function candidates(name: string, domains: readonly string[], ndots: number): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const longer = domains.map(domain => (domain === '' ? name : `${name}.${domain}`));
  const dots = name.split('.').length - 1;
  return [...new Set(dots >= ndots ? [name, ...longer] : [...longer, name])];
}

function together(v4: Answer | undefined, v6: Answer | undefined): DnsAnswer {
  const addresses = [v4, v6].flatMap(answer => (answer?.kind === 'found' ? answer.addresses : []));
  if (addresses.length > 0) {
    const unknown = isUnknown(v4) ? 4 : isUnknown(v6) ? 6 : undefined;
    return { kind: 'found', addresses, unknown };
  }
  const failure = [v4, v6].find(answer => answer?.kind === 'failed');
  if (failure?.kind === 'failed') return failure;
  const exists = [v4, v6].some(answer => answer?.kind === 'absent' && answer.code === 'ENODATA');
  return { kind: 'absent', code: exists ? 'ENODATA' : 'ENOTFOUND' };
}

function isUnknown(answer: Answer | undefined): boolean {
  return answer === undefined || answer.kind === 'failed';
}
