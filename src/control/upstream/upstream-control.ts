/**
 * One upstream with everything that learns about its backends: the model, a resolver per name, the checks.
 *
 * Place: `ControlPlane` holds one per upstream. The configuration and operators' changes of membership and state come
 * in here, because resolvers and checks must follow them.
 * Invariants:
 * - From `start` on, a backend is checked while it is a member and not in maint.
 * - A backend that was configured by name has a resolver while it is a member.
 * - Nothing runs on after `stop`.
 */
import type { OperatorState } from '../../model/words.ts';
import { isDeepStrictEqual } from 'node:util';
import { createSource } from '../discovery/create-source.ts';
import { Discovery } from '../discovery/discovery.ts';
import type { Registry } from '../discovery/source.ts';
import { checkOptions } from '../../config/socket-options.ts';
import type { BackendConfig } from '../../config/schema/schema.ts';
import type { Lookup } from '../../names/names.ts';
import { isNumeric, type AgentAnswer } from './backend-record.ts';
import {
  createAgentChecks,
  createHealthChecks,
  type Checks,
  type ChecksDeps,
  type ProbingEngine,
} from './checks.ts';
import { Resolver } from './resolver.ts';
import type { PlannedUpstream } from './upstream-settings.ts';
import { Upstream, type UpstreamDeps } from './upstream.ts';

export interface UpstreamControlDeps extends UpstreamDeps {
  /** Probes connect with it. */
  readonly engine: ProbingEngine;
  /** Relative paths in the configuration start here. */
  readonly baseDir: string;
  /** Resolves names. */
  readonly lookup: Lookup;
  wallClock(): number;
}

interface UpstreamChecks {
  readonly health: Checks | undefined;
  readonly agents: Checks | undefined;
}

/** What a configuration of an upstream needs besides itself: checks that are ready, and slots kept for new backends. */
export interface PreparedUpstream {
  readonly checks: UpstreamChecks;
  /** The slots are kept no longer; idempotent. */
  readonly releaseSlots: () => void;
}

export class UpstreamControl {
  readonly upstream: Upstream;
  readonly #deps: UpstreamControlDeps;
  readonly #resolvers = new Map<string, Resolver>();
  /** Of backends that sources have named before the start. */
  readonly #resolving: Promise<void>[] = [];
  readonly #discovery: Discovery;
  /** With the backends that sources name besides those of the configuration. */
  #config: PlannedUpstream;
  #configured: readonly BackendConfig[];
  #checks: UpstreamChecks;
  /** Backends that are checked now. */
  readonly #checked = new Set<string>();
  #hasStarted = false;

