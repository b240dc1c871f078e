/**
 * What becomes known of one backend, and what is wanted of it: from checks, its agent, the resolver, data planes,
 * operators and the configuration. Each report changes its record, says so in events, and asks for a new plan.
 *
 * Place: a part of `Upstream`, which holds the records. Everything is decided by pure functions (eligibility.ts,
 * ejection.ts); here is only what changes and what is said about it.
 * Invariant: a report about a backend that has gone has no effect: it may come late.
 */
import type { OperatorState } from '../../model/words.ts';
import type { BackendConfig, UpstreamConfig } from '../../config/schema/schema.ts';
import type { Events } from '../../model/events.ts';
import type { DataEvent } from '../../model/data-event.ts';
import type { Address } from '../../support/address.ts';
import {
  afterAnswer,
  AGENT_SILENT,
  effectiveState,
  shareOf,
  soundnessOf,
  uncheckedHealth,
  type AgentAnswer,
  type BackendRecord,
} from './backend-record.ts';
import type { Ejector } from './ejector.ts';

/** What data planes report of a backend. */
export type BackendEvent = Extract<DataEvent, { kind: 'connectFailed' | 'backendFailing' | 'trialEnded' }>;

export interface BackendNewsDeps {
  readonly upstream: string;
  readonly events: Events;
  readonly ejector: Ejector;
  /** As it is now. */
  health(): UpstreamConfig['health'];
  /** Undefined for a backend that has gone. */
  find(id: string): BackendRecord | undefined;
  /** A new plan is needed, at the end of this turn. */
  onChange(): void;
}

type Party = 'operator' | 'agent';

export class BackendNews {
  readonly #deps: BackendNewsDeps;

  constructor(deps: BackendNewsDeps) {
    this.#deps = deps;
  }

  /** The configuration says something else of it; what an operator has set since stays, unless that very key is new. */
  configure(id: string, after: BackendConfig, before: BackendConfig | undefined): void {
    this.#change(id, record => {
      record.settings = after;
      const isWeightNew = before === undefined || before.weight !== after.weight;
      const isLimitNew = before?.maxSessions !== after.maxSessions;
      if (isWeightNew) record.weight = after.weight;
      if (isWeightNew || isLimitNew) this.#tellShare(record, 'configuration');
    });
  }

  /** There is no agent any more: what it has said does not count. */
  forgetAgent(id: string): void {
    this.#change(id, record => {
      if (record.agent === undefined) return;
      this.#changeHealth(record, 'it has no agent any more', () => (record.agent = undefined));
    });
  }

  /** It is not checked any more, and counts as well. */
  forgetChecks(id: string): void {
    this.#change(id, record => {
      this.#changeHealth(record, 'it is not checked any more', () =>
        Object.assign(record, uncheckedHealth(this.#deps.health())),
      );
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
    const record = this.#deps.find(id);
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
    if (isShareNew || isStateNew || after.health !== before.health) this.#deps.onChange();
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

  /** One check was made; `failure` is undefined when it passed. Comes before the verdict that it may lead to. */
  noteProbe(id: string, failure: string | undefined): void {
    const passed = failure === undefined;
    const record = this.#deps.find(id);
    if (record === undefined) return;
    record.checked = true;
    if (passed) this.#deps.ejector.onProbePassed(record);
    else record.isOriginal = false;
    // No verdict flips where one that was not trusted before is found not well.
    const decides = !passed && !record.settled && this.#deps.health().initial === 'checked';
    if (decides) this.setHealthy(id, false, `its first health check failed: ${failure}`);
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
      this.#deps.events.emit('backend:down', { upstream: this.#deps.upstream, backend: id, reason });
    });
  }

  /** What a data plane reports. */
  hear(event: BackendEvent): void {
    const record = this.#deps.find(event.backend);
    if (record === undefined) return;
    if (event.kind === 'backendFailing') this.#deps.ejector.onFailing(record, event.cause);
    else if (event.kind === 'trialEnded') this.#deps.ejector.onTrialEnded(record, event.failure);
    else record.lastFailure = `${event.failure.reason} (${event.failure.code})`;
  }

  #change(id: string, change: (record: BackendRecord) => void): void {
    const record = this.#deps.find(id);
    if (record === undefined) return;
    change(record);
    this.#deps.onChange();
  }

  /** Tells when checks, agent and resolver together come to another result than before. */
  #changeHealth(record: BackendRecord, reason: string, change: () => void): void {
    const before = soundnessOf(record);
    change();
    const after = soundnessOf(record);
    if (after === 'down') record.isOriginal = false;
    if (after === before || after === 'unknown') return;
    const { id } = record.settings;
    this.#deps.events.emit(`backend:${after}`, { upstream: this.#deps.upstream, backend: id, reason });
  }

  #setState(record: BackendRecord, state: OperatorState, by: Party, change: () => void): void {
    const before = effectiveState(record);
    change();
    const { id } = record.settings;
    this.#deps.events.emit('backend:stateSet', { upstream: this.#deps.upstream, backend: id, state, by });
    if (before === 'maint' || effectiveState(record) !== 'maint') return;
    // It is not checked any more, and comes back as one that has never been checked.
    this.#deps.ejector.pardon(record);
    Object.assign(record, uncheckedHealth(this.#deps.health()));
    record.isOriginal = false;
  }

  #tellShare(record: BackendRecord, by: Party | 'configuration'): void {
    const { id: backend } = record.settings;
    this.#deps.events.emit('backend:shareSet', {
      upstream: this.#deps.upstream,
      backend,
      ...shareOf(record),
      by,
    });
  }
}
