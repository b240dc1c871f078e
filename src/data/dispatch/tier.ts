/**
 * Backends that form one choice, and the strategy over them.
 *
 * Place: a picker has two: those that take sessions, and the backups that stand by.
 * Invariants:
 * - Synchronous, never throws.
 * - A pick is counted before it is returned.
 * - Never picked, whatever the strategy returns: a backend that is refused, at its `maxSessions`, or on trial with
 *   another session.
 */
import type { PickContext, Strategy, StrategyDeps, StrategyFactory } from '../../../strategies/index.ts';
import { createStrategy, STRATEGIES } from '../../../strategies/index.ts';
import type { ElsewhereNews } from '../../shared-memory/elsewhere-counts.ts';
import type { SharedState } from '../../shared-memory/shared-state.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import { PickerCandidate } from './candidate.ts';
import type { Client } from './client-keys.ts';

export interface TierDeps extends StrategyDeps {
  readonly shared: SharedState;
  /** Undefined: nothing is shared with other instances. */
  readonly news: ElsewhereNews | undefined;
  readonly factory: StrategyFactory;
  /** Called with the error of a strategy (most likely the user's own) that throws, or picks what it must not. */
  readonly onStrategyFailed: (error: unknown) => void;
}

/** True for a candidate that must not be picked this time. */
export type Refuse = (candidate: PickerCandidate) => boolean;

export class Tier {
  readonly candidates: ReadonlyMap<string, PickerCandidate>;
  readonly hasWell: boolean;
  readonly #deps: TierDeps;
  readonly #hasLimits: boolean;
  readonly #hasTrials: boolean;
  readonly #strategy: Strategy;
  #fallback: Strategy | undefined;
  /** In the current pick a backend was passed over because it was full. */
  #hasSeenFull = false;
  /** The version of other instances' counts that the strategy knows. */
  #heard = 0;

  constructor(candidates: readonly PickerCandidate[], deps: TierDeps, previous?: Tier) {
    this.candidates = new Map(candidates.map(candidate => [candidate.id, candidate]));
    this.hasWell = candidates.some(({ well, weight }) => well && weight > 0);
    this.#deps = deps;
    this.#hasLimits = candidates.some(({ maxSessions }) => maxSessions !== undefined);
    this.#hasTrials = candidates.some(({ trial }) => trial);
    this.#strategy = this.#createStrategy(previous === undefined ? undefined : previous.#strategy);
  }

  /** Picks one that is not refused, and counts a session in; `preferred` comes before the strategy's choice. */
  pick(
    client: Client,
    refuse: Refuse | undefined,
    preferred: PickerCandidate | undefined,
  ): PickerCandidate | 'full' | undefined {
    this.#hasSeenFull = false;
    this.#hear();
    const context = this.#context(client, refuse);
    if (preferred !== undefined && context.skip?.(preferred) !== true && preferred.take()) return preferred;
    // Another data plane may take a backend's last session between `skip` and `take`: then look again.
    for (let round = 0; round <= this.candidates.size; round++) {
      const candidate = this.#choose(context);
      if (candidate === undefined) break;
      if (candidate.take()) return candidate;
      if (!candidate.trial) this.#hasSeenFull = true;
    }
    // As it was seen then: a place that another data plane has freed meanwhile does not change the answer.
    return this.#hasSeenFull ? 'full' : undefined;
  }

  /** The first in the order of the configuration that is neither refused nor on trial with another session. */
  first(refuse: Refuse): PickerCandidate | undefined {
    for (const candidate of this.candidates.values())
      if (!refuse(candidate) && !candidate.isTried()) return candidate;
    return undefined;
  }

  /** Reports to the strategy how long a connect took. */
  connected(backend: BackendRuntime, connectMs: number): void {
    if (this.#strategy.connected === undefined) return;
    this.#tell(backend, candidate => this.#strategy.connected?.(candidate, connectMs));
  }

  /** Reports to the strategy that a backend's live count has changed. */
  changed(backend: BackendRuntime): void {
    if (this.#strategy.changed === undefined) return;
    this.#tell(backend, candidate => this.#strategy.changed?.(candidate));
  }

  #isFull(candidate: PickerCandidate): boolean {
    if (!candidate.isFull()) return false;
    if (!candidate.trial && candidate.weight > 0) this.#hasSeenFull = true;
    return true;
  }

  /** Passes on the counts of other instances that have arrived since the last pick. */
  #hear(): void {
    const { news, onStrategyFailed } = this.#deps;
    const version = news?.version ?? 0;
    if (version === this.#heard) return;
    this.#heard = version;
    try {
      this.#strategy.heard?.(news?.unseen ?? 0);
    } catch (error) {
      onStrategyFailed(error);
    }
  }

  /** The strategy's choice; at random where it fails, because a defect in it must not turn clients away. */
  #choose(context: PickContext): PickerCandidate | undefined {
    try {
      const picked = this.#strategy.pick(context);
      if (picked === undefined) return undefined;
      const candidate = this.candidates.get(picked.id);
      if (candidate === picked && context.skip?.(picked) !== true) return candidate;
      throw new Error(`the strategy picked ${picked.id}, which it was not offered or was told to skip`);
    } catch (error) {
      this.#deps.onStrategyFailed(error);
    }
    this.#fallback ??= createStrategy(STRATEGIES.random, [...this.candidates.values()], this.#deps);
    const drawn = this.#fallback.pick(context);
    return drawn === undefined ? undefined : this.candidates.get(drawn.id);
  }

  #tell(backend: BackendRuntime, tell: (candidate: PickerCandidate) => void): void {
    const candidate = this.candidates.get(backend.id);
    if (candidate === undefined) return;
    try {
      tell(candidate);
    } catch (error) {
      this.#deps.onStrategyFailed(error);
    }
  }

  #createStrategy(previous: Strategy | undefined): Strategy {
    const { factory } = this.#deps;
    const candidates = [...this.candidates.values()];
    try {
      return createStrategy(factory, candidates, this.#deps, previous);
    } catch (error) {
      this.#deps.onStrategyFailed(error);
      return createStrategy(STRATEGIES.random, candidates, this.#deps);
    }
  }

  #context(client: Client, refuse: Refuse | undefined): PickContext {
    const known: PickContext =
      typeof client === 'string'
        ? { clientAddress: client }
        : { clientAddress: client.address, hashKey: client.hash };
    if (refuse === undefined && !this.#hasLimits && !this.#hasTrials) return known;
    return {
      ...known,
      skip: offered => {
        const candidate = offered instanceof PickerCandidate ? offered : this.candidates.get(offered.id);
        if (candidate === undefined) return false;
        return refuse?.(candidate) === true || candidate.isTried() || this.#isFull(candidate);
      },
    };
  }
}
