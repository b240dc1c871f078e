/**
 * Control, data planes and mirror of one balancer, and how they take over a configuration.
 *
 * Place: made by `load-balancer.ts` at the start, empty; the first configuration is applied like every later one.
 * Order: steps that may fail come first and change nothing (`#prepare`). Then come new upstreams, listeners, upstreams
 * that change, and last those that go: so no listener ever names an upstream that its data plane does not know.
 * Invariant: a configuration takes effect whole or not at all.
 */
import { ConfigError } from '../config/report/config-error.ts';
import type { Config } from '../config/schema/schema.ts';
import { unknownOwners } from '../config/checks/socket-owners.ts';
import { countEvents } from '../control/count-events.ts';
import { counterView } from '../control/counter-view.ts';
import { ControlPlane, type PreparedUpstreams } from '../control/control-plane.ts';
import {
  createDataPlane,
  type Clocks,
  type DataPlaneMaking,
  type SessionLimits,
} from '../host/build-data-plane.ts';
import type { Events } from '../model/events.ts';
import type { Inheritance } from '../model/inheritance.ts';
import { LeavingListeners } from '../control/leaving-listeners.ts';
import type { LoadedTls } from '../control/tls/load-tls.ts';
import { bindByAddress } from '../control/bind-by-address.ts';
import { listenersPlan, without, withTls } from '../control/listener-plans.ts';
import type { CounterView, CountsKind } from '../model/counter-view.ts';
import type { MirrorView } from '../model/snapshot.ts';
import type { HostReport } from '../model/data-event.ts';
import type { ListenersPlan } from '../model/listener-plan.ts';
import type { UpstreamPlan } from '../model/upstream-plan.ts';
import type { Lookup } from '../names/names.ts';
import type { PassedSocket } from '../support/socket.ts';
import { inSlices } from '../support/slices.ts';
import { readSmallFile } from '../support/small-file.ts';
import { setUnrefTimer, stayAlive } from '../support/timer.ts';
import { withClientTls } from '../control/upstream/upstream-settings.ts';
import { accessPlans } from './access-lists.ts';
import { reportAnswers } from './answers.ts';
import { followChanges, operatorChanges } from './operator-changes.ts';
import { socketProblems } from './socket-problems.ts';
import { Mirrors, type NextMirror } from './mirrors.ts';
import { withStrategyVersion } from './strategy-version.ts';
import { StopWhenDown } from './stop-when-down.ts';
import { TlsKeeper } from './tls-keeper.ts';

export interface PlanesDeps {
  readonly clocks: Clocks;
  readonly events: Events;
  readonly baseDir: string;
  readonly lookup: Lookup;
  /** Receives what the data planes report. */
  readonly report: HostReport;
  /** Things that can have a slot in shared memory at a time. */
  readonly slots?: number | undefined;
  /** Listening sockets that the service manager has passed. */
  readonly passed?: readonly PassedSocket[] | undefined;
  /** What the predecessor leaves. */
  readonly inheritance?: Inheritance | undefined;
  /** Unpredictable. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** See `StopWhenDownDeps`. */
  whenIdle(work: () => Promise<void>): Promise<void>;
}

/** A configuration that is ready to take effect. */
interface Prepared {
  readonly limits: SessionLimits;
  readonly listeners: ListenersPlan;
  readonly upstreams: PreparedUpstreams;
  readonly mirror: NextMirror;
  readonly tls: LoadedTls;
}

export class Planes {
  readonly control: ControlPlane;
  readonly data: DataPlaneMaking['data'];
  readonly choice: DataPlaneMaking['choice'];
  readonly tls: TlsKeeper;
  readonly #making: DataPlaneMaking;
  readonly #deps: PlanesDeps;
  readonly #leaving: LeavingListeners;
  readonly #mirrors: Mirrors;
  readonly #stops: StopWhenDown;
  /** Whether plans are made for counts that are shared. */
  #isMirrored = false;
  #config: Config;
  #limits: SessionLimits;
  #applied: Prepared | undefined;
  /** Collects the plans that are to go with the listeners; undefined: plans go out at once. */
  #held: UpstreamPlan[] | undefined;

