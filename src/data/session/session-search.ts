/**
 * Sessions of one data plane that match a query, to be shown or ended.
 *
 * Place: used by the data plane, for operators.
 * Why sessions are ended in batches: ten thousand resets in one turn hold up the bytes of all other sessions.
 */
import { matcherOf, type SessionQuery, type SessionView } from '../../model/session-view.ts';
import type { Termination } from '../../model/termination.ts';

/** What it needs of a session. */
export interface Searched {
  readonly id: string;
  view(): SessionView;
  /** False when it has ended already. */
  abort(termination: Termination): boolean;
}

const PER_TURN = 100;

export function findSessions<S extends Searched>(
  sessions: Iterable<S>,
  query: SessionQuery,
): { readonly session: S; readonly view: SessionView }[] {
  const found: { session: S; view: SessionView }[] = [];
  const matches = matcherOf(query);
  for (const session of sessions) {
    if (found.length >= query.limit) break;
    // Without a view of each session when only one is looked for.
    if (query.id !== undefined && query.id !== session.id) continue;
    const view = session.view();
    if (matches(view)) found.push({ session, view });
  }
  return found;
}

/** Resets what matches, a batch per turn of the loop; resolves with the number of sessions that this has ended. */
export async function endSessions(sessions: Iterable<Searched>, query: SessionQuery): Promise<number> {
  let ended = 0;
  const found = findSessions(sessions, query).map(({ session }) => session);
  for (let batch = found.splice(0, PER_TURN); batch.length > 0; batch = found.splice(0, PER_TURN)) {
    for (const session of batch) {
      const { phase } = session.view();
      if (session.abort({ by: 'balancer', phase, reason: 'operator' })) ended++;
    }
    if (found.length > 0) await new Promise(resolve => setImmediate(resolve));
  }
  return ended;
}
