/**
 * Whose turn it is under `roundrobin`, for all workers together.
 *
 * Place: `UpstreamRuntime` makes it once, its pickers hand it to their strategies. An upstream has two rings: the
 * backends that take sessions, and the backups that stand by.
 */
import { turnRecords, type Candidate, type Turns } from '../../../strategies/index.ts';
import type { TurnNumbers, TurnRing } from '../../shared-memory/turn-rings.ts';
import type { TurnRings } from '../../shared-memory/upstream-state.ts';
import { PickerCandidate } from './candidate.ts';

export interface SharedTurns {
  readonly main: Turns;
  readonly reserve: Turns;
}

export function sharedTurns({ main, reserve }: TurnRings, numbers: TurnNumbers): SharedTurns {
  return { main: turnsOf(main, numbers), reserve: turnsOf(reserve, numbers) };
}

function turnsOf(ring: TurnRing, numbers: TurnNumbers): Turns {
  return {
    head: ring.head,
    records: turnRecords(numbers.memory),
    placeOf: slotOf,
    enter: () => ring.enter(),
    leave: () => ring.leave(),
  };
}

function slotOf(candidate: Candidate, index: number): number {
  return candidate instanceof PickerCandidate ? candidate.runtime.slot : index;
}
