/**
 * The composition root and the library's one object: builds control and data plane from a configuration, starts,
 * drains, stops and describes them, and takes the changes of operators.
 *
 * Place: used by programs (`import … from 'lb4-balancer'`) and by the command line alike. It, log.ts and
 * the program of a worker are the only files of the library that name the real clock and the real randomness.
 * States: new → starting → running → (leaving →) draining → stopped; to start again, create another one.
 */
import type { CounterView, CountsKind } from './model/counter-view.ts';
import type { LoadBalancerSnapshot, LoadBalancerState } from './model/snapshot.ts';
import { OPERATOR_STATES, type OperatorState } from './model/words.ts';
import { performance } from 'node:perf_hooks';
import { expectSame } from './config/checks/needs-restart.ts';
import type { BackendInput, Config, ConfigInput } from './config/schema/schema.ts';
import type { ControlPlane } from './control/control-plane.ts';
import type { DataPlaneHost } from './host/data-plane-host.ts';
import { Lb4Error } from './errors.ts';
import { Events, type EventMap, type EventName } from './model/events.ts';
import { Delay, endSessions } from './composition/drain.ts';
import { InTurn } from './composition/in-turn.ts';
import { expectWeight, parsedBackend, parsedConfig } from './composition/parsed.ts';
import type { LoadBalancerOptions } from './composition/load-balancer-options.ts';
import { Succession } from './composition/succession.ts';
import { tellShortage } from './composition/shortage.ts';
import { snapshotOf } from './composition/snapshot.ts';
import type { SessionQuery, SessionView } from './model/session-view.ts';
import { Names } from './names/names.ts';
import { atExit } from './support/at-exit.ts';
import { buildPlanes } from './composition/build-planes.ts';
import { Pauses } from './composition/pauses.ts';
import type { Planes } from './composition/planes.ts';
import type { Inheritance } from './model/inheritance.ts';
import { setKeepingTimer } from './support/timer.ts';

export type { LoadBalancerOptions };

/**
 * Builds a load balancer; nothing is opened before `start`.
 * @param config as in the configuration file; durations may also be numbers of milliseconds
 * @throws Lb4Error `LB4_CONFIG_INVALID` naming every problem
 */
export function createLoadBalancer(config: ConfigInput, options: LoadBalancerOptions = {}): LoadBalancer {
  return new LoadBalancer(parsedConfig(config), options);
}

export class LoadBalancer {
  #config: Config;
  readonly #options: LoadBalancerOptions & { readonly baseDir: string };
  readonly #names = new Names();
  #state: LoadBalancerState = 'new';
  #starting: Promise<void> | undefined;
  /** A start must not let clients in any more. */
  #isLeaving = false;
  readonly #changes = new InTurn();
  #planes: Planes | undefined;
  #isCounting = false;
  readonly #events = new Events();
  readonly #pauses = new Pauses(this.#events, () => performance.now());
  readonly #succession = new Succession();
  readonly #delay = new Delay();
  /** Cancels what has to happen at the exit of the process. */
  #leaveExit: () => void = () => undefined;

  /** @internal For the command line, which has parsed its configuration already. */
  constructor(config: Config, options: LoadBalancerOptions = {}) {
    this.#config = config;
    this.#options = { ...options, baseDir: options.baseDir ?? process.cwd() };
  }

  get state(): LoadBalancerState {
    return this.#state;
  }

