/**
 * A fleet of workers with two groups, directed by plans of the test's own: what needs TLS is said by them alone, so that
 * plain clients show what is served where.
 */
import type { Test } from 'tap';
import { groupsOf } from '../../src/host/build-data-plane.ts';
import type { FleetDeps } from '../../src/host/fleet-settings.ts';
import { WorkerFleet } from '../../src/host/worker-fleet.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import type { HostEvent } from '../../src/model/data-event.ts';
import type { ListenerPlan, ListenersPlan } from '../../src/model/listener-plan.ts';
import type { UpstreamPlan } from '../../src/model/upstream-plan.ts';
import { ControlledState } from '../../src/shared-memory/shared-state.ts';
import { formatAddress, parseAddress, type Address } from '../../src/support/address.ts';
import { setKeepingTimer } from '../../src/support/timer.ts';
import { backendPlan, listenerAt, upstreamPlan } from './plans.ts';
import { until } from './until.ts';

/** Not used by anything that takes an ephemeral port: the plan names it again in each reload. */
const ANY_PORT = '127.0.0.1:0';

export class Fleet {
  readonly shared: ControlledState;
  readonly host: WorkerFleet;
  readonly events: HostEvent[] = [];
  readonly #slot: number;

  constructor(t: Test, workers: number, deps: Partial<FleetDeps> = {}) {
    const loaded = loadLibc();
    if (!loaded.ok) throw new Error(loaded.reason);
    const groups = groupsOf({ engine: 'epoll', workers });
    const mostWorkers = groups.length * workers;
    this.shared = new ControlledState({ workers, mostWorkers, slots: 64 });
    this.#slot = this.shared.slotOfInstance();
    const settings = {
      ...{ groups, workers, slot: this.#slot, waitingLimit: undefined },
      ...{ descriptors: 4_096, stallTimeoutMs: Infinity },
    };
    const now = (): number => performance.now();
    this.host = new WorkerFleet(
      settings,
      {
        ...{ libc: loaded.libc, shared: this.shared, now, setTimer: setKeepingTimer },
        threadLimits: () => ({ cgroup: undefined, user: undefined }),
        ...deps,
      },
      event => this.events.push(event),
    );
    t.teardown(async () => {
      this.host.abortSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
      await this.host.stopListening();
      await this.host.close();
    });
  }

  upstream(name: string, backends: readonly Address[], plan: Partial<UpstreamPlan> = {}): UpstreamPlan {
    const plans = backends.map(address => {
      const id = formatAddress(address);
      return backendPlan(id, this.backendSlot(name, address), { addresses: [address] });
    });
    const slots = [this.shared.slotOfQueue(name), ...plans.map(({ slot }) => slot)];
    const counters = this.shared.controlled.chunksOf(slots);
    return upstreamPlan(name, { backends: plans, counters, ...plan }, this.shared);
  }

  backendSlot(upstream: string, address: Address): number {
    return this.shared.slotOfBackend(upstream, formatAddress(address)).index;
  }

  /** At a port of its own, which it keeps. */
  listener(name: string, plan: Partial<ListenerPlan> = {}): ListenerPlan {
    const { bind, ...rest } = listenerAt(name, ANY_PORT);
    const points = bind.map(point => ({ ...point, key: name }));
    return { ...rest, bind: points, slot: this.shared.slotOfListener(name), ...plan };
  }

  async listen(
    listeners: readonly ListenerPlan[],
    {
      upstreams = [],
      maxSessions = Infinity,
    }: { upstreams?: readonly UpstreamPlan[]; maxSessions?: number } = {},
  ): Promise<void> {
    const counters = this.shared.controlled.chunksOf([this.#slot, ...listeners.map(({ slot }) => slot)]);
    const plan: ListenersPlan = { limits: { maxSessions }, slot: this.#slot, listeners, counters };
    await this.host.bind(plan, () => undefined);
    await this.host.listen(plan, upstreams);
  }

  addressOf(listener: string): Address {
    const view = this.host.listeners().find(({ name }) => name === listener);
    const parsed = parseAddress(view?.addresses[0] ?? '');
    if (!parsed.ok) throw new Error(`${listener} listens nowhere`);
    return parsed.address;
  }

  engines(): readonly string[] {
    return this.host.workers().map(({ engine }) => engine);
  }

  /** Of each group: sessions that have begun there. */
  sessionsEverOf(engine: string): number {
    return this.host
      .workers()
      .filter(each => each.engine === engine)
      .reduce((sum, { sessionsEver }) => sum + sessionsEver, 0);
  }

  async untilSessions(count: number): Promise<void> {
    await until(`${count} sessions`, () => this.host.sessions === count);
  }
}
