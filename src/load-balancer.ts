/**
 * The composition root and the library's one object: builds control and data plane from a configuration,
 * starts, drains, stops and describes them, and takes what operators want changed.
 *
 * Place: used by programs (`import … from 'lb4-balancer'`) and by the command line alike. The only
 * file of the library in which the real clock and the real randomness are named.
 * States: new → starting → running → draining → stopped; to start again, create another one.
 */
import { performance } from 'node:perf_hooks';
import { formatIssues } from './config/format-issues.ts';
import { issueOfWeight, parseBackend, parseConfig } from './config/parse.ts';
import type { BackendInput, Config, ConfigInput } from './config/schema.ts';
import { ControlPlane } from './control-plane.ts';
import { createDataPlane, type DataPlaneMaking } from './create-data-plane.ts';
import type { MirrorMaking } from './create-mirror.ts';
import type { DataPlaneHost } from './data-plane-host.ts';
import { Lb4Error } from './errors.ts';
import { bindByAddress } from './listener/bind-by-address.ts';
import { Events, type EventMap, type EventName } from './events.ts';
import {
  snapshotOf,
  type LoadBalancerSnapshot,
  type LoadBalancerState,
  type Planes,
} from './load-balancer-snapshot.ts';
import type { Mirror } from './mirror/mirror.ts';
import { Names, type Lookup } from './names/names.ts';
import { atExit } from './support/at-exit.ts';
import { translateInto } from './translate-events.ts';
import { MAX_TIMER_MS, setUnrefTimer } from './support/timer.ts';
import { OPERATOR_STATES, type OperatorState } from './upstream/eligibility.ts';

export interface LoadBalancerOptions {
  /** Where a strategy's relative path starts from; the working directory unless given. */
  readonly baseDir?: string;
  /** @internal For tests: things that can have a slot in shared memory at a time. */
  readonly slots?: number;
}

/**
 * Builds a load balancer; nothing is opened before `start`.
 *
 * @param config as in the configuration file; durations may also be numbers of milliseconds
 * @throws Lb4Error `LB4_CONFIG_INVALID` naming every problem
 */
export function createLoadBalancer(config: ConfigInput, options: LoadBalancerOptions = {}): LoadBalancer {
  const parsed = parseConfig(config);
  if (parsed.ok) return new LoadBalancer(parsed.config, options);
  throw new Lb4Error('LB4_CONFIG_INVALID', formatIssues(parsed.issues), { cause: parsed.issues });
}

export class LoadBalancer {
  readonly #config: Config;
  readonly #baseDir: string;
  readonly #slots: number | undefined;
  readonly #events = new Events();
  readonly #names = new Names();
  #state: LoadBalancerState = 'new';
  #starting: Promise<void> | undefined;
  #planes: Planes | undefined;
  #isCounting = false;
  readonly #pausedSinceMs = new Map<string, number>();
  /** Takes back what is to happen at the exit of the process. */
  #leaveExit: () => void = () => undefined;

  /** @internal For the command line, which has parsed its configuration already. */
  constructor(config: Config, options: LoadBalancerOptions = {}) {
    this.#config = config;
    this.#baseDir = options.baseDir ?? process.cwd();
    this.#slots = options.slots;
    this.on('listener:paused', ({ listener }) => this.#pausedSinceMs.set(listener, performance.now()));
    this.on('listener:resumed', ({ listener }) => this.#pausedSinceMs.delete(listener));
  }

  get state(): LoadBalancerState {
    return this.#state;
  }

  /** Subscribes to an event; returns the unsubscriber. */
  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * @internal While nobody can do anything with records of sessions, those that end are only counted: there is
   * `session:unrecorded` instead of `session:closed`.
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
      const isStopped = this.state === 'stopped';
      await this.stop();
      if (isStopped) throw new Lb4Error('LB4_WRONG_STATE', 'stopped before it had started', { cause: error });
      throw error;
    }
  }

  /**
   * Takes no more clients, lets sessions end by themselves, resets those that still run after the time, then
   * stops.
   *
   * @param timeoutMs the configuration's `drainTimeout` unless given; Infinity waits for as long as it takes
   */
  async drain(timeoutMs: number = this.#config.drainTimeout): Promise<void> {
    const planes = this.#planes;
    if (this.#state !== 'running' || planes === undefined) {
      throw new Lb4Error('LB4_WRONG_STATE', `cannot drain: it is ${this.#state}`);
    }
    if (!(timeoutMs >= 0))
      throw new RangeError(`a drain's time is a number of milliseconds, not ${timeoutMs}`);
    this.#state = 'draining';
    this.#events.emit('drain:started', { sessions: planes.data.sessions, timeoutMs });
    const timeIsUp = (): void => {
      planes.data.abortSessions({ by: 'balancer', phase: 'drain', reason: 'drainTimeout' });
    };
    const timer = timeoutMs <= MAX_TIMER_MS ? setTimeout(timeIsUp, timeoutMs) : undefined;
    await planes.data.stopListening();
    planes.data.closePools();
    await planes.data.whenEmpty();
    clearTimeout(timer);
    this.#events.emit('drain:ended', { aborted: planes.data.sessionsAborted });
    await this.stop();
  }

