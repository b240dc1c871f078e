/**
 * The active checks of one upstream's backends, to be begun and ended for each by itself.
 *
 * Place: between `UpstreamControl` and src/health: the one place that knows how health checks are made.
 */
import type { UpstreamConfig } from '../config/schema.ts';
import type { Engine } from '../engine/engine.ts';
import { HealthChecker } from '../health/health-checker.ts';
import type { Probe } from '../health/probe.ts';
import { createTcpProbe } from '../health/tcp-probe.ts';
import type { Address } from '../support/address.ts';

export interface Checks {
  /** Begins to check a backend. */
  add(backend: string): void;
  remove(backend: string): void;
  stop(): void;
}

export interface ChecksDeps {
  /** Probes connect with it. */
  readonly engine: Engine;
  /** Where relative paths of the configuration start. */
  readonly baseDir: string;
  random(): number;
  /** Where a backend is now; undefined while it has no address. */
  addressOf(backend: string): Address | undefined;
  onFlip(backend: string, healthy: boolean, reason: string): void;
  onProbe(backend: string, passed: boolean): void;
}

/** Undefined where backends are not checked. */
export function createHealthChecks({ health }: UpstreamConfig, deps: ChecksDeps): Checks | undefined {
  if (health.type === 'off') return undefined;
  const tcpProbe = createTcpProbe(deps.engine, { timeoutMs: health.timeout });
  const checkers = new Map<string, HealthChecker>();
  const remove = (backend: string): void => {
    checkers.get(backend)?.stop();
    checkers.delete(backend);
  };
  return {
    add(backend) {
      remove(backend);
      const probe: Probe = (address, done) =>
        tcpProbe(address, result => {
          done(result);
          if (result.verdict !== 'none') deps.onProbe(backend, result.verdict === 'passed');
        });
      const { interval, rise, fall } = health;
      const checker = new HealthChecker(
        { intervalMs: interval, rise, fall },
        {
          probe,
          random: () => deps.random(),
          addressOf: id => deps.addressOf(id),
          onFlip: (id, healthy, reason) => deps.onFlip(id, healthy, reason),
        },
      );
      checkers.set(backend, checker);
      checker.start([backend]);
    },
    remove,
    stop() {
      for (const backend of [...checkers.keys()]) remove(backend);
    },
  };
}
