/**
 * Control's model of one upstream: its configuration, its backends, and the plans for the data planes that follow.
 *
 * Place: reports about a backend come in through `news`. Pure functions make all decisions (eligibility.ts,
 * ejection.ts, slow-start.ts).
 * Invariants:
 * - A backend is identified by its configured address, and keeps its live count when it is removed and added again.
 * - Plans are immutable. All changes of one turn make one plan.
 * - Nothing runs on after `stop`.
 */
import type { OperatorState } from '../../model/words.ts';
import type { BackendConfig } from '../../config/schema/schema.ts';
import type { Events } from '../../model/events.ts';
import type { DataEvent } from '../../model/data-event.ts';
import type { UpstreamPlan, UpstreamSettings } from '../../model/upstream-plan.ts';
import type { ControlledState } from '../../shared-memory/shared-state.ts';
import type { Address } from '../../support/address.ts';
import type { SetTimer } from '../../support/timer.ts';
import { conditionsOf, createRecord, effectiveState, type BackendRecord } from './backend-record.ts';
import { BackendNews, type BackendEvent } from './backend-news.ts';
import { buildPlan } from './build-plan.ts';
import { Departed } from './departed.ts';
import { mayEject } from './ejection.ts';
import { Ejector } from './ejector.ts';
import { judge, type Judgement } from './eligibility.ts';
import { ModeEvents } from './mode-events.ts';
import { Ramps } from './ramps.ts';
import { upstreamSettings, type PlannedUpstream } from './upstream-settings.ts';
import { noteStates, upstreamStatus, type SlottedStatus, type SlottedUpstream } from './upstream-status.ts';

export interface UpstreamDeps {
  readonly shared: ControlledState;
  readonly events: Events;
  now(): number;
  random(): number;
  readonly setTimer: SetTimer;
  /** Whether counts are shared with other instances, from the next configuration on; default false. */
  isMirrored?(): boolean;
  /** Hands a plan to the data planes. */
  publish(plan: UpstreamPlan): void;
  /** Called with each plan: is there a backend that is well or on trial? Undefined: checks have yet to decide. */
  onBackends?(upstream: string, hasBackend: boolean | undefined): void;
  /** Resolves when every data plane has applied what was published before. */
  settled(): Promise<void>;
}

const NO_SOURCES: ReadonlyMap<string, readonly string[]> = new Map();

/** What data planes report of an upstream and its backends. */
export type UpstreamEvent = BackendEvent | Extract<DataEvent, { kind: 'queueing' }>;

export class Upstream {
  readonly name: string;
  /** Takes all reports about its backends. */
  readonly news: BackendNews;
  #config: PlannedUpstream;
  #settings: UpstreamSettings;
  readonly #deps: UpstreamDeps;
  /** In the order of the configuration. */
  #backends = new Map<string, BackendRecord>();
  readonly #departed: Departed;
  readonly #ejector: Ejector;
  readonly #ramps: Ramps;
  readonly #modeEvents: ModeEvents;
  #publishing: NodeJS.Immediate | undefined;
  #isRetired = false;
  #isStopped = false;

