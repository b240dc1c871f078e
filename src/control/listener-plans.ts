/**
 * What the configuration means for listeners: all their plans, with addresses, which the host turns into sockets.
 *
 * Place: `load-balancer.ts` asks for them at the start and at each new configuration. Sections of the configuration go
 * into the plan as they are, under their own names.
 */
import type { Config } from '../config/schema/schema.ts';
import { socketOptions } from '../config/socket-options.ts';
import type { BindPoint, ListenerPlan, ListenersPlan } from '../model/listener-plan.ts';
import type { ControlledState } from '../shared-memory/shared-state.ts';
import { formatAddress, type ListenAddress } from '../support/address.ts';

/**
 * @param config with addresses instead of names
 * @param maxSessions what this machine allows; Infinity for no limit
 */
export function listenersPlan(config: Config, shared: ControlledState, maxSessions: number): ListenersPlan {
  const { listeners, limits } = config;
  const slots = listeners.map(({ name }) => shared.slotOfListener(name));
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
        ...sockets
      }): ListenerPlan => ({
        ...{ name, upstream, whenUnavailable, timeouts, limits: own, acceptProxy },
        slot: shared.slotOfListener(name),
        sockets: socketOptions(sockets),
        bind: bindPoints(name, bind),
      }),
    ),
  };
}

/** An address has one listener. Port 0 may stand several times in each listener, because each is another port. */
function bindPoints(listener: string, bind: readonly ListenAddress[]): readonly BindPoint[] {
  return bind.map((where, i) => {
    const address = formatAddress(where);
    const isAny = where.kind === 'tcp' && where.port === 0;
    return { key: isAny ? `${address} ${i} of ${listener}` : address, where };
  });
}
