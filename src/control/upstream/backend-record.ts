/**
 * What control knows of one backend: its configuration, what operator and agent want, and what checks have found.
 *
 * Place: `Upstream` holds the records and changes them. The only exceptions are `Ejector` and `Ramps`, which look after
 * one field each. Identity is the configured address.
 */
import type { AgentWord } from '../../model/snapshot.ts';
import type { BackendStateWord, OperatorState } from '../../model/words.ts';
import { isIP } from 'node:net';
import type { BackendConfig, HealthConfig } from '../../config/schema/schema.ts';
import type { Slot } from '../../shared-memory/slot-table.ts';
import type { Address } from '../../support/address.ts';
import { NEVER_EJECTED, type Ejection } from './ejection.ts';
import { stricter, type BackendConditions } from './eligibility.ts';

/** What a backend's agent says in one answer; what the answer leaves out stays as it is. */
export interface AgentAnswer {
  /** Percent of the configured weight, from 0 on. */
  readonly percent?: number | undefined;
  readonly maxSessions?: number | undefined;
  readonly state?: OperatorState | undefined;
  readonly health?: 'up' | 'down' | undefined;
  /** Why the backend is down, in the agent's own words. */
  readonly why?: string | undefined;
}

/** Stands for an agent before its first answer. */
export const AGENT_SILENT: AgentWord = { percent: 100, maxSessions: undefined, state: 'ready', health: 'up' };

export interface BackendRecord {
  /** As configured. */
  settings: BackendConfig;
  /** Where its sessions are counted. */
  readonly slot: number;
  /** The tag of the slot (slot-table.ts). */
  readonly tag: number;
  /** The configured weight, or the one that an operator has set since. */
  weight: number;
  /** Where to connect now: the configured address, or those to which its name was last resolved; none before that. */
  addresses: readonly Address[];
  operator: OperatorState;
  /** Undefined until an agent has answered. */
  agent: AgentWord | undefined;
  /** The verdict of the checks; before there is one, what `health.initial` says. */
  healthy: boolean;
  /** See BackendConditions. */
  settled: boolean;
  /** Whether any check has been made. */
  checked: boolean;
  ejection: Ejection;
  /** How its last connect failed. */
  lastFailure: string;
  /** The reasons that were last given against it, and the failure of its last check; `whyOf` says which counts. */
  against: {
    checks?: string;
    lastCheck?: string | undefined;
    agent?: string;
    name?: string;
    ejection?: string;
  };
  /** Its state when the last plan was published, and since when. */
  shown: { state: BackendStateWord | 'removed' | undefined; sinceMs: number };
  /** Start of its slow start; undefined: it is in none. */
  rampSinceMs: number | undefined;
  /** Part of the upstream from its start on and never found unwell: such a backend needs no slow start. */
  isOriginal: boolean;
  /** Whether it took sessions in the plan last published. */
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
    against: {},
    shown: { state: undefined, sinceMs: 0 },
    rampSinceMs: undefined,
    isOriginal,
    tookSessions: false,
  };
}

/** What counts before the first check. */
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

/** The agent's word after an answer: what the answer says, and the rest as before. */
export function afterAnswer(before: AgentWord, answer: AgentAnswer): AgentWord {
  return {
    percent: answer.percent ?? before.percent,
    maxSessions: answer.maxSessions ?? before.maxSessions,
    state: answer.state ?? before.state,
    health: answer.health ?? before.health,
  };
}

/** What checks, agent and resolver say together; `unknown` before the checks have decided. */
export function soundnessOf(record: BackendRecord): 'up' | 'down' | 'unknown' {
  const { resolved, settled, healthy, agentUp } = conditionsOf(record);
  if (!resolved || !agentUp) return 'down';
  if (!settled) return 'unknown';
  return healthy ? 'up' : 'down';
}

/** The operator's, the agent's or the source's word, whichever is strictest. */
export function effectiveState({ operator, agent, settings }: BackendRecord): OperatorState {
  const ofBoth = agent === undefined ? operator : stricter(operator, agent.state);
  return settings.drains === true ? stricter(ofBoth, 'drain') : ofBoth;
}

/** Percent of the weight that the agent leaves. */
export function percentOf({ agent }: BackendRecord): number {
  return agent?.percent ?? 100;
}

/** The configured limit or the agent's, whichever is lower; without a slow start. */
export function maxSessionsOf({ settings, agent }: BackendRecord): number | undefined {
  // An agent that says 0 sets no limit, as with HAProxy.
  if (agent?.maxSessions === undefined || agent.maxSessions === 0) return settings.maxSessions;
  return Math.min(agent.maxSessions, settings.maxSessions ?? Infinity);
}

/** Its weight and limit as set by operator and agent, for people. */
export function shareOf(record: BackendRecord) {
  const maxSessions = maxSessionsOf(record);
  const { weight } = record;
  return { weight, percent: percentOf(record), ...(maxSessions === undefined ? {} : { maxSessions }) };
}

/** Whether lb4 can connect to the address as it is, without a resolver. */
export function isNumeric(address: Address): boolean {
  return address.kind === 'unix' || isIP(address.host) !== 0;
}
