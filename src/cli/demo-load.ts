/**
 * Clients of `lb4 demo`, so that there is something to see: about fifty sessions a second, of which some last.
 *
 * Place: a key of the demo switches it on and off. In the same process, with a connection per request.
 */
import { get } from 'node:http';

const EVERY_MS = 20;
/** One in this many asks for what takes long. */
const SLOW_ONE_IN = 12;
/** More would only wait, as long as backends do not answer. */
const MOST_AT_ONCE = 500;

export class DemoLoad {
  readonly #url: string;
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  #underWay = 0;

  /** @param url of the balancer, ending in `/` */
  constructor(url: string) {
    this.#url = url;
  }

  /** Returns whether it is on then. */
  toggle(): boolean {
    if (this.#timer !== undefined) {
      this.stop();
      return false;
    }
    this.#timer = setInterval(() => this.#ask(), EVERY_MS);
    return true;
  }

  /** No new requests; those that are under way go on. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #ask(): void {
    if (this.#underWay >= MOST_AT_ONCE) return;
    this.#asked += 1;
    this.#underWay += 1;
    const path = this.#asked % SLOW_ONE_IN === 0 ? 'slow' : '';
    const request = get(`${this.#url}${path}`, { agent: false }, response => {
      response.on('error', () => undefined).resume();
    });
    request.on('error', () => undefined);
    request.once('close', () => (this.#underWay -= 1));
  }
}
