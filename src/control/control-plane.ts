/**
 * The control plane: everything slow about the upstreams. That is names, health, ejection, what operators want, and
 * the plans that follow.
 *
 * Place: built by `load-balancer.ts` beside the data plane. It sends plans to the data plane and receives its reports.
 * How: a list of upstreams is applied in four steps, so that listeners can change in between: `prepare`, which may
 * fail, `introduce`, `configure`, `retireOthers`.
 * Invariant: nothing here stands between a client and its backend.
 */
import type { OperatorState } from '../model/words.ts';
import type { BackendConfig } from '../config/schema/schema.ts';
import { Lb4Error } from '../errors.ts';
import { formatDuration } from '../support/duration.ts';
import { formatAddress, parseAddress } from '../support/address.ts';
import {
  UpstreamControl,
  type PreparedUpstream,
  type UpstreamControlDeps,
} from './upstream/upstream-control.ts';
import type { PlannedUpstream } from './upstream/upstream-settings.ts';
import type { Upstream, UpstreamEvent } from './upstream/upstream.ts';

/** The longest that new upstreams wait for names to be resolved; a later answer is used when it comes. */
const FIRST_RESOLUTION_MS = 750;
/** Interval of the looks whether an upstream that was taken out has any sessions left. */
const SWEEP_MS = 200;

export interface ControlPlaneDeps extends UpstreamControlDeps {
  /** Makes the data planes forget an upstream. */
  remove(upstream: string): void;
}

/** What a list of upstreams needs before anything of it takes effect. */
export interface PreparedUpstreams {
  readonly configs: readonly PlannedUpstream[];
  /** Upstreams that do not exist yet. */
  readonly fresh: ReadonlyMap<string, UpstreamControl>;
  /** What the upstreams that exist already need. */
  readonly others: ReadonlyMap<string, PreparedUpstream>;
  /** Of the latter, those that were leaving and that `introduce` has brought back. */
  readonly revived: Set<string>;
}

export class ControlPlane {
  readonly #deps: ControlPlaneDeps;
  /** In the order of the configuration. */
  #upstreams: ReadonlyMap<string, UpstreamControl> = new Map();
  /** Taken out of the configuration, with sessions or traces left. */
  readonly #leaving = new Map<string, UpstreamControl>();
  /** Of these, the ones that listeners still send clients to: they keep their backends. */
  readonly #needed = new Set<UpstreamControl>();
  #hasStarted = false;
  #isStopped = false;
  #cancelSweep: (() => void) | undefined;

  constructor(deps: ControlPlaneDeps) {
    this.#deps = deps;
  }

