/**
 * Reports about a backend, and wishes for it: from checks, its agent, the resolver, data planes, operators and the
 * configuration. Each one changes the backend's record, emits events, and asks for a new plan.
 *
 * Place: a part of `Upstream`, which holds the records. Pure functions decide (eligibility.ts, ejection.ts); this file
 * only changes records and emits events about it.
 * Invariant: a report about a backend that has gone has no effect. Reports may come late.
 */
import { failureWords } from '../../support/failure-words.ts';
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
  /** The configuration of checks as it is now. */
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

  /** Takes new settings over. What an operator has set since stays, unless the configuration changes that very key. */
  configure(id: string, after: BackendConfig, before: BackendConfig | undefined): void {
    this.#change(id, record => {
      if (record.settings.drains !== after.drains)
        this.#deps.events.emit('backend:stateSet', {
          upstream: this.#deps.upstream,
          backend: id,
          state: after.drains === true ? 'drain' : 'ready',
          by: 'source',
        });
      record.settings = after;
      const isWeightNew = before === undefined || before.weight !== after.weight;
      const isLimitNew = before?.maxSessions !== after.maxSessions;
      if (isWeightNew) record.weight = after.weight;
      if (isWeightNew || isLimitNew) this.#tellShare(record, 'configuration');
    });
  }

  /** There is no agent any more: its last answers do not count. */
  forgetAgent(id: string): void {
    this.#change(id, record => {
      if (record.agent === undefined) return;
      this.#changeHealth(record, 'it has no agent any more', () => (record.agent = undefined));
    });
  }

  /** The backend is not checked any more, and counts as well. */
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

  /** Takes an answer of the backend's agent. */
  hearAgent(id: string, answer: AgentAnswer): void {
    const record = this.#deps.find(id);
    if (record === undefined) return;
    const before = record.agent ?? AGENT_SILENT;
    const after = afterAnswer(before, answer);
    const reason = `its agent says ${after.health}${answer.why === undefined ? '' : `: ${answer.why}`}`;
    if (after.health === 'down') record.against.agent = reason;
    this.#changeHealth(record, reason, () => {
      record.agent = { ...after, state: before.state };
    });
    const isShareNew = after.percent !== before.percent || after.maxSessions !== before.maxSessions;
    if (isShareNew) this.#tellShare(record, 'agent');
    const isStateNew = after.state !== before.state;
    if (isStateNew) this.#setState(record, after.state, 'agent', () => (record.agent = after));
    // Most answers change nothing, and need no new plan.
    if (isShareNew || isStateNew || after.health !== before.health) this.#deps.onChange();
  }

  /** The active check has reached a verdict. */
  setHealthy(id: string, healthy: boolean, reason: string): void {
    this.#change(id, record => {
      if (!healthy) record.against.checks = reason;
      this.#changeHealth(record, reason, () => {
        record.healthy = healthy;
        record.settled = true;
        record.checked = true;
      });
    });
  }

  /** Takes the result of one check; `failure` is undefined when it passed. Called before any verdict from it. */
  noteProbe(id: string, failure: string | undefined): void {
    const passed = failure === undefined;
    const record = this.#deps.find(id);
    if (record === undefined) return;
    record.checked = true;
    record.against.lastCheck = failure;
    if (passed) this.#deps.ejector.onProbePassed(record);
    else record.isOriginal = false;
    // A backend that waited for its first check and fails it changes no verdict, so `setHealthy` would not be called.
    const decides = !passed && !record.settled && this.#deps.health().initial === 'checked';
    if (decides) this.setHealthy(id, false, `its first health check failed: ${failure}`);
  }

  /** The backend's name was resolved for the first time, or to other addresses than before. */
  setAddresses(id: string, addresses: readonly Address[]): void {
    this.#change(id, record => {
      this.#changeHealth(record, 'name resolved', () => {
        record.addresses = addresses;
      });
    });
  }

  /** The backend's name cannot be resolved and no address is known; a known address would be kept instead. */
  reportUnresolved(id: string, reason: string): void {
    this.#change(id, record => {
      record.isOriginal = false;
      record.against.name = reason;
      this.#deps.events.emit('backend:down', { upstream: this.#deps.upstream, backend: id, reason });
    });
  }

  /** Takes a report of a data plane. */
  hear(event: BackendEvent): void {
    const record = this.#deps.find(event.backend);
    if (record === undefined) return;
    if (event.kind === 'backendFailing') this.#deps.ejector.onFailing(record, event.cause);
    else if (event.kind === 'trialEnded') this.#deps.ejector.onTrialEnded(record, event.failure);
    else record.lastFailure = failureWords(event.failure);
  }

  #change(id: string, change: (record: BackendRecord) => void): void {
    const record = this.#deps.find(id);
    if (record === undefined) return;
    change(record);
    this.#deps.onChange();
  }

  /** Emits an event when checks, agent and resolver together come to another result than before. */
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
    // In maint a backend is not checked, and it comes back as one that has never been checked.
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
