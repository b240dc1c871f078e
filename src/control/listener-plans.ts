/**
 * What the configuration means for listeners: all their plans, with addresses, which the host turns into sockets.
 *
 * Place: `load-balancer.ts` asks for them at the start and at each new configuration. Sections of the configuration go
 * into the plan as they are, under their own names.
 */
import type { Config, UpstreamConfig } from '../config/schema/schema.ts';
import { listenOptions, type ListenKeys } from '../config/socket-options.ts';
import { targetsOf } from '../config/checks/targets.ts';
import type { TlsServerSettings } from '../engine/tls.ts';
import type { AccessPlan } from '../model/access-list.ts';
import { listenerLimits } from './listener-limits.ts';
import { sniRoutes, type HelloPlan } from '../model/hello-plan.ts';
import { BY_MPTCP, type BindPoint, type ListenerPlan, type ListenersPlan } from '../model/listener-plan.ts';
import type { ControlledState } from '../shared-memory/shared-state.ts';
import { formatAddress, type ListenAddress } from '../support/address.ts';

/** What was made of files, by the name of the listener. */
export interface FromFiles {
  readonly access: ReadonlyMap<string, AccessPlan>;
  readonly tls: ReadonlyMap<string, TlsServerSettings>;
}

/**
 * @param config with addresses instead of names
 * @param maxSessions what this machine allows; Infinity for no limit
 */
export function listenersPlan(
  config: Config,
  shared: ControlledState,
  maxSessions: number,
  files: FromFiles,
): ListenersPlan {
  const { listeners, limits } = config;
  const slots = listeners.map(({ name }) => shared.slotOfListener(name));
  const upstreams = new Map(config.upstreams.map(each => [each.name, each]));
  return {
    counters: shared.controlled.chunksOf(slots),
    limits: { maxSessions: Math.min(limits.maxSessions ?? Infinity, maxSessions) },
    slot: shared.slotOfInstance(),
    listeners: listeners.map(
      ({
        name,
        bind,
        upstream,
        whenUnavailable,
        timeouts,
        limits: own,
        acceptProxy,
        dryRun,
        sni,
        tls,
        ...keys
      }): ListenerPlan => ({
        ...{ name, upstream, whenUnavailable, timeouts, acceptProxy, dryRun },
        limits: listenerLimits(name, own, shared),
        access: files.access.get(name),
        tls: files.tls.get(name),
        needsTls: needsTls({ upstream, sni, tls }, upstreams),
        firstByte: firstByteOf(upstreams.get(upstream)),
        hello: helloOf(sni, upstreams.get(upstream)),
        slot: shared.slotOfListener(name),
        sockets: listenOptions(keys),
        bind: bindPoints(name, bind, keys),
      }),
    ),
  };
}

/** The same plan with other settings of TLS. */
export function withTls(plan: ListenersPlan, settings: FromFiles['tls']): ListenersPlan {
  return { ...plan, listeners: plan.listeners.map(each => ({ ...each, tls: settings.get(each.name) })) };
}

/** The same plan in which these listeners do not listen. */
export function without(plan: ListenersPlan, stopped: ReadonlySet<string>): ListenersPlan {
  if (stopped.size === 0) return plan;
  const mark = (listener: ListenerPlan): ListenerPlan =>
    stopped.has(listener.name) ? { ...listener, isStopped: true } : listener;
  return { ...plan, listeners: plan.listeners.map(mark) };
}

function needsTls(
  listener: Pick<Config['listeners'][number], 'upstream' | 'sni' | 'tls'>,
  upstreams: ReadonlyMap<string, UpstreamConfig>,
): boolean {
  return (
    listener.tls !== undefined || targetsOf(listener).some(name => upstreams.get(name)?.tls !== undefined)
  );
}

function firstByteOf(upstream: UpstreamConfig | undefined): ListenerPlan['firstByte'] {
  return upstream?.connectWhen.when === 'firstByte' ? upstream.connectWhen : undefined;
}

function helloOf(
  sni: Config['listeners'][number]['sni'],
  upstream: UpstreamConfig | undefined,
): HelloPlan | undefined {
  const isRequired = upstream?.connectWhen.when === 'tlsHello';
  if (sni !== undefined) return { ...sni, routes: sniRoutes(sni.routes), isRequired };
  if (!isRequired) return undefined;
  return { timeout: upstream.connectWhen.timeout, routes: [], others: 'upstream', isRequired };
}

/**
 * An address has one listener, or one for each interface. Port 0 may stand several times in each listener, because each
 * is another port. What a bound socket cannot become is another point: the new socket is bound beside the old one.
 */
function bindPoints(
  listener: string,
  bind: readonly ListenAddress[],
  { interface: name, mptcp }: Pick<ListenKeys, 'interface' | 'mptcp'>,
): readonly BindPoint[] {
  const kind = `${name === undefined ? '' : ` on ${name}`}${mptcp ? BY_MPTCP : ''}`;
  return bind.map((where, i) => {
    const address = formatAddress(where);
    if (where.kind === 'unix') return { key: address, where };
    return { key: `${address}${where.port === 0 ? ` ${i} of ${listener}` : ''}${kind}`, where };
  });
}
