/**
 * Writes `/metrics` to those who ask for it, piece by piece, with a turn of everything else between two pieces.
 *
 * Place: routes/metrics.ts waits for its rendering and adds its response.
 * Why: in a process without workers the same thread moves the bytes of sessions.
 * Invariants:
 * - One rendering at a time. Requests for the same text that come meanwhile share the next rendering and its bytes: any
 *   number at once costs little more than two.
 * - All figures of a rendering are taken in one step, after the request has come.
 * - A client that is slow holds up no other one, and bytes for one that has gone are not kept.
 */
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Takes the figures and begins; throws where there is nothing to show. */
export type Begin = () => Iterable<string>;

export interface Rendering {
  /** Resolves when the response has got everything. To be called within the turn. */
  sendTo(response: ServerResponse): Promise<void>;
}

export class Scrapes {
  /** By what is asked for: the rendering that has not begun. */
  readonly #next = new Map<string, Promise<Rendering>>();
  /** The last rendering that was asked for; never rejects. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Resolves when the turn of this request has come; rejects with what `begin` throws.
   * @param key the same for requests that want the same
   */
  next(key: string, begin: Begin): Promise<Rendering> {
    const known = this.#next.get(key);
    if (known !== undefined) return known;
    let isOver: () => void = () => undefined;
    const over = new Promise<void>(resolve => (isOver = resolve));
    const rendering = this.#last.then(() => {
      this.#next.delete(key);
      return render(begin(), isOver);
    });
    rendering.catch(isOver);
    this.#next.set(key, rendering);
    this.#last = over;
    return rendering;
  }
}

function render(pieces: Iterable<string>, isOver: () => void): Rendering {
  const responses = new Set<ServerResponse>();
  const whole = send(pieces, responses).finally(isOver);
  // Each response awaits it.
  whole.catch(() => undefined);
  return {
    async sendTo(response) {
      responses.add(response);
      response.once('close', () => responses.delete(response));
      await whole;
    },
  };
}

async function send(pieces: Iterable<string>, responses: ReadonlySet<ServerResponse>): Promise<void> {
  // The responses are added until then.
  await nextTurn();
  for (const piece of pieces) {
    if (responses.size === 0) return;
    if (piece !== '') {
      const bytes = Buffer.from(piece);
      for (const response of responses) response.write(bytes);
    }
    await nextTurn();
  }
  for (const response of responses) response.end();
}
