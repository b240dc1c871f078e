/**
 * The events of an upstream as a whole: down, panic, backups and queueing, each told once when it begins and once
 * when it ends.
 *
 * Place: `Upstream` reports every judgement that it publishes, and what data planes tell of their queues.
 */
import type { Events } from '../events.ts';
import type { Judgement, UpstreamMode } from './eligibility.ts';

export class ModeEvents {
  readonly #upstream: string;
  readonly #events: Events;
  /** As told last; nobody needs to be told that it begins well. */
  #told: UpstreamMode = 'normal';
  #hasServed = false;
  #isQueueing = false;

  constructor(upstream: string, events: Events) {
    this.#upstream = upstream;
    this.#events = events;
  }

  /**
   * @param waiting whether a backend waits for its first check: at the start an upstream is not down because of it
   * @param backups those that stand in, if backups do
   */
  follow({ mode, well, of }: Judgement, waiting: boolean, backups: readonly string[]): void {
    if (mode !== 'down') this.#hasServed = true;
    else if (waiting && !this.#hasServed) return;
    const before = this.#told;
    if (mode === before) return;
    this.#told = mode;
    const upstream = this.#upstream;
    if (before === 'panic') this.#events.emit('upstream:panicEnded', { upstream, well, of });
    if (before === 'backups') this.#events.emit('upstream:backupsEnded', { upstream });
    if (before === 'down') this.#events.emit('upstream:up', { upstream });
    if (mode === 'panic') this.#events.emit('upstream:panic', { upstream, well, of });
    if (mode === 'backups') this.#events.emit('upstream:backups', { upstream, backends: backups });
    if (mode === 'down') this.#events.emit('upstream:down', { upstream });
  }

  /** @param waiting sessions of all data planes that wait: while there are any, another one has yet to tell */
  followQueue(isQueueing: boolean, waiting: number): void {
    if (isQueueing === this.#isQueueing || (!isQueueing && waiting > 0)) return;
    this.#isQueueing = isQueueing;
    this.#events.emit(isQueueing ? 'upstream:queueing' : 'upstream:queueingEnded', {
      upstream: this.#upstream,
    });
  }
}