  /**
   * Throws LB4_CONFIG_INVALID when a file that a check needs cannot be read, and LB4_TOO_MANY_SLOTS; then nothing has
   * changed. Otherwise the caller goes on with `introduce` or `discard`.
   */
  prepare(configs: readonly PlannedUpstream[]): PreparedUpstreams {
    const fresh = new Map<string, UpstreamControl>();
    const others = new Map<string, PreparedUpstream>();
    try {
      for (const config of configs) {
        const { name } = config;
        const before = this.#upstreams.get(name) ?? this.#leaving.get(name);
        if (before === undefined) fresh.set(name, this.#create(config));
        else others.set(name, before.prepare(config));
      }
      return { configs, fresh, others, revived: new Set() };
    } catch (error) {
      this.#forget(fresh);
      for (const other of others.values()) other.releaseSlots();
      throw error;
    }
  }

  /**
   * Publishes the first plans of upstreams that are new, or back. Resolves their names before, and waits for the first
   * answers, at most `FIRST_RESOLUTION_MS`. Nothing changes for the other upstreams.
   */
  async introduce({ configs, fresh, others, revived }: PreparedUpstreams): Promise<void> {
    const added = configs.flatMap(config => {
      const control = fresh.get(config.name) ?? this.#revive(config, others);
      if (control !== undefined && !fresh.has(config.name)) revived.add(config.name);
      return control === undefined ? [] : [control];
    });
    const known = new Map(this.#upstreams);
    for (const control of added) known.set(control.config.name, control);
    this.#upstreams = known;
    // An upstream that is back resolves and checks its backends already.
    const controls = [...fresh.values()];
    await this.#untilResolved(controls);
    for (const { upstream } of added) upstream.publish();
    if (this.#hasStarted) for (const control of controls) control.start();
  }

  /** Gives the list up, also after `introduce`: new upstreams are gone without a trace, revived ones leave again. */
  async discard({ fresh, others, revived }: PreparedUpstreams): Promise<void> {
    for (const other of others.values()) other.releaseSlots();
    const kept = new Map(this.#upstreams);
    for (const [name, control] of fresh) {
      control.stop();
      if (kept.delete(name)) this.#deps.remove(name);
    }
    for (const name of revived) {
      const control = kept.get(name);
      kept.delete(name);
      if (control !== undefined) this.#retire(name, control);
    }
    this.#upstreams = kept;
    this.#sweepSoon();
    await this.#deps.settled();
    this.#forget(fresh);
  }

  /**
   * Called after `introduce`: configures the upstreams that existed before, and takes out those no longer named. The
   * latter keep their backends until `retireOthers`.
   */
  configure({ configs, others, revived }: PreparedUpstreams): void {
    const after = new Map<string, UpstreamControl>();
    for (const config of configs) {
      const control = this.#upstreams.get(config.name);
      const prepared = others.get(config.name);
      if (control === undefined) continue;
      if (prepared !== undefined && !revived.has(config.name)) control.configure(config, prepared);
      after.set(config.name, control);
    }
    for (const [name, control] of this.#upstreams) {
      if (after.has(name)) continue;
      this.#leaving.set(name, control);
      this.#needed.add(control);
    }
    this.#upstreams = after;
    // At once, so that the new plans are applied before whatever the caller does next.
    for (const { upstream } of after.values()) upstream.publish();
  }

  /** Called when the listeners have changed: a listener that goes hands over the clients in its queue before. */
  retireOthers(): void {
    for (const control of this.#needed) if (!control.upstream.hasWaiting) control.retire();
    this.#needed.clear();
    this.#sweepSoon();
  }

  /** Begins the health checks: one round at once, then each backend at its interval. */
  start(): void {
    this.#hasStarted = true;
    for (const control of this.#upstreams.values()) control.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelSweep?.();
    for (const control of [...this.#upstreams.values(), ...this.#leaving.values()]) control.stop();
  }

  status(): ReturnType<Upstream['status']>[] {
    return Array.from(this.#upstreams.values(), control => control.status());
  }

  /** In the same order, also their backends. */
  slots(): ReturnType<Upstream['slots']>[] {
    return Array.from(this.#upstreams.values(), ({ upstream }) => upstream.slots());
  }

  /** Throws LB4_UNKNOWN_UPSTREAM or LB4_UNKNOWN_BACKEND, as the methods below do. */
  setState(upstream: string, backend: string, state: OperatorState): void {
    const control = this.#control(upstream);
    control.setState(memberOf(control, backend), state);
  }

  setWeight(upstream: string, backend: string, weight: number): void {
    const control = this.#control(upstream);
    control.setWeight(memberOf(control, backend), weight);
  }

  /** Throws LB4_CONFIG_INVALID for a backend that is a member already, or that cannot be checked as the others are. */
  add(upstream: string, backend: BackendConfig): void {
    const control = this.#control(upstream);
    if (control.upstream.has(backend.id)) {
      throw new Lb4Error('LB4_CONFIG_INVALID', `upstream ${upstream} has the backend ${backend.id} already`);
    }
    expectCheckable(control, backend);
    control.add(backend);
  }

  /**
   * Takes a registration or its heartbeat. Throws LB4_WRONG_STATE where none can be taken, and LB4_CONFIG_INVALID for one
   * that cannot be checked, or lasts for too long.
   */
  register(upstream: string, backend: BackendConfig, ttlMs: number): void {
    const control = this.#control(upstream);
    const { registry } = control;
    if (registry === undefined) {
      const why = `upstream ${upstream} has no discovery source of type registration: no ttl is possible`;
      throw new Lb4Error('LB4_WRONG_STATE', why);
    }
    if (ttlMs > registry.longestMs) {
      const longest = formatDuration(registry.longestMs);
      const why = `ttl: expected at most ${longest}, the ttl of the source of upstream ${upstream}`;
      throw new Lb4Error('LB4_CONFIG_INVALID', why);
    }
    expectCheckable(control, backend);
    if (registry.register(backend, ttlMs) === 'full') {
      const why = `upstream ${upstream} has as many registered backends as it may have (max of its source)`;
      throw new Lb4Error('LB4_WRONG_STATE', why);
    }
    // An operator has removed one that the configuration names, too.
    if (!control.upstream.has(backend.id)) control.add(backend);
  }

  /** A backend that has registered itself does not count as removed by an operator: it may register again. */
  remove(upstream: string, backend: string, options: { readonly resetSessions: boolean }): void {
    const control = this.#control(upstream);
    const id = memberOf(control, backend);
    control.remove(id, options);
    control.registry?.unregister(id);
  }

  /** See `Upstream.counted`. */
  countedBy(upstream: string): Iterable<readonly [backend: string, slot: number]> {
    return this.#upstream(upstream)?.counted() ?? [];
  }

  /** Takes a report about a backend or a queue. The report may be late, so what it names may have gone. */
  hear(event: UpstreamEvent): void {
    this.#upstream(event.upstream)?.hear(event);
  }

  #upstream(name: string): Upstream | undefined {
    return (this.#upstreams.get(name) ?? this.#leaving.get(name))?.upstream;
  }

  async #untilResolved(controls: readonly UpstreamControl[]): Promise<void> {
    const first = controls.map(control => control.resolve());
    let cancelTimer: (() => void) | undefined;
    const longEnough = new Promise<void>(resolve => {
      cancelTimer = this.#deps.setTimer(resolve, FIRST_RESOLUTION_MS);
    });
    await Promise.race([Promise.all(first), longEnough]);
    cancelTimer?.();
  }

  /** Brings an upstream back that was taken out and is not gone yet, with the sessions it has. */
  #revive(config: PlannedUpstream, others: PreparedUpstreams['others']): UpstreamControl | undefined {
    const control = this.#leaving.get(config.name);
    const prepared = others.get(config.name);
    if (control === undefined || prepared === undefined) return undefined;
    this.#leaving.delete(config.name);
    this.#needed.delete(control);
    control.configure(config, prepared);
    return control;
  }

  /** Throws LB4_CONFIG_INVALID and LB4_TOO_MANY_SLOTS, and then holds no slot. */
  #create(config: PlannedUpstream): UpstreamControl {
    try {
      return new UpstreamControl(config, this.#deps);
    } catch (error) {
      this.#freeSlots(config, []);
      throw error;
    }
  }

  /** For upstreams that have never had a session. */
  #forget(controls: PreparedUpstreams['fresh']): void {
    for (const control of controls.values()) {
      control.stop();
      // An operator may have added and removed backends.
      this.#freeSlots(control.config, control.upstream.ids);
    }
  }

  #freeSlots({ name, backends }: PlannedUpstream, ids: readonly string[]): void {
    const { shared } = this.#deps;
    for (const id of [...backends.map(backend => backend.id), ...ids]) shared.freeBackend(name, id);
    shared.freeUpstream(name);
  }

  /** An upstream keeps its backends while sessions wait for one of them. */
  #retire(name: string, control: UpstreamControl): void {
    this.#leaving.set(name, control);
    if (!control.upstream.hasWaiting) control.retire();
  }

  #sweepSoon(): void {
    if (this.#leaving.size === 0 || this.#isStopped) return;
    this.#cancelSweep ??= this.#deps.setTimer(() => {
      this.#cancelSweep = undefined;
      void this.#sweep();
    }, SWEEP_MS);
  }

  /** Forgets the leaving upstreams of which nothing is left. */
  async #sweep(): Promise<void> {
    const deps = this.#deps;
    const leaving = [...this.#leaving].filter(([, control]) => !this.#needed.has(control));
    for (const [, control] of leaving)
      if (control.upstream.ids.length > 0 && !control.upstream.hasWaiting) control.retire();
    const gone = leaving.filter(([, { upstream }]) => upstream.isGone);
    for (const [name] of gone) deps.remove(name);
    if (gone.length > 0) await deps.settled();
    for (const [name, control] of gone) {
      // The upstream may be back by now.
      if (this.#leaving.get(name) !== control || this.#isStopped) continue;
      this.#leaving.delete(name);
      control.stop();
      deps.shared.freeUpstream(name);
    }
    this.#sweepSoon();
  }

  #control(name: string): UpstreamControl {
    const control = this.#upstreams.get(name);
    if (control !== undefined) return control;
    const known = [...this.#upstreams.keys()].join(', ');
    throw new Lb4Error('LB4_UNKNOWN_UPSTREAM', `no upstream is named "${name}"; there are ${known}`);
  }
}

function expectCheckable(
  { config: { name, health, agent } }: UpstreamControl,
  { id, address }: BackendConfig,
): void {
  if (address.kind !== 'unix' || (health.port ?? agent?.port) === undefined) return;
  const why = `upstream ${name} is checked at a port, and a unix socket has none`;
  throw new Lb4Error('LB4_CONFIG_INVALID', `cannot add ${id}: ${why}`);
}

/** The identity of a backend that an operator names, whichever form of its address the operator uses. */
function memberOf({ config, upstream }: UpstreamControl, backend: string): string {
  const parsed = parseAddress(backend);
  const id = parsed.ok ? formatAddress(parsed.address) : backend;
  if (upstream.has(id)) return id;
  throw new Lb4Error('LB4_UNKNOWN_BACKEND', `upstream ${config.name} has no backend ${backend}`);
}
