/**
 * Sends requests when a schedule says so, on whatever connections are free, and times each from its planned moment.
 *
 * Place: the logic of paced-client.ts without sockets and clock.
 * Why: a client that waits for an answer before it sends the next request stops asking while a balancer stalls, so
 * its percentiles leave the stall out (coordinated omission; Tene, "How NOT to Measure Latency"). Here what is due
 * and finds no free connection waits in line, and its waiting counts as latency.
 * Invariants: requests are sent in order, each once; a latency is never measured from a later moment than planned.
 */
import type { Schedule } from './schedule.ts';

export interface OpenLoopDeps<Lane> {
  /** Puts one request on the lane (a connection). */
  send(lane: Lane): void;
  /** One request was answered, so many milliseconds after its planned moment. */
  answered(index: number, latencyMs: number): void;
}

export class OpenLoop<Lane> {
  readonly #schedule: Schedule;
  readonly #deps: OpenLoopDeps<Lane>;
  readonly #free: Lane[] = [];
  /** The request that each busy lane carries. */
  readonly #inFlight = new Map<Lane, number>();
  /** The first request that has not been sent; those that are due stand in line from here on. */
  #next = 0;
  #done = 0;

  constructor(schedule: Schedule, deps: OpenLoopDeps<Lane>) {
    this.#schedule = schedule;
    this.#deps = deps;
  }

  /** Requests that were neither answered nor lost. */
  get open(): number {
    return this.#schedule.total - this.#done;
  }

  /** A lane more to send on. */
  join(lane: Lane): void {
    this.#free.push(lane);
  }

  /** Sends what is due by now (milliseconds since the start), as far as there are free lanes. */
  advance(nowMs: number): void {
    while (this.#next < this.#schedule.total && this.#schedule.plannedMs(this.#next) <= nowMs) {
      const lane = this.#free.shift();
      if (lane === undefined) return;
      this.#inFlight.set(lane, this.#next++);
      this.#deps.send(lane);
    }
  }

  /** The lane's answer is complete: it is free for the next request in line. False if it owed no answer. */
  completed(lane: Lane, nowMs: number): boolean {
    const index = this.#inFlight.get(lane);
    if (index === undefined) return false;
    this.#inFlight.delete(lane);
    this.#deps.answered(index, nowMs - this.#schedule.plannedMs(index));
    this.#done++;
    this.#free.push(lane);
    this.advance(nowMs);
    return true;
  }

  /** The lane is gone, and with it the request that was on it. */
  lost(lane: Lane): void {
    if (this.#inFlight.delete(lane)) this.#done++;
    const index = this.#free.indexOf(lane);
    if (index >= 0) this.#free.splice(index, 1);
  }
}
