/**
 * The event `status`, made once a second for all clients that follow it, and with one upstream for those that follow that.
 *
 * Place: event-streams.ts sends it.
 */
import { statusText } from './event-text.ts';

/** Once made it is sent for as long. */
export const STATUS_MS = 1_000;

export interface StatusBody {
  readonly upstreams: readonly { readonly name: string }[];
}

export class StatusBytes {
  readonly #status: () => StatusBody;
  readonly #uptimeMs: () => number;
  readonly #made = new Map<string | undefined, Buffer>();
  #body: StatusBody | undefined;
  #atMs = 0;

  /** @param uptimeMs milliseconds since the process began */
  constructor(status: () => StatusBody, uptimeMs: () => number) {
    this.#status = status;
    this.#uptimeMs = uptimeMs;
  }

  /** To be shared by clients; with this upstream only, if one is given. */
  of(upstream: string | undefined): Buffer {
    if (this.#uptimeMs() - this.#atMs >= STATUS_MS) this.forget();
    if (this.#body === undefined) {
      this.#body = this.#status();
      this.#atMs = this.#uptimeMs();
    }
    let bytes = this.#made.get(upstream);
    if (bytes === undefined) {
      const upstreams = this.#body.upstreams.filter(
        ({ name }) => upstream === undefined || name === upstream,
      );
      bytes = Buffer.from(statusText({ ...this.#body, upstreams }));
      this.#made.set(upstream, bytes);
    }
    return bytes;
  }

  forget(): void {
    this.#body = undefined;
    this.#made.clear();
  }
}