  constructor(config: PlannedUpstream, deps: UpstreamDeps) {
    const { shared, events, setTimer } = deps;
    const now = (): number => deps.now();
    this.name = config.name;
    this.#config = config;
    this.#deps = deps;
    this.#settings = upstreamSettings(config, shared, deps.isMirrored?.() === true);
    this.#modeEvents = new ModeEvents(config.name, { events, now, shared });
    const publishSoon = (): void => this.#publishSoon();
    this.#departed = new Departed({
      ...{ counts: shared.counts, setTimer, onChange: publishSoon },
      settled: () => deps.settled(),
      onForgotten: id => shared.freeBackend(config.name, id),
    });
    this.#ejector = new Ejector(config, {
      events,
      failures: shared.failures,
      now,
      random: () => deps.random(),
      setTimer,
      mayEject: record => this.#mayEject(record),
      onChange: publishSoon,
    });
    const ramp = (record: BackendRecord) => ({ upstream: this.name, backend: record.settings.id });
    this.#ramps = new Ramps(config.slowStart, {
      now,
      setTimer,
      onStarted: (record, forMs) => events.emit('backend:slowStart', { ...ramp(record), forMs }),
      onEnded: record => events.emit('backend:slowStartEnded', ramp(record)),
      onStep: publishSoon,
    });
    this.news = new BackendNews({
      upstream: config.name,
      events,
      ejector: this.#ejector,
      health: () => this.#config.health,
      find: id => this.#find(id),
      onChange: publishSoon,
    });
    for (const settings of config.backends) this.#create(settings, true);
  }

  get ids(): readonly string[] {
    return [...this.#backends.keys()];
  }

  has(id: string): boolean {
    return this.#backends.has(id);
  }

  /** Hands the data planes a plan of what is known now, and emits the events of the upstream as a whole. */
  publish(): void {
    clearImmediate(this.#publishing);
    this.#publishing = undefined;
    if (this.#isStopped) return;
    const { whenDown, leaveBackups } = this.#config;
    const records = [...this.#backends.values()];
    const judgement = this.#judge(records);
    this.#ramps.follow(records, judgement);
    noteStates(records, judgement, this.#deps.now());
    const leaving = this.#departed.resetting();
    this.#deps.publish(
      buildPlan({
        ...{ settings: this.#settings, whenDown, leaveBackups, records, judgement, leaving },
        permilleOf: record => this.#ramps.permilleOf(record),
        countersOf: slots => this.#deps.shared.controlled.chunksOf(slots),
      }),
    );
    this.#departed.published();
    this.#ejector.announceTrials(records.filter((_, i) => judgement.backends[i]?.trial));
    if (this.#isRetired) return;
    const isWaiting = records.some(({ settled }) => !settled);
    this.#deps.onBackends?.(this.name, judgement.hasBackend || (isWaiting ? undefined : false));
    this.#modeEvents.follow(
      judgement,
      isWaiting,
      records.filter((_, i) => judgement.backends[i]?.takesSessions).map(({ settings }) => settings.id),
    );
  }

  /** Where its sessions and those of its backends are counted, in the order of `status()`. */
  slots(): SlottedUpstream {
    return { name: this.name, queueSlot: this.#settings.queueSlot, backends: [...this.counted()] };
  }

  /** The backends counted here, with their slots: members, and removed ones that still have sessions. */
  *counted(): Iterable<readonly [backend: string, slot: number]> {
    for (const [id, { slot }] of this.#backends) yield [id, slot];
    for (const { settings, slot } of this.#departed.running()) yield [settings.id, slot];
  }

  /** Ends all publishing. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    clearImmediate(this.#publishing);
    this.#departed.stop();
    this.#ejector.stop();
    this.#ramps.stop();
  }

  /** The addresses of a backend now; none while its name has not been resolved. */
  addressesOf(id: string): readonly Address[] {
    return this.#backends.get(id)?.addresses ?? [];
  }

  /** The verdict of the checks, for other checks that take over; empty where none has decided yet. */
  verdictOn(id: string): { readonly healthy?: boolean } {
    const record = this.#backends.get(id);
    return record?.settled === true ? { healthy: record.healthy } : {};
  }

  /** The operator's state, and that of operator and agent together; undefined for a backend that has gone. */
  statesOf(id: string): { readonly operator: OperatorState; readonly together: OperatorState } | undefined {
    const record = this.#backends.get(id);
    return record && { operator: record.operator, together: effectiveState(record) };
  }

  /**
   * Takes in a new backend, or takes back a removed one with the sessions it has left. Throws LB4_TOO_MANY_SLOTS, and
   * then nothing has changed. `isOriginal`: it belongs to the upstream's start, as those of the configuration do.
   */
  add(settings: BackendConfig, { isOriginal = false } = {}): void {
    this.#create(settings, isOriginal);
    this.#departed.delete(settings.id);
    if (!isOriginal) this.#deps.events.emit('backend:added', { upstream: this.name, backend: settings.id });
    this.#publishSoon();
  }

  /**
   * Takes over another configuration, except its list of backends: `add`, `remove` and `news.configure` follow, then
   * `arrange`. What does not change keeps counts, health, ejection, ramps and stickiness.
   */
  configure(config: PlannedUpstream): void {
    const { shared } = this.#deps;
    this.#isRetired = false;
    this.#config = config;
    this.#settings = upstreamSettings(config, shared, this.#deps.isMirrored?.() === true);
    this.#ejector.configure(config);
    this.#ramps.configure(config.slowStart);
    this.#publishSoon();
  }

  /** It is not configured any more: that its backends go is no failure, and no event reports it as down. */
  retire(): void {
    this.#isRetired = true;
  }

  /** Puts the backends in the order of the configuration. */
  arrange(): void {
    // In the order of the configuration; backends that operators have added come last.
    const ids = this.#config.backends.map(({ id }) => id).filter(id => this.#backends.has(id));
    const order = new Set([...ids, ...this.#backends.keys()]);
    this.#backends = new Map(
      [...order].flatMap(id => {
        const record = this.#backends.get(id);
        return record === undefined ? [] : [[id, record]];
      }),
    );
    this.#publishSoon();
  }

  /** Whether sessions wait until one of its backends has room. */
  get hasWaiting(): boolean {
    return this.#deps.shared.counts.live(this.#settings.queueSlot) > 0;
  }

  /** Whether nothing of it is left: no backends, no sessions, and none that wait. */
  get isGone(): boolean {
    const { counts } = this.#deps.shared;
    const isUnused = counts.live(this.#settings.queueSlot) <= 0;
    return this.#backends.size === 0 && this.#departed.isEmpty && isUnused;
  }

  /** The backend gets no new sessions any more; those it has run on, unless they are to be reset. */
  remove(id: string, { resetSessions }: { readonly resetSessions: boolean }): void {
    const record = this.#find(id);
    if (record === undefined) return;
    this.#backends.delete(id);
    this.#ejector.forget(record);
    this.#departed.add(record, resetSessions);
    const sessions = this.#deps.shared.counts.live(record.slot);
    record.shown = { state: 'removed', sinceMs: this.#deps.now() };
    this.#deps.events.emit('backend:removed', { upstream: this.name, backend: id, sessions });
    this.#publishSoon();
  }

  /** Takes a report of a data plane. */
  hear(event: UpstreamEvent): void {
    // A report of a queue concerns no backend.
    if (event.kind === 'queueing') this.#modeEvents.followQueue(event.isQueueing);
    else this.news.hear(event);
  }

  /** With the slot of each backend, for its pool. `sourcesOf`: what names a backend besides the configuration. */
  status(sourcesOf: ReadonlyMap<string, readonly string[]> = NO_SOURCES): SlottedStatus {
    const records = [...this.#backends.values()];
    return upstreamStatus({
      config: this.#config,
      shared: this.#deps.shared,
      queueSlot: this.#settings.queueSlot,
      records,
      judgement: this.#judge(records),
      removed: this.#departed.running(),
      permilleOf: record => this.#ramps.permilleOf(record),
      nowMs: this.#deps.now(),
      sourcesOf,
    });
  }

  #create(settings: BackendConfig, isOriginal: boolean): void {
    const slot = this.#deps.shared.slotOfBackend(this.name, settings.id);
    this.#backends.set(settings.id, createRecord(settings, slot, this.#config.health, isOriginal));
  }

  /** Undefined for late reports: about a backend that has gone, or after `stop`. */
  #find(id: string): BackendRecord | undefined {
    return this.#isStopped ? undefined : this.#backends.get(id);
  }

  #judge(records: readonly BackendRecord[]): Judgement {
    return judge(records.map(conditionsOf), this.#config);
  }

  #publishSoon(): void {
    this.#publishing ??= setImmediate(() => this.publish());
  }

  #mayEject(record: BackendRecord): boolean {
    const records = [...this.#backends.values()];
    const { ejection } = this.#config;
    return mayEject(records.map(conditionsOf), records.indexOf(record), this.#config, ejection.maxPercent);
  }
}
