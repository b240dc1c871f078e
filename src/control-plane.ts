/**
 * The control plane: everything slow about the upstreams. Names, health, and the snapshots that follow.
 *
 * Place: built by `load-balancer.ts` beside the data plane, which it feeds with snapshots. Nothing here stands
 * between a client and its backend.
 */
import type { UpstreamConfig } from './config/schema.ts';
import type { Engine } from './engine/engine.ts';
import type { Events } from './events.ts';
import { HealthChecker } from './health/health-checker.ts';
import { createTcpProbe } from './health/tcp-probe.ts';
import type { SharedState } from './shared-memory/shared-state.ts';
import { Resolver } from './upstream/resolver.ts';
import type { UpstreamSnapshot } from './upstream/snapshot.ts';
import { isNumeric, Upstream, type BackendStatus } from './upstream/upstream.ts';

/** Longest that the start waits for names to be resolved; later answers are taken as they come. */
const FIRST_RESOLUTION_MS = 2_000;

export interface ControlPlaneDeps {
  /** Probes connect with it. */
  readonly engine: Engine;
  readonly shared: SharedState;
  readonly events: Events;
  random(): number;
  publish(snapshot: UpstreamSnapshot): void;
}

export class ControlPlane {
  readonly #upstreams: readonly { readonly config: UpstreamConfig; readonly upstream: Upstream }[];
  readonly #deps: ControlPlaneDeps;
  readonly #resolvers = new Map<Upstream, Map<string, Resolver>>();
  readonly #checkers: HealthChecker[] = [];

  constructor(upstreams: readonly UpstreamConfig[], deps: ControlPlaneDeps) {
    this.#deps = deps;
    this.#upstreams = upstreams.map(config => ({
      config,
      upstream: new Upstream(config.name, config.backends, deps),
    }));
  }

  /** Resolves configured names, waiting a while for the first answers, and publishes the first snapshots. */
  async prepare(): Promise<void> {
    await this.#resolveNames();
    for (const { upstream } of this.#upstreams) upstream.publish();
  }

  /** Begins the health checks: one round at once, then each backend at its interval. */
  start(): void {
    for (const { config, upstream } of this.#upstreams) {
      const { health, backends } = config;
      if (health.type === 'off') continue;
      const checker = new HealthChecker(
        { intervalMs: health.interval, rise: health.rise, fall: health.fall },
        {
          probe: createTcpProbe(this.#deps.engine, { timeoutMs: health.timeout }),
          random: () => this.#deps.random(),
          addressOf: backend => upstream.addressOf(backend),
          onFlip: (backend, healthy, reason) => {
            upstream.setHealthy(backend, healthy, reason);
            if (!healthy) this.#resolvers.get(upstream)?.get(backend)?.tryNext();
          },
        },
      );
      this.#checkers.push(checker);
      checker.start(backends.map(({ id }) => id));
    }
  }

  stop(): void {
    for (const checker of this.#checkers) checker.stop();
    for (const resolver of this.#allResolvers()) resolver.stop();
  }

  status(): readonly { name: string; strategy: string; backends: readonly BackendStatus[] }[] {
    return this.#upstreams.map(({ config, upstream }) => ({
      name: config.name,
      strategy: config.strategy,
      backends: upstream.status(),
    }));
  }

  async #resolveNames(): Promise<void> {
    for (const { config, upstream } of this.#upstreams) {
      const resolvers = new Map<string, Resolver>();
      this.#resolvers.set(upstream, resolvers);
      for (const { id, address } of config.backends) {
        if (address.kind !== 'tcp' || isNumeric(address)) continue;
        resolvers.set(
          id,
          new Resolver(address.host, {
            onResolved: host => upstream.setAddress(id, { ...address, host }),
            onUnresolved: reason => upstream.reportUnresolved(id, reason),
          }),
        );
      }
    }
    const first = this.#allResolvers().map(resolver => resolver.start());
    if (first.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const longEnough = new Promise<void>(resolve => {
      timer = setTimeout(resolve, FIRST_RESOLUTION_MS);
    });
    await Promise.race([Promise.all(first), longEnough]);
    clearTimeout(timer);
  }

  #allResolvers(): Resolver[] {
    return [...this.#resolvers.values()].flatMap(resolvers => [...resolvers.values()]);
  }
}
