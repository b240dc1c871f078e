/**
 * What an upstream's configuration means for its data planes, apart from its backends: the part of each plan that
 * changes only with the configuration.
 *
 * Place: `Upstream` asks for it at the start and at each new configuration. Sections of the configuration go into the
 * plan as they are, under their own names.
 */
import type { UpstreamConfig } from '../../config/schema/schema.ts';
import { connectOptions } from '../../config/socket-options.ts';
import { keyByOf } from '../../config/key-by.ts';
import type { TlsClientSettings } from '../../engine/tls.ts';
import type { UpstreamSettings } from '../../model/upstream-plan.ts';
import type { ControlledState } from '../../shared-memory/shared-state.ts';

/** An upstream as configured, and what its files were then. */
export interface PlannedUpstream extends UpstreamConfig {
  readonly strategyVersion?: string;
  /** What `tls` means. */
  readonly tlsSettings?: TlsClientSettings | undefined;
}

export function withClientTls(
  configs: readonly PlannedUpstream[],
  { upstreams }: { readonly upstreams: ReadonlyMap<string, TlsClientSettings> },
): readonly PlannedUpstream[] {
  return configs.map(each => ({ ...each, tlsSettings: upstreams.get(each.name) }));
}

/** @param mirrored whether counts are shared with other instances */
export function upstreamSettings(
  config: PlannedUpstream,
  shared: ControlledState,
  mirrored: boolean,
): UpstreamSettings {
  const { name, strategy, sticky, connect, pool, ejection, queue, limits, backups, sendProxy } = config;
  const { memory } = shared.configureUpstream(name, {
    sticky: sticky && { max: sticky.max, ttlMs: sticky.ttl },
    mirrored,
    takesTurns: strategy === 'roundrobin',
  });
  return {
    ...{ name, memory, connect, pool, queue, limits, backups },
    ...(sendProxy === 'off' ? {} : { sendProxy }),
    hashBy: keyByOf(config.hashBy),
    stickyBy: keyByOf(sticky?.by),
    balanceFactor: config.balanceFactor === 'off' ? undefined : config.balanceFactor,
    strategy: config.strategyVersion ?? strategy,
    queueSlot: shared.slotOfQueue(name),
    ejection: { failures: ejection.failures, earlyClose: ejection.earlyClose },
    sockets: connectOptions(config),
    tls: config.tlsSettings,
  };
}