  /** Throws LB4_CONFIG_INVALID when a file that a check needs cannot be read. */
  constructor(config: PlannedUpstream, deps: UpstreamControlDeps) {
    this.#config = config;
    this.#configured = config.backends;
    this.#deps = deps;
    this.upstream = new Upstream(config, deps);
    const { baseDir, events, setTimer } = deps;
    const sourceDeps = { baseDir, setTimer, wallClock: () => deps.wallClock(), now: () => deps.now() };
    this.#discovery = new Discovery({
      ...{ upstream: config.name, events, setTimer },
      now: () => deps.now(),
      create: source => createSource(source, sourceDeps),
      onChange: () => this.#followSources(),
    });
    this.#discovery.configure(config.discovery ?? []);
    this.#checks = this.#createChecks(config);
  }

  get config(): PlannedUpstream {
    return this.#config;
  }

  /**
   * What another configuration needs. Throws LB4_CONFIG_INVALID when a file that a check needs cannot be read, and
   * LB4_TOO_MANY_SLOTS; nothing has changed then. Else `configure` or `releaseSlots` follows.
   */
  prepare(config: PlannedUpstream): PreparedUpstream {
    const before = this.#config;
    const fresh = this.#createChecks(config);
    const isSameWay = isDeepStrictEqual(checkOptions(config), checkOptions(before));
    // Other settings of TLS are those of the next check.
    const isSameCheck =
      isDeepStrictEqual(config.health, before.health) &&
      (config.tlsSettings === undefined) === (before.tlsSettings === undefined);
    const checks = {
      health: isSameWay && isSameCheck ? this.#checks.health : fresh.health,
      agents: isSameWay && isDeepStrictEqual(config.agent, before.agent) ? this.#checks.agents : fresh.agents,
    };
    const added = config.backends.filter(({ id }) => !this.upstream.has(id));
    return { checks, releaseSlots: this.#deps.shared.reserve(added.length) };
  }

  /**
   * Takes over another configuration.
   * - What operators have changed since stays, unless the configuration changes that very key.
   * - A backend that operators have added stays, and one that they have removed is not brought back.
   */
  configure(config: PlannedUpstream, { checks, releaseSlots }: PreparedUpstream): void {
    this.#configured = config.backends;
    this.#discovery.configure(config.discovery ?? []);
    const before = this.#config;
    this.#config = { ...config, backends: this.#discovery.with(config.backends) };
    releaseSlots();
    // First, because the steps that follow judge by the new settings.
    this.upstream.configure(this.#config);
    this.#useChecks(checks);
    this.#changeBackends(before.backends, { resetSessions: false });
  }

  /**
   * Begins to ask the sources, and to resolve the names of its backends; resolves when each has its first answer, good or
   * bad.
   */
  async resolve(): Promise<void> {
    const configured = this.#configured.map(backend => this.#resolve(backend));
    await this.#discovery.start();
    await Promise.all([...configured, ...this.#resolving]);
  }

  /** Begins the checks, at once and in parallel. */
  start(): void {
    this.#hasStarted = true;
    for (const id of this.upstream.ids) this.#begin(id);
  }

  status(): ReturnType<Upstream['status']> {
    const sources = this.#discovery.status();
    if (sources.length === 0) return this.upstream.status();
    return { ...this.upstream.status(this.#discovery.sourcesOf()), sources };
  }

  stop(): void {
    this.#discovery.stop();
    this.upstream.stop();
    this.#checks.health?.stop();
    this.#checks.agents?.stop();
    for (const resolver of this.#resolvers.values()) resolver.stop();
    this.#resolvers.clear();
  }

  setState(id: string, state: OperatorState): void {
    this.upstream.news.setOperatorState(id, state);
    this.#followChecks(id);
  }

  add(backend: BackendConfig, { isOriginal = false } = {}): void {
    this.upstream.add(backend, { isOriginal });
    const resolved = this.#resolve(backend);
    if (this.#hasStarted) this.#begin(backend.id);
    else this.#resolving.push(resolved);
  }

  /** Where backends register themselves; undefined: nowhere. */
  get registry(): Registry | undefined {
    return this.#discovery.registry;
  }

  setWeight(id: string, weight: number): void {
    this.upstream.news.setWeight(id, weight);
  }

  /** Without effect for a backend that it does not have. */
  remove(id: string, options: { readonly resetSessions: boolean }): void {
    this.upstream.remove(id, options);
    this.#resolvers.get(id)?.stop();
    this.#resolvers.delete(id);
    this.#checks.agents?.remove(id);
    this.#followChecks(id);
  }

  /** The upstream is not configured any more: it has no backends from now on, and its sessions run on. */
  retire(): void {
    this.upstream.retire();
    for (const id of [...this.upstream.ids]) this.remove(id, { resetSessions: false });
    this.#discovery.configure([]);
    this.#configured = [];
    this.#config = { ...this.#config, backends: [] };
    this.upstream.publish();
  }

  /** Takes over what the sources name now. */
  #followSources(): void {
    const before = this.#config;
    const backends = this.#discovery.with(this.#configured);
    if (isDeepStrictEqual(backends, before.backends)) return;
    this.#config = { ...before, backends };
    this.upstream.configure(this.#config);
    this.#changeBackends(before.backends, { resetSessions: before.removed === 'reset' });
  }

  /** From these to those of the configuration in force. */
  #changeBackends(from: readonly BackendConfig[], options: { readonly resetSessions: boolean }): void {
    const before = new Map(from.map(backend => [backend.id, backend]));
    const { backends } = this.#config;
    const wanted = new Set(backends.map(({ id }) => id));
    for (const id of before.keys()) if (!wanted.has(id)) this.remove(id, options);
    for (const backend of backends) this.#configureBackend(backend, before.get(backend.id));
    this.upstream.arrange();
  }

  async #resolve({ id, address }: BackendConfig): Promise<void> {
    if (address.kind !== 'tcp' || isNumeric(address)) return;
    const resolver = new Resolver(address.host, {
      lookup: this.#deps.lookup,
      setTimer: this.#deps.setTimer,
      onResolved: hosts =>
        this.upstream.news.setAddresses(
          id,
          hosts.map(host => ({ ...address, host })),
        ),
      onUnresolved: reason => this.upstream.news.reportUnresolved(id, reason),
    });
    this.#resolvers.set(id, resolver);
    await resolver.start();
  }

  #configureBackend(after: BackendConfig, before: BackendConfig | undefined): void {
    if (this.upstream.has(after.id)) this.upstream.news.configure(after.id, after, before);
    // A backend that the configuration had already and that is missing was removed by an operator.
    else if (!isDeepStrictEqual(after, before)) this.add(after, { isOriginal: !this.#hasStarted });
  }

  /** Other checks take over, with the verdicts of those before them. */
  #useChecks(checks: UpstreamChecks): void {
    const before = this.#checks;
    this.#checks = checks;
    const { news, ids } = this.upstream;
    if (checks.health !== before.health) {
      before.health?.stop();
      for (const id of this.#checked) {
        if (this.#config.health.type === 'off') news.forgetChecks(id);
        else checks.health?.add(id, this.upstream.verdictOn(id));
      }
    }
    if (checks.agents === before.agents) return;
    before.agents?.stop();
    for (const id of ids) {
      if (checks.agents === undefined) news.forgetAgent(id);
      else if (this.#hasStarted) checks.agents.add(id);
      // The agent may have kept the backend in maint.
      this.#followChecks(id);
    }
  }

  #createChecks(config: PlannedUpstream): UpstreamChecks {
    const { upstream } = this;
    const { tlsSettings } = config;
    const { engine, baseDir, setTimer, events } = this.#deps;
    const deps: ChecksDeps = {
      ...{ engine, baseDir, setTimer },
      now: () => this.#deps.now(),
      random: () => this.#deps.random(),
      sessionTls: tlsSettings && (() => this.#config.tlsSettings ?? tlsSettings),
      addressesOf: backend => upstream.addressesOf(backend),
      onFlip: (backend, healthy, reason) => {
        upstream.news.setHealthy(backend, healthy, reason);
        if (!healthy) this.#resolvers.get(backend)?.tryNext();
      },
      onProbe: (backend, result) =>
        upstream.news.noteProbe(backend, result.verdict === 'failed' ? result.reason : undefined),
      onCheckFailed: (backend, failure) =>
        events.emit('backend:checkFailed', { upstream: config.name, backend, ...failure }),
      onAnswer: (backend, answer) => this.#hearAgent(backend, answer),
    };
    return { health: createHealthChecks(config, deps), agents: createAgentChecks(config, deps) };
  }

  #begin(id: string): void {
    // An agent is asked in maint, too: the state may be its own word.
    this.#checks.agents?.add(id);
    this.#followChecks(id);
  }

  #hearAgent(id: string, answer: AgentAnswer): void {
    this.upstream.news.hearAgent(id, answer);
    this.#followChecks(id);
  }

  #followChecks(id: string): void {
    // A backend that has gone counts as one in maint.
    const { together = 'maint' } = this.upstream.statesOf(id) ?? {};
    const isWanted = this.#hasStarted && together !== 'maint';
    if (isWanted === this.#checked.has(id)) return;
    if (isWanted) {
      this.#checked.add(id);
      this.#checks.health?.add(id);
    } else {
      this.#checked.delete(id);
      this.#checks.health?.remove(id);
    }
  }
}
