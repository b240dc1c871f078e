/**
 * The immutable choice over one snapshot's eligible backends: strategy, limits, trials and counting in one `pick`.
 *
 * Place: built whole by `UpstreamRuntime` for each snapshot and swapped in by reference; the dispatcher asks it.
 * Invariants: synchronous, never throws; a pick is counted before it is returned; a backend at its `maxSessions`,
 * one already tried and one whose trial another session has are never picked, whatever the strategy says.
 */
import type {
  Candidate,
  PickContext,
  Strategy,
  StrategyDeps,
  StrategyFactory,
} from '../../strategies/index.ts';
import { createStrategy, STRATEGIES } from '../../strategies/index.ts';
import type { SharedState } from '../shared-memory/shared-state.ts';
import type { BackendRuntime } from './backend-runtime.ts';
import { Lease } from './lease.ts';
import type { Stickiness } from './stickiness.ts';

/** 'noBackend': none is eligible (or all were tried); 'full': those that are have no session left to give. */
export type PickResult = Lease | 'noBackend' | 'full';

export interface EligibleBackend {
  readonly runtime: BackendRuntime;
  readonly weight: number;
  readonly maxSessions: number | undefined;
  /** Only the one session that takes the trial may have it. */
  readonly trial: boolean;
}

/** An eligible backend as strategies see it. */
class PickerCandidate implements Candidate {
  readonly id: string;
  readonly weight: number;
  readonly maxSessions: number | undefined;
  readonly runtime: BackendRuntime;
  readonly trial: boolean;
  readonly #shared: SharedState;

  constructor(backend: EligibleBackend, shared: SharedState) {
    this.id = backend.runtime.id;
    this.weight = backend.weight;
    this.maxSessions = backend.maxSessions;
    this.runtime = backend.runtime;
    this.trial = backend.trial;
    this.#shared = shared;
  }

  live(): number {
    return this.#shared.counts.live(this.runtime.slot);
  }

  elsewhere(): number {
    return this.#shared.elsewhere?.count(this.runtime.slot) ?? 0;
  }

  isFull(): boolean {
    return this.maxSessions !== undefined && this.live() >= this.maxSessions;
  }

  /** Another session tries it already. */
  isTried(): boolean {
    return this.trial && !this.#shared.failures.isTrialOnOffer(this.runtime.slot);
  }

  /** Counts a session in, and takes the trial if that is what it would be. */
  take(): boolean {
    const { counts, failures } = this.#shared;
    const { slot } = this.runtime;
    if (this.trial && !failures.takeTrial(slot)) return false;
    if (counts.take(slot, this.maxSessions)) return true;
    if (this.trial) failures.returnTrial(slot);
    return false;
  }
}

export interface PickerDeps extends StrategyDeps {
  readonly shared: SharedState;
  /** The number of the upstream in what is shared. */
  readonly upstream: number;
  readonly factory: StrategyFactory;
  /** Undefined: clients are not remembered. */
  readonly stickiness: Stickiness<BackendRuntime> | undefined;
  /** Takes a session out of the counts; called once per lease, maybe after this picker was replaced. */
  readonly release: (backend: BackendRuntime) => void;
  /** Hears of a strategy (the user's own, most likely) that throws or picks what it must not. */
  readonly onStrategyFailed: (error: unknown) => void;
}

export class Picker {
  readonly #deps: PickerDeps;
  readonly #candidates: ReadonlyMap<string, PickerCandidate>;
  readonly #hasLimits: boolean;
  readonly #hasTrials: boolean;
  readonly #strategy: Strategy;
  #fallback: Strategy | undefined;
  /** The pick under way was not given a backend because it was full. */
  #hasSeenFull = false;
  /** What the strategy knows of other instances. */
  #heard = 0;

  constructor(backends: readonly EligibleBackend[], deps: PickerDeps, previous?: Picker) {
    this.#deps = deps;
    const candidates = backends.map(backend => new PickerCandidate(backend, deps.shared));
    this.#candidates = new Map(candidates.map(candidate => [candidate.id, candidate]));
    this.#hasLimits = candidates.some(candidate => candidate.maxSessions !== undefined);
    this.#hasTrials = candidates.some(({ trial }) => trial);
    this.#strategy = this.#createStrategy(previous === undefined ? undefined : previous.#strategy);
  }

