/**
 * Control's model of one upstream: its backends, what is known of each, and the snapshots that follow.
 *
 * Place: checks, agents, the resolver, operators and data planes report here; everything that is decided is decided
 * by pure functions (eligibility.ts, ejection.ts, slow-start.ts). Every change is one event; however many there are
 * in a turn, they make one snapshot.
 * Invariants: a backend is identified by its configured address, and keeps its live count when it is removed and
 * added again; snapshots are immutable; nothing runs on after `stop`.
 */
import type { BackendConfig, UpstreamConfig } from '../config/schema.ts';
import type { Events } from '../events.ts';
import type { DataEvent } from '../model/data-event.ts';
import type { ControlledState } from '../shared-memory/shared-state.ts';
import type { Address } from '../support/address.ts';
import type { SetTimer } from '../support/timer.ts';
import {
  afterAnswer,
  AGENT_SILENT,
  conditionsOf,
  createRecord,
  effectiveState,
  shareOf,
  soundnessOf,
  uncheckedHealth,
  type AgentAnswer,
  type BackendRecord,
} from './backend-record.ts';
import { buildSnapshot } from './build-snapshot.ts';
import { Departed } from './departed.ts';
import { mayEject } from './ejection.ts';
import { Ejector } from './ejector.ts';
import { judge, type Judgement, type OperatorState } from './eligibility.ts';
import { ModeEvents } from './mode-events.ts';
import { Ramps } from './ramps.ts';
import type { UpstreamSnapshot } from './snapshot.ts';
import { upstreamStatus, type UpstreamStatus } from './upstream-status.ts';

export interface UpstreamDeps {
  readonly shared: ControlledState;
  readonly events: Events;
  now(): number;
  random(): number;
  readonly setTimer: SetTimer;
  /** Hands a snapshot to the data plane. */
  publish(snapshot: UpstreamSnapshot): void;
  /** Resolves when every data plane has applied what was published before. */
  settled(): Promise<void>;
}

/** What concerns an upstream and its backends. */
export type UpstreamEvent = Extract<
  DataEvent,
  { kind: 'connectFailed' | 'backendFailing' | 'trialEnded' | 'queueing' }
>;

type Party = 'operator' | 'agent';

export class Upstream {
  readonly name: string;
  readonly #config: UpstreamConfig;
  readonly #deps: UpstreamDeps;
  readonly #backends = new Map<string, BackendRecord>();
  readonly #departed: Departed;
  readonly #ejector: Ejector;
  readonly #ramps: Ramps;
  readonly #modeEvents: ModeEvents;
  readonly #queueSlot: number;
  #publishing: NodeJS.Immediate | undefined;
  #isStopped = false;

