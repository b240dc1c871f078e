/**
 * What control knows of one backend: as configured, as operator and agent want it, and as it was found.
 *
 * Place: `Upstream` holds and changes them; nothing else does, except that `Ejector` and `Ramps` each look after
 * one field. Identity is the configured address.
 */
import type { AgentWord } from '../../model/snapshot.ts';
import type { OperatorState } from '../../model/words.ts';
import { isIP } from 'node:net';
import type { BackendConfig, HealthConfig } from '../../config/schema/schema.ts';
import type { Slot } from '../../shared-memory/slot-table.ts';
import type { Address } from '../../support/address.ts';
import { NEVER_EJECTED, type Ejection } from './ejection.ts';
import { stricter, type BackendConditions } from './eligibility.ts';

/** What a backend's agent says in one answer; what it does not speak of stays as it is. */
export interface AgentAnswer {
  /** Of its weight, from 0 on. */
  readonly percent?: number | undefined;
  readonly maxSessions?: number | undefined;
  readonly state?: OperatorState | undefined;
  readonly health?: 'up' | 'down' | undefined;
  /** Why it is down, in its own words. */
  readonly why?: string | undefined;
}

/** Before its first answer. */
export const AGENT_SILENT: AgentWord = { percent: 100, maxSessions: undefined, state: 'ready', health: 'up' };

export interface BackendRecord {
  /** As configured. */
  settings: BackendConfig;
  /** Where it is counted. */
  readonly slot: number;
  /** The slot's (slot-table.ts). */
  readonly tag: number;
  /** As configured, or as an operator has set it since. */
  weight: number;
  /** Where to connect now: the configured address, or what its name was last resolved to; none before that. */
  addresses: readonly Address[];
  operator: OperatorState;
  /** Undefined as long as no agent has answered. */
  agent: AgentWord | undefined;
  /** The verdict of the checks, or what `health.initial` takes it for. */
  healthy: boolean;
  /** See BackendConditions. */
  settled: boolean;
  /** Whether any check has been made. */
  checked: boolean;
  ejection: Ejection;
  /** How its last connect failed. */
  lastFailure: string;
  /** Since when it gets its share little by little. */
  rampSinceMs: number | undefined;
  /** Part of the upstream from its start on, and never found unwell: it needs no slow start. */
  isOriginal: boolean;
  /** As last published. */
  tookSessions: boolean;
}

export function createRecord(
  settings: BackendConfig,
  { index, tag }: Slot,
  health: HealthConfig,
  isOriginal: boolean,
): BackendRecord {
  return {
    settings,
    slot: index,
    tag,
    weight: settings.weight,
    addresses: isNumeric(settings.address) ? [settings.address] : [],
    operator: 'ready',
    agent: undefined,
    ...uncheckedHealth(health),
    ejection: NEVER_EJECTED,
    lastFailure: 'unknown',
    rampSinceMs: undefined,
    isOriginal,
    tookSessions: false,
  };
}

/** What is taken for true before the first check. */
export function uncheckedHealth({
  type,
  initial,
}: HealthConfig): Pick<BackendRecord, 'healthy' | 'settled' | 'checked'> {
  const isTrusted = type === 'off' || initial === 'up';
  return { healthy: isTrusted, settled: isTrusted, checked: false };
}

export function conditionsOf(record: BackendRecord): BackendConditions {
  const { settings, weight, addresses, healthy, settled, agent, ejection } = record;
  return {
    resolved: addresses.length > 0,
    settled,
    healthy,
    agentUp: agent?.health !== 'down',
    operator: effectiveState(record),
    ejection: ejection.phase,
    backup: settings.backup,
    weight: weight * percentOf(record),
  };
}

/** What an answer changes, and what stays as it was. */
export function afterAnswer(before: AgentWord, answer: AgentAnswer): AgentWord {
  return {
    percent: answer.percent ?? before.percent,
    maxSessions: answer.maxSessions ?? before.maxSessions,
    state: answer.state ?? before.state,
    health: answer.health ?? before.health,
  };
}

/** What checks, agent and resolver say together; unknown before anything has been found out. */
export function soundnessOf(record: BackendRecord): 'up' | 'down' | 'unknown' {
  const { resolved, settled, healthy, agentUp } = conditionsOf(record);
  if (!resolved || !agentUp) return 'down';
  if (!settled) return 'unknown';
  return healthy ? 'up' : 'down';
}

/** The operator's or the agent's word, whichever is stricter. */
export function effectiveState({ operator, agent }: BackendRecord): OperatorState {
  return agent === undefined ? operator : stricter(operator, agent.state);
}

/** What the agent leaves of the weight. */
export function percentOf({ agent }: BackendRecord): number {
  return agent?.percent ?? 100;
}

/** The configured limit or the agent's, whichever is lower; without a slow start. */
export function maxSessionsOf({ settings, agent }: BackendRecord): number | undefined {
  // An agent that says 0 sets no limit, as with HAProxy.
  if (agent?.maxSessions === undefined || agent.maxSessions === 0) return settings.maxSessions;
  return Math.min(agent.maxSessions, settings.maxSessions ?? Infinity);
}

/** Its weight and limit as operator and agent have them, for people. */
export function shareOf(record: BackendRecord) {
  const maxSessions = maxSessionsOf(record);
  const { weight } = record;
  return { weight, percent: percentOf(record), ...(maxSessions === undefined ? {} : { maxSessions }) };
}

/** Can it be connected to as it stands, without asking a resolver? */
export function isNumeric(address: Address): boolean {
  return address.kind === 'unix' || isIP(address.host) !== 0;
}
