/**
 * One upstream with everything that finds out about its backends: the model, a resolver per name, the checks.
 *
 * Place: `ControlPlane` holds one per upstream. Operators' changes of membership and state come in here, because
 * resolvers and checks must follow them.
 * Invariants: a backend is checked from `start` on while it is a member and not in maint; it has a resolver while
 * it is a member and was configured by name; nothing runs on after `stop`.
 */
import type { BackendConfig, UpstreamConfig } from '../config/schema.ts';
import type { Lookup } from '../names/names.ts';
import { isNumeric, type AgentAnswer } from './backend-record.ts';
import {
  createAgentChecks,
  createHealthChecks,
  type Checks,
  type ChecksDeps,
  type ProbingEngine,
} from './checks.ts';
import type { OperatorState } from './eligibility.ts';
import { Resolver } from './resolver.ts';
import { Upstream, type UpstreamDeps } from './upstream.ts';

export interface UpstreamControlDeps extends UpstreamDeps {
  /** Probes connect with it. */
  readonly engine: ProbingEngine;
  /** Relative paths in the configuration start here. */
  readonly baseDir: string;
  /** Resolves names. */
  readonly lookup: Lookup;
}

export class UpstreamControl {
  readonly config: UpstreamConfig;
  readonly upstream: Upstream;
  readonly #deps: UpstreamControlDeps;
  readonly #resolvers = new Map<string, Resolver>();
  readonly #checks: Checks | undefined;
  readonly #agents: Checks | undefined;
  /** Backends that are checked now. */
  readonly #checked = new Set<string>();
  #hasStarted = false;

  constructor(config: UpstreamConfig, deps: UpstreamControlDeps) {
    this.config = config;
    this.#deps = deps;
    const upstream = new Upstream(config, deps);
    this.upstream = upstream;
    const checks: ChecksDeps = {
      engine: deps.engine,
      baseDir: deps.baseDir,
      now: () => deps.now(),
      random: () => deps.random(),
      setTimer: deps.setTimer,
      addressesOf: backend => upstream.addressesOf(backend),
      onFlip: (backend, healthy, reason) => {
        upstream.setHealthy(backend, healthy, reason);
        if (!healthy) this.#resolvers.get(backend)?.tryNext();
      },
      onProbe: (backend, passed) => upstream.noteProbe(backend, passed),
      onCheckFailed: (backend, failure) =>
        deps.events.emit('backend:checkFailed', { upstream: config.name, backend, ...failure }),
      onAnswer: (backend, answer) => this.#hearAgent(backend, answer),
    };
    this.#checks = createHealthChecks(config, checks);
    this.#agents = createAgentChecks(config, checks);
  }

  /** Begins to resolve the names of its backends; resolves after the first answer to each, good or bad. */
  async resolve(): Promise<void> {
    await Promise.all(this.config.backends.map(backend => this.#resolve(backend)));
  }

  /** Begins the checks, at once and in parallel. */
  start(): void {
    this.#hasStarted = true;
    for (const id of this.upstream.ids) this.#begin(id);
  }

  stop(): void {
    this.upstream.stop();
    this.#checks?.stop();
    this.#agents?.stop();
    for (const resolver of this.#resolvers.values()) resolver.stop();
    this.#resolvers.clear();
  }

  setState(id: string, state: OperatorState): void {
    this.upstream.setOperatorState(id, state);
    this.#followChecks(id);
  }

  add(backend: BackendConfig): void {
    this.upstream.add(backend);
    void this.#resolve(backend);
    if (this.#hasStarted) this.#begin(backend.id);
  }

  remove(id: string, options: { readonly resetSessions: boolean }): void {
    this.upstream.remove(id, options);
    this.#resolvers.get(id)?.stop();
    this.#resolvers.delete(id);
    this.#agents?.remove(id);
    this.#followChecks(id);
  }

  async #resolve({ id, address }: BackendConfig): Promise<void> {
    if (address.kind !== 'tcp' || isNumeric(address)) return;
    const resolver = new Resolver(address.host, {
      lookup: this.#deps.lookup,
      setTimer: this.#deps.setTimer,
      onResolved: hosts =>
        this.upstream.setAddresses(
          id,
          hosts.map(host => ({ ...address, host })),
        ),
      onUnresolved: reason => this.upstream.reportUnresolved(id, reason),
    });
    this.#resolvers.set(id, resolver);
    await resolver.start();
  }

  #begin(id: string): void {
    // An agent is asked in maint, too: it may be the one that has said so.
    this.#agents?.add(id);
    this.#followChecks(id);
  }

  #hearAgent(id: string, answer: AgentAnswer): void {
    this.upstream.hearAgent(id, answer);
    this.#followChecks(id);
  }

  #followChecks(id: string): void {
    // One that has gone is like one in maint.
    const { together = 'maint' } = this.upstream.statesOf(id) ?? {};
    const isWanted = this.#hasStarted && together !== 'maint';
    if (isWanted === this.#checked.has(id)) return;
    if (isWanted) {
      this.#checked.add(id);
      this.#checks?.add(id);
    } else {
      this.#checked.delete(id);
      this.#checks?.remove(id);
    }
  }
}
