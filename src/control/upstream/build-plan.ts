/**
 * One upstream's plan for the data plane: settings, judgement and records as plain values.
 *
 * Place: `Upstream` publishes it. Pure.
 * Invariants:
 * - Weights are whole numbers in one proportion.
 * - Sessions of a backend that gets new ones in panic are not reset.
 */
import type { UpstreamConfig } from '../../config/schema/schema.ts';
import { effectiveState, maxSessionsOf, percentOf, type BackendRecord } from './backend-record.ts';
import type { BackendJudgement, Judgement } from './eligibility.ts';
import { scaleMaxSessions, scaleWeights } from './slow-start.ts';
import type { CounterChunk } from '../../shared-memory/counters/counters.ts';
import type { BackendPlan, UpstreamPlan, UpstreamSettings } from '../../model/upstream-plan.ts';

export interface PlanParts {
  readonly settings: UpstreamSettings;
  readonly whenDown: UpstreamConfig['whenDown'];
  readonly leaveBackups: UpstreamConfig['leaveBackups'];
  readonly records: readonly BackendRecord[];
  /** The judgement on the records, in their order. */
  readonly judgement: Judgement;
  /** Removed backends whose sessions are to be reset. */
  readonly leaving: readonly BackendRecord[];
  /** Where these slots are counted. */
  countersOf(slots: readonly number[]): readonly CounterChunk[];
  permilleOf(record: BackendRecord): number;
}

export function buildPlan(parts: PlanParts): UpstreamPlan {
  const { settings, records, judgement, leaving } = parts;
  const weights = scaleWeights(
    records.map(record => ({
      weight: record.weight,
      permille: parts.permilleOf(record),
      percent: percentOf(record),
    })),
  );
  const isPrimaryWell = records.some(
    ({ settings }, i) => !settings.backup && judgement.backends[i]?.well === true,
  );
  const leavesBackups = parts.leaveBackups === 'reset' && isPrimaryWell;
  const staying = records.map((record, i): BackendPlan => {
    const {
      takesSessions = false,
      trial = false,
      reserve = false,
      well = false,
      state = 'down',
    }: Partial<BackendJudgement> = judgement.backends[i] ?? {};
    return {
      id: record.settings.id,
      slot: record.slot,
      tag: record.tag,
      addresses: record.addresses,
      weight: weights[i] ?? 0,
      maxSessions: scaleMaxSessions(maxSessionsOf(record), parts.permilleOf(record)),
      eligible: takesSessions,
      trial,
      reserve,
      well,
      resetSessions: parts.whenDown === 'reset' && !takesSessions && isDown(record, state),
      ...(leavesBackups && record.settings.backup ? { isLeft: true } : {}),
    };
  });
  const backends = [...staying, ...leaving.map(leavingPlan)];
  const counters = parts.countersOf([settings.queueSlot, ...backends.map(({ slot }) => slot)]);
  return { ...settings, backends, counters };
}

/** Whether it is down by check or agent, or in maint. A backend that only waits for its first check is not. */
function isDown(record: BackendRecord, state: BackendJudgement['state']): boolean {
  if (effectiveState(record) === 'maint') return true;
  return state !== 'unresolved' && record.settled && (!record.healthy || record.agent?.health === 'down');
}

function leavingPlan({ settings, slot, tag, addresses }: BackendRecord): BackendPlan {
  return {
    id: settings.id,
    slot,
    tag,
    addresses,
    weight: 0,
    maxSessions: settings.maxSessions,
    eligible: false,
    trial: false,
    reserve: false,
    well: false,
    resetSessions: true,
  };
}
