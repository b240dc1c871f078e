/**
 * The control plane: everything slow about the upstreams. Names, health, ejection, what operators want, and the
 * snapshots that follow.
 *
 * Place: built by `load-balancer.ts` beside the data plane, which it feeds with snapshots and hears of. Nothing here
 * stands between a client and its backend.
 */
import type { BackendConfig, UpstreamConfig } from './config/schema.ts';
import { Lb4Error } from './errors.ts';
import { formatAddress, parseAddress } from './support/address.ts';
import type { OperatorState } from './upstream/eligibility.ts';
import { UpstreamControl, type UpstreamControlDeps } from './upstream/upstream-control.ts';
import type { Upstream, UpstreamEvent } from './upstream/upstream.ts';

/** Longest that the start waits for names to be resolved; later answers are taken as they come. */
const FIRST_RESOLUTION_MS = 750;

export type ControlPlaneDeps = UpstreamControlDeps;

export class ControlPlane {
  readonly #upstreams: ReadonlyMap<string, UpstreamControl>;

  constructor(upstreams: readonly UpstreamConfig[], deps: ControlPlaneDeps) {
    this.#upstreams = new Map(upstreams.map(config => [config.name, new UpstreamControl(config, deps)]));
  }

  /** Resolves configured names, waiting a while for the first answers, and publishes the first snapshots. */
  async prepare(): Promise<void> {
    const first = [...this.#upstreams.values()].map(control => control.resolve());
    let timer: NodeJS.Timeout | undefined;
    const longEnough = new Promise<void>(resolve => {
      timer = setTimeout(resolve, FIRST_RESOLUTION_MS);
    });
    await Promise.race([Promise.all(first), longEnough]);
    clearTimeout(timer);
    for (const { upstream } of this.#upstreams.values()) upstream.publish();
  }

  /** Begins the health checks: one round at once, then each backend at its interval. */
  start(): void {
    for (const control of this.#upstreams.values()) control.start();
  }

  stop(): void {
    for (const control of this.#upstreams.values()) control.stop();
  }

  status(): ReturnType<Upstream['status']>[] {
    return Array.from(this.#upstreams.values(), ({ upstream }) => upstream.status());
  }

  /** Throws LB4_UNKNOWN_UPSTREAM or LB4_UNKNOWN_BACKEND, as the others below do. */
  setState(upstream: string, backend: string, state: OperatorState): void {
    const control = this.#control(upstream);
    control.setState(memberOf(control, backend), state);
  }

  setWeight(upstream: string, backend: string, weight: number): void {
    const control = this.#control(upstream);
    control.upstream.setWeight(memberOf(control, backend), weight);
  }

  /** Throws LB4_CONFIG_INVALID for one that is a member already, or that cannot be checked as the others are. */
  add(upstream: string, backend: BackendConfig): void {
    const control = this.#control(upstream);
    const { health, agent } = control.config;
    if (control.upstream.has(backend.id)) {
      throw new Lb4Error('LB4_CONFIG_INVALID', `upstream ${upstream} has the backend ${backend.id} already`);
    }
    if (backend.address.kind === 'unix' && (health.port ?? agent?.port) !== undefined) {
      const why = `upstream ${upstream} is checked at a port, and a unix socket has none`;
      throw new Lb4Error('LB4_CONFIG_INVALID', `cannot add ${backend.id}: ${why}`);
    }
    control.add(backend);
  }

  remove(upstream: string, backend: string, options: { readonly resetSessions: boolean }): void {
    const control = this.#control(upstream);
    control.remove(memberOf(control, backend), options);
  }

  /** See `Upstream.counted`. */
  countedBy(upstream: string): Iterable<readonly [backend: string, slot: number]> {
    return this.#upstream(upstream)?.counted() ?? [];
  }

  /** What data planes report of backends and queues. It may be late, so what it names may have gone. */
  hear(event: UpstreamEvent): void {
    this.#upstream(event.upstream)?.hear(event);
  }

  #upstream(name: string): Upstream | undefined {
    return this.#upstreams.get(name)?.upstream;
  }

  #control(name: string): UpstreamControl {
    const control = this.#upstreams.get(name);
    if (control !== undefined) return control;
    const known = [...this.#upstreams.keys()].join(', ');
    throw new Lb4Error('LB4_UNKNOWN_UPSTREAM', `no upstream is named "${name}"; there are ${known}`);
  }
}

/** The identity of a backend that an operator names, in whichever way its address is written. */
function memberOf({ config, upstream }: UpstreamControl, backend: string): string {
  const parsed = parseAddress(backend);
  const id = parsed.ok ? formatAddress(parsed.address) : backend;
  if (upstream.has(id)) return id;
  throw new Lb4Error('LB4_UNKNOWN_BACKEND', `upstream ${config.name} has no backend ${backend}`);
}