  /** Closes everything and resets every session now, also during a start or a drain. Idempotent. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#names.close();
    // A start that is under way notices, and ends by itself.
    await this.#starting?.catch(() => undefined);
    if (this.#planes === undefined) return;
    const { control, data, mirror } = this.#planes;
    control.stop();
    data.abortSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
    await data.stopListening();
    data.closePools();
    await data.whenEmpty();
    await Promise.all([data.close(), mirror?.stop()]);
    this.#leaveExit();
  }

  /**
   * Lets a backend get new sessions (`ready`) or not: `drain` keeps its sessions and its checks, `maint` keeps its
   * sessions, unless `whenDown` is `reset`, and ends its checks. What its agent says counts as well where it is
   * stricter.
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

  /** Gives a backend another weight: 0 to 256, 0 for no new sessions. Throws `LB4_CONFIG_INVALID` for others. */
  setBackendWeight(upstream: string, backend: string, weight: number): void {
    const issue = issueOfWeight(weight);
    if (issue !== undefined)
      throw new Lb4Error('LB4_CONFIG_INVALID', formatIssues([issue]), { cause: [issue] });
    this.#control().setWeight(upstream, backend, weight);
  }

  /**
   * Adds a backend; one that was removed finds the sessions it has left.
   *
   * @param backend as in the configuration file: `10.0.0.1:80`, `10.0.0.1:80@2` or a mapping
   * @throws Lb4Error also `LB4_CONFIG_INVALID`, naming every problem, and for one that is there already
   */
  addBackend(upstream: string, backend: BackendInput): void {
    const parsed = parseBackend(backend);
    if (!parsed.ok) {
      throw new Lb4Error('LB4_CONFIG_INVALID', formatIssues(parsed.issues), { cause: parsed.issues });
    }
    this.#control().add(upstream, parsed.backend);
  }

  /**
   * Removes a backend: it gets no new sessions, and is shown as `removed` while it has old ones. The last one may go
   * as well; the upstream is down then.
   *
   * @param options.resetSessions whether its sessions are reset instead of running on; default false
   */
  removeBackend(upstream: string, backend: string, options: { resetSessions?: boolean } = {}): void {
    this.#control().remove(upstream, backend, { resetSessions: options.resetSessions === true });
  }

  snapshot(): LoadBalancerSnapshot {
    return snapshotOf(this.#state, this.#planes, listener => {
      const sinceMs = this.#pausedSinceMs.get(listener);
      return sinceMs === undefined ? undefined : performance.now() - sinceMs;
    });
  }

  async #start(): Promise<void> {
    const planes = await this.#build();
    this.#planes = planes;
    await planes.control.prepare();
    this.#expectNotStopped();
    // Whatever ends the process: a clean end in the middle of an answer would be a lie.
    this.#leaveExit = atExit(() => planes.data.abandonSessions());
    await planes.data.listen();
    this.#expectNotStopped();
    planes.control.start();
    planes.mirror?.start();
    this.#state = 'running';
  }

  async #build(): Promise<Planes> {
    const random = (): number => Math.random();
    const clocks = { now: () => performance.now(), wallClock: () => Date.now(), random };
    const events = this.#events;
    const baseDir = this.#baseDir;
    // The data plane tells nothing before it is given something to do, and control is there then.
    const report = translateInto({
      events,
      listeners: this.#config.listeners,
      control: () => this.#planes?.control,
      limits: () => this.#planes,
    });
    const lookup: Lookup = host => this.#names.lookup(host);
    const config = await bindByAddress(this.#config, lookup);
    const made = await createDataPlane(config, baseDir, clocks, report, this.#slots);
    const { data, shared, engine, choice } = made;
    this.#record(data);
    events.watchInterest(name => {
      if (name === 'session:closed') this.#record(data);
    });
    events.emit('engine:chosen', choice);
    tellShortage(made, events);
    try {
      const control = new ControlPlane(this.#config.upstreams, {
        engine,
        baseDir,
        lookup,
        shared,
        events,
        random,
        now: clocks.now,
        setTimer: setUnrefTimer,
        publish: snapshot => data.apply(snapshot),
        settled: () => data.settled(),
      });
      const mirror = await mirrorFor(this.#config, {
        ...{ shared, events, random, now: clocks.now, baseDir, lookup },
        countedBy: upstream => control.countedBy(upstream),
      });
      return { ...made, control, mirror };
    } catch (error) {
      // A file that the checks or the mirror need cannot be read.
      await data.close();
      throw error;
    }
  }

  #record(data: DataPlaneHost): void {
    const isWanted = this.#events.isWanted('session:closed');
    data.record(isWanted ? (this.#isCounting ? 'counted' : 'each') : 'none');
  }

  #control(): ControlPlane {
    const isAlive = this.#state === 'running' || this.#state === 'draining';
    if (isAlive && this.#planes !== undefined) return this.#planes.control;
    throw new Lb4Error('LB4_WRONG_STATE', `cannot change a backend: it is ${this.#state}`);
  }

  #expectNotStopped(): void {
    if (this.#state === 'stopped') throw new Lb4Error('LB4_WRONG_STATE', 'stopped before it had started');
  }
}

/** More sessions are configured than there are descriptors for. */
function tellShortage({ descriptors, maxSessions }: DataPlaneMaking, events: Events): void {
  if (descriptors?.wanted === undefined) return;
  const { limit, wanted } = descriptors;
  events.emit('descriptors:short', {
    ...{ maxSessions: wanted.maxSessions, allowed: maxSessions },
    ...{ descriptorLimit: limit, descriptorsNeeded: wanted.limit },
  });
}

/** Loads the client of Redis only where there is one: it takes a tenth of a second, and 8 MB. */
async function mirrorFor(config: Config, making: MirrorMaking): Promise<Mirror | undefined> {
  if (config.redis === undefined) return undefined;
  const { createMirror } = await import('./create-mirror.ts');
  return createMirror(config, making);
}
