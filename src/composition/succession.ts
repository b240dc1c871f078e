/**
 * How a balancer hands over to another process: whether it may, and what is refused meanwhile.
 *
 * Place: `load-balancer.ts` has one. The command line starts the other process and speaks with it.
 */
import { Lb4Error } from '../errors.ts';
import type { Inheritance } from '../model/inheritance.ts';
import type { LoadBalancerState } from '../model/snapshot.ts';
import type { Planes } from './planes.ts';

export class Succession {
  #state: 'none' | 'underWay' | 'done' = 'none';

  /** The successor has taken over. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Throws LB4_WRONG_STATE while a successor starts: it would not learn of the change. */
  expectNone(): void {
    if (this.#state !== 'underWay') return;
    throw new Lb4Error('LB4_WRONG_STATE', 'cannot change a backend now: another lb4 is about to take over');
  }

  /** See `LoadBalancer.handOver`. */
  async run(
    state: LoadBalancerState,
    planes: Planes | undefined,
    start: (inheritance: Inheritance) => Promise<readonly string[]>,
  ): Promise<void> {
    if (state !== 'running' || planes === undefined)
      throw new Lb4Error('LB4_WRONG_STATE', `cannot hand over: it is ${state}`);
    const inheritance = planes.toHandOver();
    if (inheritance === undefined) throw new Lb4Error('LB4_ENGINE_UNAVAILABLE', 'no C library can be had');
    this.#state = 'underWay';
    let taken: readonly string[];
    try {
      taken = await start(inheritance);
    } catch (error) {
      this.#state = 'none';
      throw error;
    }
    planes.handedOver(taken);
    this.#state = 'done';
  }
}
