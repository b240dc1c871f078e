/**
 * One Redis for the instances of a simulation: the model of `memory-exchange.ts`, with a delay on the way there, back,
 * and on each change.
 *
 * Place: stands in for Redis behind the contract of `src/control/mirror/exchange.ts`.
 * Invariant: messages to one instance arrive in the order of sending.
 */
import type { Exchange } from '../control/mirror/exchange.ts';
import type { EventClock } from './event-clock.ts';
import { MemoryHub } from './memory-exchange.ts';

export class ModelRedis {
  readonly #clock: EventClock;
  readonly #delayMs: number;
  readonly #hub: MemoryHub;

  /** @param delayMs one way */
  constructor(clock: EventClock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#hub = new MemoryHub({ now: clock.now, deliver: tell => void clock.setTimer(tell, delayMs) });
  }

  connect(): Exchange {
    const near = this.#hub.connect();
    const onTheWay = (): Promise<void> => this.#clock.pass(this.#delayMs);
    return {
      exchange: async publication => {
        await onTheWay();
        const answer = await near.exchange(publication);
        await onTheWay();
        return answer;
      },
      withdraw: async who => {
        await onTheWay();
        await near.withdraw(who);
      },
      onChange: listener => near.onChange(listener),
      onReady: listener => near.onReady(listener),
      close: () => near.close(),
    };
  }
}
