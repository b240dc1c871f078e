/**
 * All upstreams of one data plane, as the last plans want them.
 *
 * Place: the data plane applies plans to it and asks it where a listener's clients go.
 * Invariants:
 * - An upstream that has gone serves the sessions that it has.
 * - Until the strategy of a plan is loaded, its upstream goes on with the plan before.
 */
import { STRATEGIES } from '../../../strategies/index.ts';
import { wordsOf } from '../../errors.ts';
import type { UpstreamPlan } from '../../model/upstream-plan.ts';
import { NO_FIGURES, type SlotFigures } from '../../model/pool-figures.ts';
import { parks } from './backend-pool.ts';
import { LoadedStrategies } from './loaded-strategies.ts';
import { UpstreamRuntime, type UpstreamRuntimeDeps } from './upstream-runtime.ts';

export interface UpstreamsDeps extends UpstreamRuntimeDeps {
  /** What a plan has asked for and is not done yet. */
  follow(work: Promise<void>): void;
  /** Sessions that connect to a backend of this upstream which is not well may have a better one now. */
  onBetter(upstream: string): void;
}

export class Upstreams {
  readonly #deps: UpstreamsDeps;
  readonly #strategies = new LoadedStrategies();
  readonly #upstreams = new Map<string, UpstreamRuntime>();
  #park = false;

  constructor(deps: UpstreamsDeps) {
    this.#deps = deps;
  }

  /** Does any of them park connections? */
  get park(): boolean {
    return this.#park;
  }

  get(name: string): UpstreamRuntime | undefined {
    return this.#upstreams.get(name);
  }

  /** @param mayMove whether sessions may leave a backend, to which they still connect, for a better one */
  apply(plan: UpstreamPlan, mayMove = true): void {
    this.#deps.shared.counters.adopt(plan.counters);
    const before = this.#upstreams.get(plan.name);
    const factory = this.#strategies.get(plan.strategy);
    if (factory === undefined) this.#deps.follow(this.#load(plan));
    // With the strategy `random` where there was no plan before: otherwise a client that came now would have to wait.
    const usable = factory ?? before?.factory ?? STRATEGIES.random;
    const upstream = before ?? new UpstreamRuntime(plan, usable, this.#deps);
    this.#upstreams.set(plan.name, upstream);
    this.#park = [...this.#upstreams.values()].some(each => parks(each.plan));
    if (upstream.apply(plan, usable) && mayMove) this.#deps.onBetter(plan.name);
  }

  remove(name: string): void {
    this.#upstreams.get(name)?.close();
    this.#upstreams.delete(name);
  }

  /** Destroys spare connections; new sessions could still connect. */
  closePools(): void {
    for (const upstream of this.#upstreams.values()) upstream.close();
  }

  /** Sessions that wait get no place any more. */
  closeLines(): void {
    for (const { queue } of this.#upstreams.values()) queue.close();
  }

  /** Another worker has freed a place. */
  recheckLines(): void {
    for (const { queue } of this.#upstreams.values()) queue.recheck();
  }

  /** Figures of each backend's slot, and of each queue's. */
  *figures(): Iterable<{ readonly slot: number; figures(): SlotFigures }> {
    for (const upstream of this.#upstreams.values()) {
      const { plan, budget } = upstream;
      const figures = (): SlotFigures => ({ ...NO_FIGURES, retriesLeft: budget.left(this.#deps.now()) });
      yield { slot: plan.queueSlot, figures };
      for (const { slot, pool } of upstream.backends()) yield { slot, figures: () => pool.figures() };
    }
  }

  async #load({ name, strategy }: UpstreamPlan): Promise<void> {
    try {
      await this.#strategies.load(strategy);
    } catch (error) {
      const reason = wordsOf(error);
      this.#deps.report({ kind: 'strategyFailed', upstream: name, reason, times: 1 });
      return;
    }
    // By now there may be another plan, or none.
    const plan = this.#upstreams.get(name)?.plan;
    if (plan?.strategy === strategy) this.apply(plan);
  }
}
