/**
 * The simulation: several instances place sessions on the same backends, each by a shipped strategy and by what it
 * knows of the others. Measures how evenly the backends are loaded.
 *
 * Place: `knowledge.ts` has the ways to know of each other, `table.ts` has the clusters, tests and
 * scripts/plot-many-instances.ts run them.
 * Load: clients come as a Poisson process, each to an instance drawn at random, and stay for exponential times.
 * Invariants:
 * - No sockets and no real time.
 * - Clients are drawn from a generator of their own, so that two runs with the same seed meet the same clients,
 *   whatever becomes of them.
 * - The same input gives the same figures.
 */
import { Heap } from 'heap-js';
import {
  createStrategy,
  type Candidate,
  type Strategy,
  type StrategyFactory,
} from '../../strategies/index.ts';
import { seeded } from './seeded.ts';
import { EventClock } from './event-clock.ts';

export interface Scenario {
  readonly instances: number;
  /** The backends' weights. */
  readonly backends: readonly number[];
  /** New sessions a second, over all instances. */
  readonly ratePerS: number;
  readonly meanLifeMs: number;
  /** The instances' relative shares of the clients; absent: equal shares. */
  readonly shares?: readonly number[];
  /** When measuring begins. */
  readonly warmUpMs: number;
  readonly untilMs: number;
  /** Sets timers for events besides clients that come and go. */
  readonly disturb?: (cluster: Cluster) => void;
}

/** How an instance learns of the others' sessions. */
export interface Knowledge {
  /** What its strategy receives about one backend, by number. */
  counts(backend: number): Pick<Candidate, 'live' | 'elsewhere'>;
  /** Its strategy is built, and clients begin to come. */
  start?(strategy: Strategy, candidates: readonly Candidate[]): void;
  /** Its process has been killed: it sends nothing more. */
  kill?(): void;
}

/** What knowledge is built from. */
export interface Surroundings {
  readonly clock: EventClock;
  /** For phases and jitter. */
  readonly random: () => number;
  /** Number of the instance, and how many there are. */
  readonly instance: number;
  readonly instances: number;
  /** Live sessions at this instance, by the number of the backend. */
  readonly own: readonly number[];
  /** The same of all instances together. */
  readonly totals: readonly number[];
  /** Sessions that this instance has placed. */
  readonly placed: () => number;
}

/** Makes the knowledge of the instances of one run: called once for each, and again for one that comes back. */
export type CreateKnowledge = (surroundings: Surroundings) => Knowledge;

export interface Run {
  /** How much more than the mean the most loaded backend had, per weight, as an average over time; 1 is perfect. */
  readonly imbalance: number;
  /** Clients that came. */
  readonly sessions: number;
}

interface Instance {
  readonly own: number[];
  readonly knowledge: Knowledge;
  readonly candidates: readonly Candidate[];
  readonly strategy: Strategy;
  placed: number;
}

interface Session {
  readonly endsMs: number;
  readonly instance: Instance;
  readonly backend: number;
}

/** The running simulation; a scenario's `disturb` may change it. */
export class Cluster {
  readonly clock = new EventClock();
  readonly #scenario: Scenario;
  readonly #factory: StrategyFactory;
  readonly #createKnowledge: CreateKnowledge;
  readonly #clients: () => number;
  readonly #chance: () => number;
  readonly #totals: number[];
  readonly #gauge: ImbalanceGauge;
  /** By number; undefined while it is away. */
  readonly #instances: (Instance | undefined)[];
  #ends = heapOfSessions([]);
  #sessions = 0;

  /** `createKnowledge` is for this run alone. */
  constructor(seed: number, scenario: Scenario, factory: StrategyFactory, createKnowledge: CreateKnowledge) {
    this.#scenario = scenario;
    this.#factory = factory;
    this.#createKnowledge = createKnowledge;
    this.#clients = seeded(seed * 7919 + 13);
    this.#chance = seeded(seed * 104_729 + 7);
    this.#totals = scenario.backends.map(() => 0);
    this.#gauge = new ImbalanceGauge(scenario.backends, this.#totals, scenario.warmUpMs);
    this.#instances = Array.from({ length: scenario.instances }, () => undefined);
  }

