/**
 * Whether a backend that an operator adds is an address of this very lb4: then each session would open another one.
 *
 * Place: serve-admin.ts asks before a backend is added. A configuration file is only warned about (config/checks),
 * because it may be about to change; here the answer is a refusal.
 * Invariants:
 * - What is refused is what the check of a file warns about, and the admin API's own addresses.
 * - The costly look at all upstreams happens only for an address at which lb4 listens.
 */
import { boundAt, EndpointIndex, leadsTo } from '../config/checks/endpoints.ts';
import { thisMachine, type Machine } from '../config/checks/this-machine.ts';
import { LOOP_FREE, warningsOf } from '../config/checks/warnings.ts';
import { formatPath } from '../config/report/issue.ts';
import type { BackendConfig, Config } from '../config/schema/schema.ts';
import { parseBackend } from '../config/source/parse.ts';
import type { LoadBalancerSnapshot } from '../model/snapshot.ts';
import { formatAddress, parseAddress, type Address, type ListenAddress } from '../support/address.ts';

export interface OwnAddresses {
  /** As it runs now. */
  readonly config: Config;
  readonly snapshot: () => Pick<LoadBalancerSnapshot, 'listeners' | 'upstreams'>;
  /** Where the admin API listens. */
  readonly admin: readonly Address[];
}

/** Why the backend may not be added; undefined when it may, or is no address at all. */
export function refusalOf(
  upstream: string,
  backend: string,
  own: OwnAddresses,
  machine: Machine = thisMachine(),
): string | undefined {
  const parsed = parseBackend(backend);
  if (!parsed.ok) return undefined;
  const ends = leadsTo(parsed.backend.address, machine);
  const accepts = (binds: readonly Address[]): boolean => {
    const index = new EndpointIndex<true>();
    for (const bind of binds) for (const endpoint of boundAt(bind, machine)) index.add(endpoint, true);
    return ends.some(endpoint => index.accepting(endpoint, machine) !== undefined);
  };
  const admin = own.admin.find(address => accepts([address]));
  if (admin !== undefined) {
    return `${parsed.backend.id} leads to the admin API of this lb4 (${formatAddress(admin)})`;
  }
  const config = withChosenPorts(own);
  if (!accepts(config.listeners.flatMap(({ bind }) => bind))) return undefined;
  return loopOf(upstream, parsed.backend, config, own, machine);
}

/** Port 0 stands for the port that the system has chosen. */
function withChosenPorts({ config, snapshot }: OwnAddresses): Config {
  const isChosen = (bind: ListenAddress): boolean => bind.kind === 'tcp' && bind.port === 0;
  if (!config.listeners.some(({ bind }) => bind.some(isChosen))) return config;
  const { listeners } = snapshot();
  return {
    ...config,
    listeners: config.listeners.map(listener => {
      if (!listener.bind.some(isChosen)) return listener;
      const shown = listeners.find(({ name }) => name === listener.name)?.addresses ?? [];
      const isAnyHost = listener.bind.some(bind => bind.kind === 'tcp' && bind.host === '');
      return { ...listener, bind: shown.flatMap(text => addressOf(text, isAnyHost)) };
    }),
  };
}

/** `isAnyHost`: all addresses of IPv6 are shown, and those of IPv4 are meant as well. */
function addressOf(shown: string, isAnyHost: boolean): Address[] {
  const parsed = parseAddress(shown);
  if (!parsed.ok) return [];
  const { address } = parsed;
  return [isAnyHost && address.kind === 'tcp' && address.host === '::' ? { ...address, host: '' } : address];
}

/** What a check of the file would say with the backends that there are now, and this one. */
function loopOf(
  upstream: string,
  backend: BackendConfig,
  config: Config,
  { snapshot }: OwnAddresses,
  machine: Machine,
): string | undefined {
  const now = snapshot().upstreams;
  const upstreams = config.upstreams.map(each => {
    const members = now.find(({ name }) => name === each.name)?.backends ?? [];
    const backends = members
      .filter(({ state }) => state !== 'removed')
      .flatMap(member => {
        const parsed = parseBackend(member.backend);
        return parsed.ok ? [parsed.backend] : [];
      });
    return { ...each, backends: each.name === upstream ? [...backends, backend] : backends };
  });
  const at = upstreams.findIndex(({ name }) => name === upstream);
  const path = formatPath(['upstreams', at, 'backends', (upstreams[at]?.backends.length ?? 0) - 1]);
  const warnings = warningsOf({ ...config, upstreams }, machine);
  return warnings.find(each => each.expected === LOOP_FREE && formatPath(each.path) === path)?.message;
}
