/**
 * The waits of one session for a backend with room: how long they took, and whether its client is still there.
 *
 * Place: made by the session when it waits for the first time; most sessions never do.
 */
import type { Connection } from '../../engine/engine.ts';

export class QueueWaits {
  isWaiting = false;
  /** All waits that are over. */
  totalMs = 0;
  #sinceMs = 0;

  /** @param onReset the client has reset its connection */
  begin(client: Connection, nowMs: number, onReset: () => void): void {
    this.isWaiting = true;
    this.#sinceMs = nowMs;
    client.watch(change => {
      // A client that has only finished sending still wants its answer.
      if (change === 'dead' && client.wasReset) onReset();
    });
  }

  /** Returns how long this wait took. */
  end(client: Connection, nowMs: number): number {
    this.isWaiting = false;
    client.unwatch();
    const waitedMs = nowMs - this.#sinceMs;
    this.totalMs += waitedMs;
    return waitedMs;
  }
}