  /** Runs it to its end; once. */
  async run(): Promise<Run> {
    const { instances, ratePerS, untilMs, disturb } = this.#scenario;
    for (let number = 0; number < instances; number += 1) this.join(number);
    disturb?.(this);
    let arrivesMs = this.#exponential(1000 / ratePerS);
    for (;;) {
      const endsMs = this.#ends.peek()?.endsMs ?? Infinity;
      const timerMs = this.clock.nextAtMs;
      const nextMs = Math.min(arrivesMs, endsMs, timerMs);
      if (nextMs > untilMs) break;
      this.#gauge.moveTo(nextMs);
      if (nextMs === timerMs) {
        await this.clock.runNext();
        continue;
      }
      this.clock.moveTo(nextMs);
      if (nextMs === endsMs) {
        const session = this.#ends.pop();
        if (session !== undefined) this.#end(session);
      } else {
        this.#arrive();
        arrivesMs += this.#exponential(1000 / ratePerS);
      }
    }
    this.#gauge.moveTo(untilMs);
    return { imbalance: this.#gauge.imbalance, sessions: this.#sessions };
  }

  /** An instance starts, with no sessions and no knowledge; all do so in the beginning. */
  join(number: number): void {
    const { instances, backends } = this.#scenario;
    const own = backends.map(() => 0);
    const { clock } = this;
    const placed = (): number => this.#instances[number]?.placed ?? 0;
    const knowledge = this.#createKnowledge({
      ...{ clock, random: this.#chance, instance: number, instances, own, totals: this.#totals, placed },
    });
    const candidates = backends.map((weight, backend): Candidate => ({
      id: idOf(backend),
      weight,
      ...knowledge.counts(backend),
    }));
    const deps = { now: clock.now, random: this.#chance };
    const strategy = createStrategy(this.#factory, candidates, deps);
    this.#instances[number] = { own, knowledge, candidates, strategy, placed: 0 };
    knowledge.start?.(strategy, candidates);
  }

  /** An instance is killed; its clients come to others, each at its own time within `withinMs`. */
  kill(number: number, withinMs: number): void {
    const killed = this.#instances[number];
    if (killed === undefined) return;
    this.#instances[number] = undefined;
    killed.knowledge.kill?.();
    this.#cutOff(withinMs, ({ instance }) => instance === killed);
  }

  /** All clients are cut off and come back, each at its own time within `withinMs`. */
  reconnectAll(withinMs: number): void {
    this.#cutOff(withinMs, () => true);
  }

  #cutOff(withinMs: number, isMeant: (session: Session) => boolean): void {
    const sessions = this.#ends.toArray();
    this.#ends = heapOfSessions(sessions.filter(session => !isMeant(session)));
    for (const session of sessions.filter(isMeant)) {
      this.#end(session);
      this.clock.setTimer(() => this.#arrive(), this.#clients() * withinMs);
    }
  }

  #arrive(): void {
    const endsMs = this.clock.now() + this.#exponential(this.#scenario.meanLifeMs);
    const instance = this.#drawInstance();
    const { strategy, candidates, own } = instance;
    const candidate = strategy.pick({ clientAddress: '192.0.2.1' });
    const backend = candidates.findIndex(({ id }) => id === candidate?.id);
    if (candidate === undefined || backend === -1) throw new Error('the strategy picked nobody');
    this.#sessions += 1;
    instance.placed += 1;
    add(own, backend, 1);
    add(this.#totals, backend, 1);
    strategy.changed?.(candidate);
    this.#ends.push({ endsMs, instance, backend });
  }

  #end({ instance: { own, strategy, candidates }, backend }: Session): void {
    add(own, backend, -1);
    add(this.#totals, backend, -1);
    const candidate = candidates[backend];
    if (candidate !== undefined) strategy.changed?.(candidate);
  }

  /** Draws an instance that is there, by its share. */
  #drawInstance(): Instance {
    const { shares } = this.#scenario;
    const shareOf = (number: number): number =>
      this.#instances[number] === undefined ? 0 : (shares?.[number] ?? 1);
    let point = this.#clients() * this.#instances.reduce((sum, _, number) => sum + shareOf(number), 0);
    let drawn: Instance | undefined;
    for (const [number, instance] of this.#instances.entries()) {
      if (instance === undefined) continue;
      drawn = instance;
      point -= shareOf(number);
      if (point < 0) break;
    }
    if (drawn === undefined) throw new Error('no instance is there');
    return drawn;
  }

  #exponential(mean: number): number {
    return -Math.log(1 - this.#clients()) * mean;
  }
}

/** Averages over time, from `fromMs` on, how far the most loaded backend stands above the mean. */
class ImbalanceGauge {
  readonly #weights: readonly number[];
  readonly #totals: readonly number[];
  readonly #weightOfAll: number;
  readonly #fromMs: number;
  #nowMs = 0;
  #area = 0;
  #measuredMs = 0;

  constructor(weights: readonly number[], totals: readonly number[], fromMs: number) {
    this.#weights = weights;
    this.#totals = totals;
    this.#weightOfAll = weights.reduce((sum, weight) => sum + weight, 0);
    this.#fromMs = fromMs;
  }

  get imbalance(): number {
    return this.#area / this.#measuredMs;
  }

  /** The totals have been unchanged until `ms`. */
  moveTo(ms: number): void {
    const passedMs = ms - Math.max(this.#nowMs, this.#fromMs);
    this.#nowMs = ms;
    if (passedMs <= 0) return;
    let sum = 0;
    let most = 0;
    for (const [backend, total] of this.#totals.entries()) {
      sum += total;
      most = Math.max(most, total / (this.#weights[backend] ?? 1));
    }
    // Without sessions there is nothing to compare.
    if (sum === 0) return;
    this.#area += passedMs * ((most * this.#weightOfAll) / sum);
    this.#measuredMs += passedMs;
  }
}

/** The address by which a backend is known to all instances. */
export function idOf(backend: number): string {
  return `10.0.0.${backend + 1}:80`;
}

function heapOfSessions(sessions: Session[]): Heap<Session> {
  const heap = new Heap<Session>((a, b) => a.endsMs - b.endsMs);
  heap.init(sessions);
  return heap;
}

function add(counts: number[], backend: number, change: number): void {
  counts[backend] = (counts[backend] ?? 0) + change;
}
