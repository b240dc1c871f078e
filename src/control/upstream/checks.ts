/**
 * The active checks and the agent checks of one upstream's backends. Each kind begins and ends for each backend
 * separately.
 *
 * Place: between `UpstreamControl` and src/control/health: the one place that knows how checks are made.
 */
import type { Socket } from 'node:net';
import type { UpstreamConfig } from '../../config/schema/schema.ts';
import { checkOptions } from '../../config/socket-options.ts';
import type { Engine } from '../../engine/engine.ts';
import { AgentChecker, agentSettings } from '../health/agent-checker.ts';
import { createProbe } from '../health/create-probe.ts';
import type { ProbeResult } from '../health/probe.ts';
import { HealthChecker, healthSettings, type CheckFailure } from '../health/health-checker.ts';
import type { SessionTls } from '../health/tls-settings.ts';
import type { SendProxy } from '../../model/send-proxy.ts';
import type { Address } from '../../support/address.ts';
import type { EarlyOptions } from '../../support/socket.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { AgentAnswer } from './backend-record.ts';

/** An engine that also opens sockets for Node's clients. */
export interface ProbingEngine extends Engine {
  readonly openSocket: (address: Address, early?: EarlyOptions) => Socket;
}

export interface Checks {
  /** Begins to check a backend. `healthy`: what is known of it already; absent: nothing is known. */
  add(backend: string, known?: { readonly healthy?: boolean }): void;
  /** Ends the checks of a backend; no result follows. */
  remove(backend: string): void;
  stop(): void;
}

export interface ChecksDeps {
  /** Probes connect with it. */
  readonly engine: ProbingEngine;
  /** Relative paths in the configuration start here. */
  readonly baseDir: string;
  now(): number;
  random(): number;
  readonly setTimer: SetTimer;
  /** The TLS of sessions to the backends; absent: they have none. */
  readonly sessionTls?: SessionTls | undefined;
  /** The addresses of a backend now; none while its name has not been resolved. */
  addressesOf(backend: string): readonly Address[];
  onFlip(backend: string, healthy: boolean, reason: string): void;
  onProbe(backend: string, result: ProbeResult): void;
  onCheckFailed(backend: string, failure: CheckFailure): void;
  onAnswer(backend: string, answer: AgentAnswer): void;
}

/** Undefined where backends are not checked. Throws LB4_CONFIG_INVALID when a file that they need cannot be read. */
export function createHealthChecks(config: UpstreamConfig, deps: ChecksDeps): Checks | undefined {
  const { name, health, sendProxy } = config;
  if (health.type === 'off') return undefined;
  const engine = onItsWay(deps.engine, config);
  const { baseDir } = deps;
  const probe = createProbe(health, {
    engine,
    openSocket: address => engine.openSocket(address),
    setTimer: deps.setTimer,
    baseDir,
    at: ['upstreams', name, 'health'],
    sendProxy: headerOfChecks(health, sendProxy),
    sessionTls: deps.sessionTls,
  });
  return new HealthChecker(healthSettings(health), {
    probe,
    now: () => deps.now(),
    random: () => deps.random(),
    setTimer: deps.setTimer,
    addressesOf: backend => deps.addressesOf(backend),
    onFlip: (...flip) => deps.onFlip(...flip),
    onProbe: (...result) => deps.onProbe(...result),
    onFailed: (...failure) => deps.onCheckFailed(...failure),
  });
}

/** Checks leave this machine where sessions do: firewalls may let nothing else through. */
function onItsWay(engine: ProbingEngine, config: UpstreamConfig): ProbingEngine {
  const early = checkOptions(config);
  if (early === undefined) return engine;
  return {
    ...engine,
    connect: (address, options, done) => engine.connect(address, { ...options, early }, done),
    openSocket: address => engine.openSocket(address, early),
  };
}

/** What listens elsewhere is not asked to know of the header. */
function headerOfChecks(
  { sendProxy, port, address }: UpstreamConfig['health'],
  ofSessions: UpstreamConfig['sendProxy'],
): SendProxy['version'] | undefined {
  const isElsewhere = port !== undefined || address !== undefined;
  const byDefault = ofSessions === 'off' || isElsewhere ? 'off' : ofSessions.version;
  const version = sendProxy ?? byDefault;
  return version === 'off' ? undefined : version;
}

/** Undefined where there are no agents. */
export function createAgentChecks(config: UpstreamConfig, deps: ChecksDeps): Checks | undefined {
  const { agent } = config;
  if (agent === undefined) return undefined;
  const engine = onItsWay(deps.engine, config);
  return new AgentChecker(agentSettings(agent), {
    now: () => deps.now(),
    random: () => deps.random(),
    setTimer: deps.setTimer,
    openSocket: address => engine.openSocket(address),
    addressesOf: backend => deps.addressesOf(backend),
    onAnswer: (...answer) => deps.onAnswer(...answer),
  });
}