  /** Subscribes to an event; returns the unsubscriber. */
  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * @internal While no subscriber can use records of sessions, sessions that end are only counted: `session:unrecorded`
   * is emitted instead of `session:closed`.
   */
  countSessions(isCounting: boolean): void {
    this.#isCounting = isCounting;
    if (this.#planes !== undefined) this.#record(this.#planes.data);
  }

  /**
   * Loads strategies, resolves names, binds listeners, begins health checks.
   *
   * Rejects with `LB4_STRATEGY_INVALID`, `LB4_LISTEN_FAILED`, `LB4_ENGINE_UNAVAILABLE` or `LB4_WORKER_FAILED`, with `LB4_CONFIG_INVALID`
   * when a file that checks or `redis` need cannot be read, or with `LB4_WRONG_STATE` when it was started before or is stopped
   * meanwhile; nothing is left open then.
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') throw new Lb4Error('LB4_WRONG_STATE', `cannot start: it is ${this.#state}`);
    this.#state = 'starting';
    this.#starting = this.#start();
    try {
      await this.#starting;
    } catch (error) {
      // A stop ends whatever the start waits for.
      const isStopped = this.#isLeaving || this.state === 'stopped';
      await this.stop();
      if (isStopped) throw new Lb4Error('LB4_WRONG_STATE', 'stopped before it had started', { cause: error });
      throw error;
    }
  }

  /**
   * Takes over another configuration while it runs: listeners, upstreams, backends, limits, timeouts, strategies, pools,
   * queues, checks, sharing through Redis. What does not change keeps its sessions, counts, health, ejection, ramps, the
   * position of its strategy, remembered clients and warm connections. Sessions keep the timeouts that they began with,
   * and a limit that is lowered cuts none of them. Listeners and upstreams change in one step; sessions that wait for an
   * upstream which goes still get their place there. What was changed by the methods below stays, unless the new
   * configuration changes that very key.
   * Calls follow each other, and wait for every worker; one that stands still is waited for until it moves or is ended
   * (`workerStallTimeout`). Rejects with `LB4_CONFIG_INVALID`, `LB4_STRATEGY_INVALID`, `LB4_LISTEN_FAILED` or
   * `LB4_TOO_MANY_SLOTS`, with `LB4_NEEDS_RESTART` for another `engine`, `workers` or `workerStallTimeout`, and
   * with `LB4_WRONG_STATE` unless it is running; then the configuration before goes on, untouched.
   * @param config as in the configuration file; `log` is for the command line
   */
  async apply(config: ConfigInput): Promise<void> {
    await this.applyChecked(parsedConfig(config));
  }

  /** @internal `apply` for the command line, which has parsed its configuration already. */
  async applyChecked(config: Config): Promise<void> {
    await this.#changes.run(() => this.#apply(config));
  }

  /**
   * Takes clients for `drain.delay` more, in the state `leaving`; then takes no more, lets sessions end by themselves,
   * resets those that outlast the time (`drain.spread`), and stops.
   * During a start it stops before a client is let in, or drains the sessions of clients that were.
   *
   * @param timeoutMs default: the configuration's `drainTimeout`; Infinity: no limit
   */
  async drain(timeoutMs: number = this.#config.drainTimeout): Promise<void> {
    if (this.#state === 'starting' && !(await this.#endStart())) return;
    const planes = this.#planes;
    if (this.#state !== 'running' || planes === undefined) {
      throw new Lb4Error('LB4_WRONG_STATE', `cannot drain: it is ${this.#state}`);
    }
    if (!(timeoutMs >= 0))
      throw new RangeError(`a drain's time is a number of milliseconds, not ${timeoutMs}`);
    const { delay, spread } = this.#config.drain;
    if (delay > 0 && !this.#delay.isCut && !this.#succession.isDone) await this.#leave(delay);
    if (this.state !== 'stopped') {
      this.#state = 'draining';
      this.#events.emit('drain:started', { sessions: planes.data.sessions, timeoutMs });
      await endSessions(planes.data, { timeoutMs, spread }, this.#changes.over, setKeepingTimer);
      this.#events.emit('drain:ended', { aborted: planes.data.sessionsAborted });
    }
    await this.stop();
  }

  /** @internal After a defect: control decides nothing more, and a drain begins without its delay; one that runs goes on. */
  retire(): { readonly ended: Promise<void>; readonly withinMs: number } {
    this.#changes.giveUp(setKeepingTimer);
    this.#delay.cut();
    this.#planes?.stop();
    const ended = this.#state === 'running' ? this.drain() : new Promise<void>(() => undefined);
    return { ended, withinMs: this.#config.drainTimeout };
  }

  /**
   * @internal Hands its listening sockets over to another process; a drain is to follow. Until then configurations wait,
   * and operators' changes are refused.
   * @param start starts that process, and resolves with the keys of the sockets that it has taken
   * Rejects with LB4_WRONG_STATE, LB4_ENGINE_UNAVAILABLE and as `start` does; then nothing has changed.
   */
  async handOver(start: (inheritance: Inheritance) => Promise<readonly string[]>): Promise<void> {
    await this.#changes.run(() => this.#succession.run(this.#state, this.#planes, start));
  }

  /** @internal The keys of the sockets that it has taken over; the rest of the inheritance is given up. */
  takenOver(): readonly string[] {
    return this.#planes?.data.takenOver() ?? [];
  }

  /** @internal The predecessor has let go: what was taken over is its own now. */
  own(): void {
    this.#planes?.own();
  }

  /** Closes everything and resets every session now, also during a start or a drain. Idempotent. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#delay.cut();
    this.#names.close();
    // A start that is under way notices, and ends by itself.
    await this.#starting?.catch(() => undefined);
    // A configuration that is being taken over may wait for a worker that stands still, which this ends.
    this.#endSessions();
    await this.#changes.over;
    if (this.#planes === undefined) return;
    this.#endSessions();
    const planes = this.#planes;
    const { data } = planes;
    await data.stopListening();
    data.closePools();
    await data.whenEmpty();
    await Promise.all([data.close(), planes.stopSharing()]);
    this.#leaveExit();
  }

  /**
   * Lets a backend get new sessions (`ready`) or not: `drain` keeps its sessions and its checks, `maint` keeps its
   * sessions, unless `whenDown` is `reset`, and ends its checks. Its agent's state counts as well where it is stricter.
   *
   * This and the following methods take effect within the turn, and throw `LB4_WRONG_STATE` unless it is running or
   * draining, `LB4_UNKNOWN_UPSTREAM` and `LB4_UNKNOWN_BACKEND`.
   *
   * @param backend its configured address
   */
  setBackendState(upstream: string, backend: string, state: OperatorState): void {
    if (!OPERATOR_STATES.includes(state)) {
      throw new RangeError(`the state of a backend is one of ${OPERATOR_STATES.join(', ')}, not ${state}`);
    }
    this.#control().setState(upstream, backend, state);
  }

  /** Gives a backend another weight: 0 to 256, 0 for no new sessions. Throws `LB4_CONFIG_INVALID` for other values. */
  setBackendWeight(upstream: string, backend: string, weight: number): void {
    expectWeight(weight);
    this.#control().setWeight(upstream, backend, weight);
  }

  /**
   * Adds a backend; one that was removed before still has its remaining sessions.
   * @param backend as in the configuration file: `10.0.0.1:80`, `10.0.0.1:80@2` or a mapping
   * @param options.ttlMs registers it for this long, where `discovery` has a source `registration`; again: a heartbeat
   * @throws Lb4Error also `LB4_CONFIG_INVALID`, naming every problem, and without `ttlMs` for one that is there already
   */
  addBackend(upstream: string, backend: BackendInput, { ttlMs }: { ttlMs?: number | undefined } = {}): void {
    if (ttlMs === undefined) this.#control().add(upstream, parsedBackend(backend));
    else this.#control().register(upstream, parsedBackend(backend), ttlMs);
  }

  /**
   * Removes a backend: it gets no new sessions, and is shown as `removed` while it has old ones. The last backend can
   * be removed, too; the upstream is down then.
   *
   * @param options.resetSessions whether its sessions are reset instead of running on; default false
   */
  removeBackend(upstream: string, backend: string, options: { resetSessions?: boolean } = {}): void {
    this.#control().remove(upstream, backend, { resetSessions: options.resetSessions === true });
  }

  /** Sessions that match, in no order, by default at most 1,000. A worker that does not respond is not asked. */
  async sessions({ limit = 1_000, ...filter }: Partial<SessionQuery> = {}): Promise<readonly SessionView[]> {
    return (await this.#planes?.data.sessionViews({ ...filter, limit })) ?? [];
  }

  /** Resets sessions that match, by default at most 1,000; resolves with their number. */
  async endSessions({ limit = 1_000, ...filter }: Partial<SessionQuery> = {}): Promise<number> {
    return (await this.#planes?.data.endSessions({ ...filter, limit })) ?? 0;
  }

  /** @internal Resolves when every worker has taken over what was changed before. */
  async settled(): Promise<void> {
    await this.#planes?.data.settled();
  }

  /** What was counted since the start, for metrics; undefined before it. */
  counters(kind: CountsKind = 'copied'): CounterView | undefined {
    return this.#planes?.counters(kind);
  }

  snapshot(): LoadBalancerSnapshot {
    return snapshotOf(this.#state, this.#planes, listener => this.#pauses.msOf(listener));
  }

  async #start(): Promise<void> {
    const planes = this.#build();
    this.#planes = planes;
    // Whatever ends the process: an orderly close in the middle of an answer would make it look complete.
    this.#leaveExit = atExit(() => planes.data.abandonSessions());
    await planes.apply(this.#config, () => this.#expectNotStopped(this.#isLeaving));
    this.#expectNotStopped();
    planes.start();
    this.#state = 'running';
  }

  #build(): Planes {
    return buildPlanes(this.#config, {
      ...{ ...this.#options, events: this.#events, names: this.#names },
      clocks: { now: () => performance.now(), wallClock: () => Date.now(), random: () => Math.random() },
      onInterest: planes => this.#record(planes.data),
      whenIdle: work => this.#changes.runIf(() => ['running', 'leaving'].includes(this.#state), work),
    });
  }

  async #apply(config: Config): Promise<void> {
    const planes = this.#planes;
    const expectRunning = (): void => {
      if (this.#state === 'running') return;
      throw new Lb4Error('LB4_WRONG_STATE', `cannot take over a configuration: it is ${this.#state}`);
    };
    expectRunning();
    if (planes === undefined) return;
    expectSame(this.#config, config);
    await planes.apply(config, expectRunning);
    this.#config = config;
    tellShortage(planes.limits, this.#events);
  }

  async #leave(delayMs: number): Promise<void> {
    this.#state = 'leaving';
    this.#events.emit('drain:delayed', { delayMs });
    await this.#delay.wait(delayMs, setKeepingTimer);
  }

  #record(data: DataPlaneHost): void {
    const wanted = this.#isCounting ? 'counted' : 'each';
    data.record(this.#events.isWanted('session:closed') ? wanted : 'none');
  }

  #control(): ControlPlane {
    const isAlive = ['running', 'leaving', 'draining'].includes(this.#state);
    this.#succession.expectNone();
    if (isAlive && this.#planes !== undefined) return this.#planes.control;
    throw new Lb4Error('LB4_WRONG_STATE', `cannot change a backend: it is ${this.#state}`);
  }

  /** Ends what runs by itself, and every session. */
  #endSessions(): void {
    this.#planes?.stop();
    this.#planes?.data.abortSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
  }

  /** Ends a start before a client is let in, or lets it finish when one may have been; true: the balancer runs then. */
  async #endStart(): Promise<boolean> {
    this.#isLeaving = true;
    const listens = (this.#planes?.data.listeners().length ?? 0) > 0;
    // What the start waits for may hang.
    if (!listens) this.#names.close();
    await this.#starting?.catch(() => undefined);
    if (this.state === 'running') return true;
    await this.stop();
    return false;
  }

  #expectNotStopped(isLeaving = false): void {
    if (isLeaving || this.#state === 'stopped')
      throw new Lb4Error('LB4_WRONG_STATE', 'stopped before it had started');
  }
}