  /**
   * Opens nothing yet, and serves no client before `apply`. Throws LB4_ENGINE_UNAVAILABLE.
   * @param config gives what cannot change later: engine and workers
   */
  constructor(config: Config, deps: PlanesDeps) {
    const { clocks, events, baseDir, lookup } = deps;
    const making = createDataPlane(config, clocks, deps.report, {
      slots: deps.slots,
      given: { passed: deps.passed, handed: deps.inheritance?.sockets },
    });
    const { data, shared, engine } = making;
    this.#making = making;
    this.#deps = deps;
    this.#config = config;
    this.#limits = making.limitsOf(config);
    this.data = data;
    this.choice = making.choice;
    this.#leaving = new LeavingListeners({
      shared,
      setTimer: setUnrefTimer,
      settled: () => data.settled(),
      leftListeners: () => data.leftListeners(),
    });
    this.control = new ControlPlane({
      ...{ engine, baseDir, lookup, shared, events },
      random: () => clocks.random(),
      now: () => clocks.now(),
      wallClock: () => clocks.wallClock(),
      setTimer: setUnrefTimer,
      isMirrored: () => this.#isMirrored,
      publish: upstream => {
        if (this.#held === undefined) data.apply({ kind: 'upstream', upstream });
        else this.#held.push(upstream);
      },
      onBackends: (upstream, hasBackend) => this.#stops.follow(upstream, hasBackend),
      remove: name => data.apply({ kind: 'upstreamGone', name }),
      settled: () => data.settled(),
    });
    countEvents(events, shared);
    this.#stops = new StopWhenDown(deps.inheritance !== undefined, {
      ...{ events, setTimer: setUnrefTimer, stayAlive },
      listen: stopped => this.#listenBut(stopped),
      addressesOf: listener => data.listeners().find(({ name }) => name === listener)?.addresses ?? [],
      whenIdle: work => deps.whenIdle(work),
    });
    this.tls = new TlsKeeper({
      ...{ baseDir, events, clocks, randomBytes: deps.randomBytes, setTimer: setUnrefTimer },
      renew: tls => this.#renewTls(tls),
      whenIdle: work => deps.whenIdle(work),
    });
    this.#mirrors = new Mirrors({
      ...{ events, baseDir, lookup, shared },
      random: () => clocks.random(),
      now: () => clocks.now(),
      countedBy: upstream => this.control.countedBy(upstream),
    });
  }

  /** The configuration applied last. */
  get config(): Config {
    return this.#config;
  }

  get limits(): SessionLimits {
    return this.#limits;
  }

  /** What was counted so far. */
  counters(kind: CountsKind): CounterView {
    const counted = { listeners: this.data.listeners(), upstreams: this.control.slots() };
    return counterView(counted, this.#making.shared, kind);
  }

  mirror(): MirrorView | undefined {
    return this.#mirrors.view();
  }

  /**
   * Takes over a configuration. Rejects with LB4_CONFIG_INVALID, LB4_STRATEGY_INVALID, LB4_LISTEN_FAILED,
   * LB4_ENGINE_UNAVAILABLE, LB4_TOO_MANY_SLOTS or LB4_WORKER_FAILED, and then the one before goes on.
   * @param expectNotStopped throws when the balancer is being stopped
   */
  async apply(config: Config, expectNotStopped: () => void): Promise<void> {
    const { data, control } = this;
    const prepared = await this.#prepare(config);
    let stopped: ReadonlySet<string>;
    let listeners: ListenersPlan;
    try {
      expectNotStopped();
      await control.introduce(prepared.upstreams);
      if (this.#applied === undefined) followChanges(control, this.#deps.inheritance?.changes ?? []);
      await data.settled();
      stopped = this.#stops.of(config);
      listeners = without(prepared.listeners, stopped);
      await data.bind(listeners, expectNotStopped);
    } catch (error) {
      await control.discard(prepared.upstreams);
      prepared.mirror.discard();
      this.#forgetListenersOf(config);
      this.#isMirrored = this.#config.redis !== undefined;
      throw error;
    }
    // Before the pickers are made that share no more: counts that were received last must not stay with them.
    this.#mirrors.pause(prepared.mirror);
    try {
      await data.listen(listeners, this.#configure(prepared.upstreams));
    } catch (error) {
      // Only where the engine binds by itself.
      prepared.mirror.discard();
      await this.#goBack();
      this.#mirrors.follow(this.#config);
      this.#forgetListenersOf(config);
      throw error;
    }
    this.control.retireOthers();
    this.#keepClientTables(prepared.listeners);
    this.#leaving.follow(this.#config, config);
    this.#applied = prepared;
    this.#config = config;
    this.#limits = prepared.limits;
    this.#mirrors.take(prepared.mirror, config);
    reportAnswers(config, this.#making.silence, this.#deps.events);
    this.tls.took(config, prepared.tls);
    this.#stops.took(config, stopped);
  }

  /** The configuration applied last, but for these listeners. Rejects with LB4_LISTEN_FAILED, and nothing has changed. */
  async #listenBut(stopped: ReadonlySet<string>): Promise<void> {
    const { data } = this;
    const plan = this.#applied?.listeners;
    if (plan === undefined) return;
    const listeners = without(plan, stopped);
    await data.bind(listeners, () => undefined);
    try {
      await data.listen(listeners, []);
    } catch (error) {
      // Only where the engine binds by itself.
      await data.listen(without(plan, this.#stops.stopped), []);
      throw error;
    }
  }

  /** Sessions that begin from now on get these settings of TLS; nothing else changes. */
  async #renewTls(tls: LoadedTls): Promise<void> {
    const before = this.#applied;
    if (before === undefined) return;
    const upstreams = this.control.prepare(withClientTls(before.upstreams.configs, tls));
    const listeners = withTls(before.listeners, this.tls.serverSettings(tls));
    this.control.configure(upstreams);
    this.#applied = { ...before, tls, listeners, upstreams };
    await this.#listenBut(this.#stops.stopped);
  }

  /** Changes upstreams in control. The plans that follow are held back, so that they go with the listeners. */
  #configure(upstreams: PreparedUpstreams): readonly UpstreamPlan[] {
    const plans: UpstreamPlan[] = [];
    this.#held = plans;
    try {
      this.control.configure(upstreams);
    } finally {
      this.#held = undefined;
    }
    return plans;
  }

  /** To the configuration that was applied last. */
  async #goBack(): Promise<void> {
    const before = this.#applied;
    if (before === undefined) return;
    this.#isMirrored = this.#config.redis !== undefined;
    const upstreams = this.control.prepare(before.upstreams.configs);
    await this.control.introduce(upstreams);
    await this.data.listen(without(before.listeners, this.#stops.stopped), this.#configure(upstreams));
    this.control.retireOthers();
  }

  /** For a successor; undefined where data planes bind by themselves. */
  toHandOver(): Inheritance | undefined {
    const sockets = this.data.toHandOver();
    return sockets && { sockets, changes: operatorChanges(this.control.status()) };
  }

  /** The successor has taken the sockets with these keys, and the name in Redis. */
  handedOver(keys: readonly string[]): void {
    this.data.handedOver(keys);
    this.#stops.stop();
    this.#mirrors.stepAside();
  }

  /** The predecessor has let go: what was taken over is this process's own now. */
  own(): void {
    this.data.own();
    this.#stops.release();
  }

  /** Begins health checks and sharing. */
  start(): void {
    this.control.start();
    this.#mirrors.start();
    this.#stops.recheck();
  }

  /** Ends health checks and sharing; data planes go on. */
  stop(): void {
    this.control.stop();
    this.#stops.stop();
    this.tls.stop();
    this.#leaving.stop();
  }

  /** Takes this instance's counts out of Redis, as far as that answers in time. */
  stopSharing(): Promise<void> {
    return this.#mirrors.stop();
  }

  /** Every step that may fail; nothing takes effect. */
  async #prepare(config: Config): Promise<Prepared> {
    const problems = [...unknownOwners(config.listeners), ...socketProblems(config)];
    if (problems.length > 0) throw new ConfigError(problems);
    const { lookup, baseDir } = this.#deps;
    // From now on the slots of these listeners are not given away.
    this.#leaving.keep(config);
    let mirror: NextMirror | undefined;
    try {
      const limits = this.#making.limitsOf(config);
      const bound = await bindByAddress(config, lookup);
      const tls = await this.tls.load(config);
      const strategies = config.upstreams.map(each => withStrategyVersion(each, baseDir));
      const configs = withClientTls(await Promise.all(strategies), tls);
      const access = await inSlices(accessPlans(config.listeners, { baseDir, readFile: readSmallFile }));
      const plans = { access, tls: this.tls.serverSettings(tls) };
      const listeners = listenersPlan(bound, this.#making.shared, limits.maxSessions, plans);
      mirror = await this.#mirrors.prepare(config);
      this.#isMirrored = config.redis !== undefined;
      return { limits, listeners, mirror, tls, upstreams: this.control.prepare(configs) };
    } catch (error) {
      mirror?.discard();
      this.#isMirrored = this.#config.redis !== undefined;
      this.#forgetListenersOf(config);
      throw error;
    }
  }

  #keepClientTables({ listeners }: ListenersPlan): void {
    for (const { name, limits } of listeners)
      this.#making.shared.keepClientTables(
        name,
        [limits.perClient, limits.perNetwork].flatMap(each => each?.table ?? []),
      );
  }

  /** New listeners have a slot already, but will not be opened: their slots are given back. */
  #forgetListenersOf(config: Config): void {
    this.#leaving.follow(config, this.#config);
  }
}
