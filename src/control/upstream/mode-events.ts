/**
 * The events of an upstream as a whole: down, panic, backups and queueing. Each is emitted once when its state begins
 * and once when it ends.
 *
 * Place: `Upstream` passes on every judgement that it publishes, and what data planes report of their queues.
 */
import type { UpstreamMode } from '../../model/words.ts';
import type { Events } from '../../model/events.ts';
import type { ControlledState } from '../../shared-memory/shared-state.ts';
import type { Judgement } from './eligibility.ts';

export interface ModeEventsDeps {
  readonly events: Events;
  now(): number;
  readonly shared: ControlledState;
}

export class ModeEvents {
  readonly #upstream: string;
  readonly #events: Events;
  readonly #deps: ModeEventsDeps;
  /** The mode last reported. An upstream that begins well needs no event. */
  #told: UpstreamMode = 'normal';
  #hasServed = false;
  #queueingSinceMs: number | undefined;

  constructor(upstream: string, deps: ModeEventsDeps) {
    this.#upstream = upstream;
    this.#events = deps.events;
    this.#deps = deps;
  }

  /**
   * @param waiting whether a backend waits for its first check: at the start this alone does not make an upstream down
   * @param backups the backups that stand in, if any do
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

  /** Takes one data plane's report of its queue. While sessions wait anywhere, another data plane has yet to report. */
  followQueue(isQueueing: boolean): void {
    const upstream = this.#upstream;
    const { shared } = this.#deps;
    const order = shared.upstream(upstream).queue;
    const waiting = shared.counts.live(shared.slotOfQueue(upstream));
    const sinceMs = this.#queueingSinceMs;
    if (isQueueing && sinceMs === undefined) {
      this.#queueingSinceMs = this.#deps.now();
      order.forgetWaits();
      this.#events.emit('upstream:queueing', { upstream });
    } else if (!isQueueing && sinceMs !== undefined && waiting === 0) {
      this.#queueingSinceMs = undefined;
      const forMs = Math.round(this.#deps.now() - sinceMs);
      this.#events.emit('upstream:queueingEnded', { upstream, forMs, longestMs: order.longestWaitMs });
    }
  }
}