  constructor(config: UpstreamConfig, deps: UpstreamDeps) {
    const { shared, events, setTimer } = deps;
    const now = (): number => deps.now();
    this.name = config.name;
    this.#config = config;
    this.#deps = deps;
    this.#queueSlot = shared.slotOfQueue(config.name);
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
      onStarted: record => events.emit('backend:slowStart', { ...ramp(record), forMs: config.slowStart }),
      onEnded: record => events.emit('backend:slowStartEnded', ramp(record)),
      onStep: publishSoon,
    });
    for (const settings of config.backends) this.#create(settings, true);
  }

  get ids(): readonly string[] {
    return [...this.#backends.keys()];
  }

  has(id: string): boolean {
    return this.#backends.has(id);
  }

  /** Hands the data plane a snapshot of what is known now, and tells what it means for the upstream as a whole. */
  publish(): void {
    clearImmediate(this.#publishing);
    this.#publishing = undefined;
    if (this.#isStopped) return;
    const { name } = this;
    const { whenDown } = this.#config;
    const records = [...this.#backends.values()];
    const judgement = this.#judge(records);
    this.#ramps.follow(records, judgement);
    const leaving = this.#departed.resetting();
    this.#deps.publish(
      buildSnapshot({
        ...{ name, whenDown, records, judgement, leaving },
        permilleOf: record => this.#ramps.permilleOf(record),
      }),
    );
    this.#departed.published();
    this.#ejector.announceTrials(records.filter((_, i) => judgement.backends[i]?.trial));
    this.#modeEvents.follow(
      judgement,
      records.some(({ settled }) => !settled),
      records.filter((_, i) => judgement.backends[i]?.takesSessions).map(({ settings }) => settings.id),
    );
  }

  /** What is counted here, with its slot: its members, and those that were removed and still have sessions. */
  *counted(): Iterable<readonly [backend: string, slot: number]> {
    for (const [id, { slot }] of this.#backends) yield [id, slot];
    for (const { settings, slot } of this.#departed.running()) yield [settings.id, slot];
  }

  /** Nothing is published any more. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    clearImmediate(this.#publishing);
    this.#departed.stop();
    this.#ejector.stop();
    this.#ramps.stop();
  }

  /** Where a backend is now; nowhere while its name has not been resolved. */
  addressesOf(id: string): readonly Address[] {
    return this.#backends.get(id)?.addresses ?? [];
  }

  /** What an operator wants of it, and what operator and agent want together; undefined for one that has gone. */
  statesOf(id: string): { readonly operator: OperatorState; readonly together: OperatorState } | undefined {
    const record = this.#backends.get(id);
    return record && { operator: record.operator, together: effectiveState(record) };
  }

  /**
   * Takes a new backend in, or one that was removed back with the sessions it has left. Throws LB4_TOO_MANY_SLOTS,
   * and then nothing has changed.
   */
  add(settings: BackendConfig): void {
    this.#create(settings, false);
    this.#departed.delete(settings.id);
    this.#deps.events.emit('backend:added', { upstream: this.name, backend: settings.id });
    this.#publishSoon();
  }

  /** It gets no new sessions any more; those it has run on, unless they are to be reset. */
  remove(id: string, { resetSessions }: { readonly resetSessions: boolean }): void {
    this.#change(id, record => {
      this.#backends.delete(id);
      this.#ejector.forget(record);
      this.#departed.add(record, resetSessions);
      const sessions = this.#deps.shared.counts.live(record.slot);
      this.#deps.events.emit('backend:removed', { upstream: this.name, backend: id, sessions });
    });
  }

  setOperatorState(id: string, state: OperatorState): void {
    this.#change(id, record => {
      if (record.operator === state) return;
      this.#setState(record, state, 'operator', () => (record.operator = state));
    });
  }

  setWeight(id: string, weight: number): void {
    this.#change(id, record => {
      if (record.weight === weight) return;
      record.weight = weight;
      this.#tellShare(record, 'operator');
    });
  }

  /** Its agent has answered. */
  hearAgent(id: string, answer: AgentAnswer): void {
    const record = this.#find(id);
    if (record === undefined) return;
    const before = record.agent ?? AGENT_SILENT;
    const after = afterAnswer(before, answer);
    const reason = `its agent says ${after.health}${answer.why === undefined ? '' : `: ${answer.why}`}`;
    this.#changeHealth(record, reason, () => {
      record.agent = { ...after, state: before.state };
    });
    const isShareNew = after.percent !== before.percent || after.maxSessions !== before.maxSessions;
    if (isShareNew) this.#tellShare(record, 'agent');
    const isStateNew = after.state !== before.state;
    if (isStateNew) this.#setState(record, after.state, 'agent', () => (record.agent = after));
    // Most answers say nothing new.
    if (isShareNew || isStateNew || after.health !== before.health) this.#publishSoon();
  }

  /** The active check has reached a verdict. */
  setHealthy(id: string, healthy: boolean, reason: string): void {
    this.#change(id, record => {
      this.#changeHealth(record, reason, () => {
        record.healthy = healthy;
        record.settled = true;
        record.checked = true;
      });
    });
  }

  /** One check was made; told before the verdict that it may lead to. */
  noteProbe(id: string, passed: boolean): void {
    const record = this.#find(id);
    if (record === undefined) return;
    record.checked = true;
    if (passed) this.#ejector.onProbePassed(record);
    else record.isOriginal = false;
    // No verdict flips where one that was not trusted before is found not well.
    const decides = !passed && !record.settled && this.#config.health.initial === 'checked';
    if (decides) this.setHealthy(id, false, 'its first health check failed');
  }

  /** The backend's name was resolved, to other addresses than before or for the first time. */
  setAddresses(id: string, addresses: readonly Address[]): void {
    this.#change(id, record => {
      this.#changeHealth(record, 'name resolved', () => {
        record.addresses = addresses;
      });
    });
  }

  /** The backend's name cannot be resolved and never could; a known address is kept instead. */
  reportUnresolved(id: string, reason: string): void {
    this.#change(id, record => {
      record.isOriginal = false;
      this.#deps.events.emit('backend:down', { upstream: this.name, backend: id, reason });
    });
  }

  /** What a data plane reports. */
  hear(event: UpstreamEvent): void {
    // What one data plane reports of its queue concerns no backend.
    if (event.kind === 'queueing') {
      this.#modeEvents.followQueue(event.isQueueing);
      return;
    }
    const record = this.#find(event.backend);
    if (record === undefined) return;
    if (event.kind === 'backendFailing') this.#ejector.onFailing(record, event.cause);
    else if (event.kind === 'trialEnded') this.#ejector.onTrialEnded(record, event.failure);
    else record.lastFailure = `${event.failure.reason} (${event.failure.code})`;
  }

  /** With the slot of each backend, for its pool. */
  status(): UpstreamStatus & { readonly slots: readonly number[] } {
    const records = [...this.#backends.values()];
    return upstreamStatus({
      config: this.#config,
      shared: this.#deps.shared,
      queueSlot: this.#queueSlot,
      records,
      judgement: this.#judge(records),
      removed: this.#departed.running(),
      permilleOf: record => this.#ramps.permilleOf(record),
    });
  }

  #create(settings: BackendConfig, isOriginal: boolean): void {
    const slot = this.#deps.shared.slotOfBackend(this.name, settings.id);
    this.#backends.set(settings.id, createRecord(settings, slot, this.#config.health, isOriginal));
  }

  /** Reports may come late: of a backend that has gone, or after the end. */
  #find(id: string): BackendRecord | undefined {
    return this.#isStopped ? undefined : this.#backends.get(id);
  }

  #judge(records: readonly BackendRecord[]): Judgement {
    return judge(records.map(conditionsOf), this.#config);
  }

  /** Changes what is known of a backend, if it is still there, and publishes it with whatever else this turn brings. */
  #change(id: string, change: (record: BackendRecord) => void): void {
    const record = this.#find(id);
    if (record === undefined) return;
    change(record);
    this.#publishSoon();
  }

  #publishSoon(): void {
    this.#publishing ??= setImmediate(() => this.publish());
  }

  /** Tells when checks, agent and resolver together come to another result than before. */
  #changeHealth(record: BackendRecord, reason: string, change: () => void): void {
    const before = soundnessOf(record);
    change();
    const after = soundnessOf(record);
    if (after === 'down') record.isOriginal = false;
    if (after === before || after === 'unknown') return;
    const { id } = record.settings;
    this.#deps.events.emit(`backend:${after}`, { upstream: this.name, backend: id, reason });
  }

  #setState(record: BackendRecord, state: OperatorState, by: Party, change: () => void): void {
    const before = effectiveState(record);
    change();
    const { id } = record.settings;
    this.#deps.events.emit('backend:stateSet', { upstream: this.name, backend: id, state, by });
    if (before === 'maint' || effectiveState(record) !== 'maint') return;
    // It is not checked any more, and comes back as one that has never been checked.
    this.#ejector.pardon(record);
    Object.assign(record, uncheckedHealth(this.#config.health));
    record.isOriginal = false;
  }

  #tellShare(record: BackendRecord, by: Party): void {
    const { id: backend } = record.settings;
    this.#deps.events.emit('backend:shareSet', { upstream: this.name, backend, ...shareOf(record), by });
  }

  #mayEject(record: BackendRecord): boolean {
    const records = [...this.#backends.values()];
    const { ejection } = this.#config;
    return mayEject(records.map(conditionsOf), records.indexOf(record), this.#config, ejection.maxPercent);
  }
}
