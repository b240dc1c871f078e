/**
 * Why a backend is in its state, in words for people: what was said against it last.
 *
 * Place: upstream-status.ts shows it. The texts are those of the events that announced the state.
 */
import type { BackendStatus } from '../../model/snapshot.ts';
import type { BackendRecord } from './backend-record.ts';

/** Undefined for a backend that is well, and for one that was removed. */
export function whyOf(record: BackendRecord, state: BackendStatus['state']): string | undefined {
  switch (state) {
    case 'down':
      return whyDown(record);
    case 'unresolved':
      return record.against.name ?? 'its name has not been resolved yet';
    case 'ejected':
    case 'trial':
      return record.against.ejection;
    case 'drain':
    case 'maint':
      return whyOut(record, state);
    case 'up':
    case 'standby':
    case 'removed':
      return undefined;
  }
}

function whyDown({ against, settled, healthy, agent }: BackendRecord): string | undefined {
  const reasons: string[] = [];
  if (!settled) reasons.push('it waits for its first health check');
  else if (!healthy) reasons.push(...checksSay(against));
  if (agent?.health === 'down') reasons.push(against.agent ?? 'its agent says down');
  return reasons.length === 0 ? undefined : reasons.join('; ');
}

/** The verdict, and the latest answer if that is another one by now. */
function checksSay({ checks, lastCheck }: BackendRecord['against']): string[] {
  if (checks === undefined) return lastCheck === undefined ? [] : [lastCheck];
  return lastCheck === undefined || checks.includes(lastCheck) ? [checks] : [checks, `now: ${lastCheck}`];
}

function whyOut({ operator, agent, settings }: BackendRecord, state: 'drain' | 'maint'): string {
  if (operator === state) return 'set by an operator';
  if (agent?.state === state) return 'set by its agent';
  if (settings.drains === true) return 'its source has not heard of it in time';
  return agent?.percent === 0 ? 'its agent leaves it no weight' : 'its weight is 0';
}
