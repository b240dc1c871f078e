/**
 * Takes a client in: past the gates that need no bytes, into its places, and into a session.
 *
 * Place: a part of the data plane, between a listener's front and the session.
 * Invariants:
 * - A client that is refused here costs a look at its address: it gets no session, no place and no id.
 * - A client without a place is asked by no gate, and waits at its listener.
 * - After `abortAll` no session begins.
 */
import { enterAll } from './admission/gate.ts';
import { Passage } from './admission/passage.ts';
import type { UpstreamRuntime } from './dispatch/upstream-runtime.ts';
import type { Connection } from '../engine/engine.ts';
import type { Front as FrontOf } from './listener/front.ts';
import type { Termination } from '../model/termination.ts';
import type { CountedSessions } from './session/counted-sessions.ts';
import type { SessionDeps, Way } from './session/session-deps.ts';
import { Session } from './session/session.ts';
import { LISTENER } from '../shared-memory/counters/layout.ts';

export type Front = FrontOf<UpstreamRuntime>;

/** Figures that the host reads. */
export interface Ledger {
  sessionsEver: number;
  /** Sessions that the data plane's `abortSessions` and `spreadResets` have ended. */
  sessionsAborted: number;
}

export class Intake {
  readonly #sessions: CountedSessions<Session<Front>>;
  readonly #ledger: Ledger;
  readonly #deps: SessionDeps<Front>;
  #abortedAs: Termination | undefined;

  constructor(sessions: CountedSessions<Session<Front>>, ledger: Ledger, deps: SessionDeps<Front>) {
    this.#sessions = sessions;
    this.#ledger = ledger;
    this.#deps = deps;
  }

  /** From now on each client is counted as a session that has ended so. */
  abortAll(termination: Termination): void {
    this.#abortedAs = termination;
  }

  /** False when there is no place: the limit that is reached holds the listener then. */
  take(front: Front, client: Connection): boolean {
    if (this.#abortedAs !== undefined) {
      this.#abort(front, client, this.#abortedAs);
      return true;
    }
    const { gates, places } = front;
    if (gates.length === 0) {
      if (!enterAll(places)) return false;
      this.#begin(front, client).start();
      return true;
    }
    if (places.some(({ isFull }) => isFull)) return false;
    const { peerAddress: clientAddress, peerPort: clientPort } = client;
    const facts = { clientAddress, clientPort, upstream: front.upstream };
    const passage = new Passage(gates, facts, front.refused, front.undecided);
    const halt = passage.askAtOnce();
    if (halt?.kind === 'refuse') {
      if (halt.isDropped === true) this.#deps.engine.drop(client);
      else client.reset();
      return true;
    }
    if (!enterAll(places)) {
      passage.undo();
      return false;
    }
    this.#begin(front, client, passage).start();
    return true;
  }

  #abort(front: Front, client: Connection, termination: Termination): void {
    const session = this.#begin(front, client);
    for (const place of front.places) place.enterAnyway();
    this.#ledger.sessionsAborted += 1;
    session.abort(termination);
  }

  #begin(front: Front, client: Connection, passage?: Way): Session<Front> {
    front.sessions += 1;
    front.cells.add(LISTENER.started, 0, 1);
    const number = (this.#ledger.sessionsEver += 1);
    const session = new Session(number, client, front, this.#deps, passage);
    this.#sessions.add(session);
    return session;
  }
}
