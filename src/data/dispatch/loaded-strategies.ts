/**
 * The strategies of one thread: functions cannot be passed between threads, so each thread loads its own.
 *
 * Place: the data plane asks it for the strategy of a plan. Built-in strategies are there at once; the user's own
 * module takes time to load, and until then its upstream goes on with the strategy it has.
 * Control has loaded the same module before, so a failure here means that the file has changed since.
 */
import { loadStrategy } from '../../../strategies/load-strategy.ts';
import { isStrategyName, STRATEGIES, type StrategyFactory } from '../../../strategies/index.ts';

export class LoadedStrategies {
  readonly #loaded = new Map<string, StrategyFactory>();

  /** Undefined: it has yet to be loaded. */
  get(strategy: string): StrategyFactory | undefined {
    return isStrategyName(strategy) ? STRATEGIES[strategy] : this.#loaded.get(strategy);
  }

  /** Rejects with an Error that says what is wrong with the module. */
  async load(strategy: string): Promise<StrategyFactory> {
    const factory = await loadStrategy(strategy, '/');
    this.#loaded.set(strategy, factory);
    return factory;
  }
}
