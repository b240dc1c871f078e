/**
 * Keys that decide nothing, because another key leaves them nothing to decide: most often a mistake in one of the two.
 *
 * Place: a part of warnings.ts, with the same invariants. Those of `access` are in access-warnings.ts, those about keys
 * of clients in keys-of-clients.ts.
 */
import { formatBandwidth } from '../../support/bandwidth.ts';
import { formatPath, type ConfigIssue, type Path } from '../report/issue.ts';
import type { Config, UpstreamConfig } from '../schema/schema.ts';

type Listener = Config['listeners'][number];

export function idleKeys({ listeners, upstreams, limits }: Config): ConfigIssue[] {
  return [
    ...listeners.flatMap((listener, i) => {
      const path: Path = ['listeners', i];
      return [
        ...ofListener(listener, path),
        ...paces(listener, path),
        ...sessions(listener, limits.maxSessions, path),
      ];
    }),
    ...upstreams.flatMap((upstream, i) => ofUpstream(upstream, ['upstreams', i])),
  ];
}

function ofListener({ access, whenDenied, dryRun, limits, timeouts }: Listener, path: Path): ConfigIssue[] {
  const tries = [access, limits.rate, limits.perClient, limits.perNetwork];
  const found: ConfigIssue[] = [];
  if (access === undefined && whenDenied !== 'reset')
    found.push(idle([...path, 'whenDenied'], 'there is no access that denies a client', whenDenied));
  if (dryRun && tries.every(each => each === undefined))
    found.push(idle([...path, 'dryRun'], 'there is no access and no limit to try', 'true'));
  if (timeouts.lifetimeJitter > 0 && timeouts.lifetime === 0) {
    const why = 'there is no lifetime to lengthen';
    found.push(idle([...path, 'timeouts', 'lifetimeJitter'], why, 'a jitter without a lifetime'));
  }
  return found;
}

/** A session never gets more than all sessions together. */
function paces({ limits }: Listener, path: Path): ConfigIssue[] {
  const [own, shared] = [limits.perSession?.bandwidth, limits.bandwidth];
  const at = [...path, 'limits', 'perSession', 'bandwidth'];
  const [fromClient, ...others] = (['fromClient', 'fromBackend'] as const).flatMap(direction => {
    const [one, all] = [own?.[direction], shared?.[direction]];
    if (one === undefined || all === undefined || one < all) return [];
    const why = `all sessions together have ${formatBandwidth(all)} (limits.bandwidth)`;
    return [idle([...at, direction], why, formatBandwidth(one))];
  });
  if (fromClient === undefined) return [];
  // One value is that of both directions.
  const isBoth = others.some(({ message }) => message === fromClient.message);
  return isBoth ? [{ ...fromClient, path: at }] : [fromClient, ...others];
}

/** Of limits of sessions one is always reached before the other. */
function sessions({ limits }: Listener, ofInstance: number | undefined, path: Path): ConfigIssue[] {
  const { maxSessions, perClient, perNetwork } = limits;
  const found = new Map<string, ConfigIssue>();
  const compare = (key: 'perClient' | 'perNetwork', other: Path, most: number | undefined): void => {
    const own = (key === 'perClient' ? perClient : perNetwork)?.sessions;
    if (own === undefined || most === undefined || own < most) return;
    const at = [...path, 'limits', key, 'sessions'];
    const issue = idle(at, `${formatPath(other)}, which is ${most}, is reached first`, String(own));
    if (!found.has(key)) found.set(key, issue);
  };
  for (const key of ['perClient', 'perNetwork'] as const) {
    compare(key, ['limits', 'maxSessions'], maxSessions);
    compare(key, ['limits', 'maxSessions'], ofInstance);
  }
  if (perClient === undefined || perNetwork === undefined) return [...found.values()];
  const isWider =
    perNetwork.ipv4Prefix <= perClient.ipv4Prefix && perNetwork.ipv6Prefix <= perClient.ipv6Prefix;
  if (isWider) compare('perClient', ['limits', 'perNetwork', 'sessions'], perNetwork.sessions);
  return [...found.values()];
}

function ofUpstream({ backends, leaveBackups }: UpstreamConfig, path: Path): ConfigIssue[] {
  if (leaveBackups === 'keep' || backends.some(({ backup }) => backup)) return [];
  return [idle([...path, 'leaveBackups'], 'no backend is a backup', leaveBackups)];
}

function idle(path: Path, why: string, got: string): ConfigIssue {
  const expected = 'a key that decides something';
  return { path, kind: 'value', expected, got, message: `it decides nothing: ${why}` };
}