  /** No backend gets sessions. */
  get isEmpty(): boolean {
    return ![...this.#candidates.values()].some(({ weight }) => weight > 0);
  }

  /** Picks and counts; `tried` are the ids of backends that this session has failed to reach already. */
  pick(clientAddress: string, tried?: ReadonlySet<string>): PickResult {
    this.#hasSeenFull = false;
    this.#hear();
    const context = this.#context(clientAddress, tried);
    const remembered = this.#remembered(context);
    if (remembered?.take() === true) return this.#lease(remembered);
    // Another data plane may take a backend's last session between `skip` and `take`: then look again.
    for (let round = 0; round <= this.#candidates.size; round++) {
      const candidate = this.#choose(context);
      if (candidate === undefined) break;
      if (candidate.take()) return this.#lease(candidate);
      if (!candidate.trial) this.#hasSeenFull = true;
    }
    // As it was seen then: another data plane may have freed a place meanwhile, and that makes it no less full.
    return this.#hasSeenFull ? 'full' : 'noBackend';
  }

  /** Does the backend get new sessions, as far as this snapshot knows? Its limit is not asked. */
  takesSessions(backend: BackendRuntime): boolean {
    const candidate = this.#candidates.get(backend.id);
    return candidate?.runtime === backend && candidate.weight > 0;
  }

  /** Tells the strategy how long a connect took. */
  connected(backend: BackendRuntime, connectMs: number): void {
    this.#tell(backend, candidate => this.#strategy.connected?.(candidate, connectMs));
  }

  /** Tells the strategy that a backend's live count has changed. */
  changed(backend: BackendRuntime): void {
    this.#tell(backend, candidate => this.#strategy.changed?.(candidate));
  }

  #isFull(candidate: PickerCandidate): boolean {
    if (!candidate.isFull()) return false;
    if (!candidate.trial && candidate.weight > 0) this.#hasSeenFull = true;
    return true;
  }

  /** Passes on what was heard of other instances since the last pick. */
  #hear(): void {
    const { shared, upstream, onStrategyFailed } = this.#deps;
    const version = shared.elsewhere?.version(upstream) ?? 0;
    if (version === this.#heard) return;
    this.#heard = version;
    try {
      this.#strategy.heard?.(shared.elsewhere?.unseen(upstream) ?? 0);
    } catch (error) {
      onStrategyFailed(error);
    }
  }

  #lease(candidate: PickerCandidate): Lease {
    this.#deps.shared.elsewhere?.notePlaced(this.#deps.upstream);
    this.changed(candidate.runtime);
    return new Lease(candidate.runtime, candidate.trial, this.#deps.release);
  }

  /** The backend that the client had before, if it may have it again. */
  #remembered(context: PickContext): PickerCandidate | undefined {
    const backend = this.#deps.stickiness?.preferred(context.clientAddress);
    const candidate = backend && this.#candidates.get(backend.id);
    if (candidate === undefined || candidate.runtime !== backend || candidate.weight === 0) return undefined;
    return context.skip?.(candidate) === true ? undefined : candidate;
  }

  /** The strategy's choice; at random where it fails, because a defect in it must not turn clients away. */
  #choose(context: PickContext): PickerCandidate | undefined {
    try {
      const picked = this.#strategy.pick(context);
      if (picked === undefined) return undefined;
      const candidate = this.#candidates.get(picked.id);
      if (candidate === picked && context.skip?.(picked) !== true) return candidate;
      throw new Error(`the strategy picked ${picked.id}, which it was not offered or was told to skip`);
    } catch (error) {
      this.#deps.onStrategyFailed(error);
    }
    this.#fallback ??= createStrategy(STRATEGIES.random, [...this.#candidates.values()], this.#deps);
    const drawn = this.#fallback.pick(context);
    return drawn === undefined ? undefined : this.#candidates.get(drawn.id);
  }

  #tell(backend: BackendRuntime, tell: (candidate: PickerCandidate) => void): void {
    const candidate = this.#candidates.get(backend.id);
    if (candidate === undefined) return;
    try {
      tell(candidate);
    } catch (error) {
      this.#deps.onStrategyFailed(error);
    }
  }

  #createStrategy(previous: Strategy | undefined): Strategy {
    const { factory } = this.#deps;
    const candidates = [...this.#candidates.values()];
    try {
      return createStrategy(factory, candidates, this.#deps, previous);
    } catch (error) {
      this.#deps.onStrategyFailed(error);
      return createStrategy(STRATEGIES.random, candidates, this.#deps);
    }
  }

  #context(clientAddress: string, tried: ReadonlySet<string> | undefined): PickContext {
    if (tried === undefined && !this.#hasLimits && !this.#hasTrials) return { clientAddress };
    return {
      clientAddress,
      skip: candidate =>
        tried?.has(candidate.id) === true ||
        (candidate instanceof PickerCandidate && (candidate.isTried() || this.#isFull(candidate))),
    };
  }
}
