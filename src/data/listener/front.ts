/**
 * One configured listener in one data plane: where clients come in, how many may be there, and what becomes of them.
 *
 * Place: the data plane has one per listener of the plan. It outlives its listener while sessions run that came in
 * through it: they are counted here, and a new listener with the same name goes on from this count.
 */
import type { Gate, Place } from '../admission/gate.ts';
import { Refused, type RefusedDeps } from '../admission/refused.ts';
import { tlsGate } from '../admission/tls-gate.ts';
import { Undecided } from '../admission/undecided.ts';
import type { Connection, Engine } from '../../engine/engine.ts';
import type { TlsServerSettings } from '../../engine/tls.ts';
import type { BindPoint, ListenerPlan } from '../../model/listener-plan.ts';
import { PlanTerms } from '../plan-terms.ts';
import type { Bandwidth } from '../session/bandwidth.ts';
import type { Pacing } from '../session/pacing.ts';
import { Listener, type ListenerHandlers } from './listener.ts';
import { StartRate } from './start-rate.ts';
import { SessionLimit } from './session-limit.ts';
import type { Cells, Counters } from '../../shared-memory/counters/counters.ts';
import { LISTENER } from '../../shared-memory/counters/layout.ts';
import type { StartRates } from '../../shared-memory/start-rates.ts';
import type { LiveCounts } from '../../shared-memory/live-counts.ts';

/** The target of a listener's clients, which only the data plane looks into. */
export interface FrontDeps<U> extends RefusedDeps {
  readonly engine: Engine;
  readonly counts: LiveCounts;
  readonly counters: Counters;
  readonly startRates: StartRates;
  now(): number;
  /** Other workers wait for a place that is free now. */
  onPlaceFreed(): void;
  /** Takes a client, or answers false when there is no place for it. */
  onClient(front: Front<U>, client: Connection): boolean;
  /** The upstream of this name; throws where there is none. */
  upstreamOf(name: string): U;
  /** The places of the whole instance, beside those of this listener. */
  readonly instanceLimit: Place;
  readonly pacing: Pacing;
  /** The front has another bandwidth, and sessions that run without it. */
  onRepaced(front: Front<U>): void;
  /** What clients of a listener have to pass besides its places. `tls`: the gate at which its TLS ends. */
  gatesOf(plan: ListenerPlan, tls: Gate<U> | undefined): readonly Gate<U>[];
}

export class Front<U> {
  readonly name: string;
  readonly listener: Listener;
  readonly limit: SessionLimit;
  readonly #rate: StartRate;
  readonly #limits: readonly Place[];
  #places: readonly Place[];
  /** Where this data plane counts its sessions. */
  readonly cells: Cells;
  /** The clients that its gates have refused. */
  readonly refused: Refused;
  /** The clients of which its gates want to see bytes. */
  readonly undecided: Undecided;
  /** Sessions of this data plane that came in here. */
  sessions = 0;
  readonly #deps: FrontDeps<U>;
  #plan: ListenerPlan;
  #upstream: U;
  readonly #tls: PlanTerms<TlsServerSettings, Gate<U>>;
  #gates: readonly Gate<U>[] = [];
  #bandwidth: Bandwidth | undefined;

  constructor(
    plan: ListenerPlan,
    deps: FrontDeps<U>,
    handlers: Omit<ListenerHandlers, 'onClient' | 'onWaited' | 'now'>,
  ) {
    this.#deps = deps;
    this.#plan = plan;
    this.#upstream = deps.upstreamOf(plan.upstream);
    this.name = plan.name;
    this.undecided = new Undecided({
      setTimer: deps.setTimer,
      now: () => deps.now(),
      isShort: () => this.listener.paused,
    });
    this.listener = new Listener(plan.name, deps.engine, {
      ...handlers,
      onPaused: reason => {
        handlers.onPaused(reason);
        this.undecided.makeRoom();
      },
      onClient: client => deps.onClient(this, client),
      onWaited: ms => this.cells.note(LISTENER.wait, ms),
      now: () => deps.now(),
    });
    this.limit = new SessionLimit(plan.slot, deps.counts, {
      onFull: () => this.listener.hold('listenerLimit'),
      onFree: () => this.listener.unhold('listenerLimit'),
      onPlaceFreed: () => deps.onPlaceFreed(),
    });
    this.cells = deps.counters.cells(plan.slot);
    this.refused = new Refused(plan.name, this.cells, deps);
    this.#rate = new StartRate({
      take: rule => deps.startRates.take(plan.slot, rule),
      setTimer: deps.setTimer,
      onFull: () => this.listener.hold('listenerRate'),
      onFree: () => this.listener.unhold('listenerRate'),
    });
    this.#tls = new PlanTerms(settings => {
      const { tls } = deps.engine;
      return tls && tlsGate(tls.serverTerms(settings), { tls, cells: this.cells, now: () => deps.now() });
    });
    this.#limits = [this.limit, deps.instanceLimit];
    this.#places = this.#limits;
    this.configure(plan);
  }

  /** The plan applied last. */
  get plan(): ListenerPlan {
    return this.#plan;
  }

  /** The plan's upstream, for the clients that come from now on. */
  get upstream(): U {
    return this.#upstream;
  }

  /** The limits that each of its sessions holds a place of, in the order in which places are taken. */
  get places(): readonly Place[] {
    return this.#places;
  }

  /** For the clients that come from now on; none: they go to the upstream without further checks. */
  get gates(): readonly Gate<U>[] {
    return this.#gates;
  }

  /** Undefined where it has no limit. */
  get bandwidth(): Bandwidth | undefined {
    return this.#bandwidth;
  }

  /** Takes over everything but the addresses, for the clients that come from now on; the bandwidth for all. */
  configure(plan: ListenerPlan): void {
    this.#tls.follow(plan.tls);
    this.#plan = plan;
    this.#upstream = this.#deps.upstreamOf(plan.upstream);
    this.#gates = this.#deps.gatesOf(plan, this.#tls.current);
    this.limit.configure(plan.limits.maxSessions ?? Infinity);
    // Only clients that would have waited are counted by a dry run: see `gatesOf`.
    const rate = plan.dryRun === true ? undefined : plan.limits.rate;
    this.#places = rate === undefined ? this.#limits : [...this.#limits, this.#rate];
    this.#rate.configure(rate);
    const bandwidth = this.#deps.pacing.bandwidthOf(plan, this.cells, this.#bandwidth);
    if (bandwidth === this.#bandwidth) return;
    this.#bandwidth = bandwidth;
    if (this.sessions > 0) this.#deps.onRepaced(this);
  }

  /** Listens at the addresses that are new; rejects with LB4_LISTEN_FAILED. */
  async open(points: readonly BindPoint[] = this.#plan.bind): Promise<void> {
    for (const point of points) await this.listener.open(point, this.#plan.sockets);
  }
}
