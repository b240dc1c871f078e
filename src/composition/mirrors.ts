/**
 * The mirror in force, and its replacement when `redis` changes: the one before takes its counts out, then the next begins.
 *
 * Place: a part of planes.ts. The mirror's code, and the client of Redis, are loaded only when `redis` is configured: that
 * takes a tenth of a second, and 8 MB.
 * Order: `prepare` reads the files that `redis` names and may fail; `pause` and `take` (or `discard`, and `follow`) come after.
 * Invariant: at most one mirror talks to Redis, so that an instance never meets its own name there.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/schema/schema.ts';
import type { CountedUpstreams, MirrorMaking } from '../control/mirror/create-mirror.ts';
import type { Mirror } from '../control/mirror/mirror.ts';
import type { MirroredUpstream } from '../control/mirror/upstream-mirror.ts';
import type { MirrorView } from '../model/snapshot.ts';

export interface NextMirror {
  /** Whether `redis` is another one than before. */
  readonly isOther: boolean;
  readonly mirror: Mirror | undefined;
  /** Gives it up, before `take`. */
  discard(): void;
}

export class Mirrors {
  readonly #deps: MirrorMaking & CountedUpstreams;
  #redis: Config['redis'];
  #mirror: Mirror | undefined;
  #mirrored: (upstream: string) => MirroredUpstream | undefined = () => undefined;
  #hasStarted = false;
  #isStopped = false;
  /** Mirrors before this one take their counts out; never rejects. */
  #leaving: Promise<unknown> = Promise.resolve();

  constructor(deps: MirrorMaking & CountedUpstreams) {
    this.#deps = deps;
  }

  view(): MirrorView | undefined {
    return this.#mirror?.view();
  }

  /** Throws LB4_CONFIG_INVALID when a file that `redis` names cannot be used. */
  async prepare(config: Config): Promise<NextMirror> {
    const { redis } = config;
    if (isDeepStrictEqual(redis, this.#redis)) {
      return { isOther: false, mirror: this.#mirror, discard: () => undefined };
    }
    if (redis === undefined) return { isOther: true, mirror: undefined, discard: () => undefined };
    const { createMirror, mirroredUpstream } = await import('../control/mirror/create-mirror.ts');
    const mirror = createMirror(config, this.#deps);
    this.#mirrored = upstream => mirroredUpstream(upstream, this.#deps);
    return { isOther: true, mirror, discard: () => void mirror?.stop() };
  }

  /** If another mirror follows, or none: the counts that this one has received count no longer. */
  pause({ isOther }: NextMirror): void {
    if (isOther) this.#mirror?.follow([]);
  }

  take(next: NextMirror, config: Config): void {
    if (next.isOther) {
      const before = this.#mirror;
      this.#redis = config.redis;
      this.#mirror = next.mirror;
      this.#leaving = Promise.all([this.#leaving, before?.stop()]);
      if (this.#hasStarted) this.#startSoon(next.mirror);
    }
    this.follow(config);
  }

  /** Shares the upstreams of a configuration. */
  follow({ upstreams }: Config): void {
    this.#mirror?.follow(upstreams.flatMap(({ name }) => this.#mirrored(name) ?? []));
  }

  start(): void {
    this.#hasStarted = true;
    this.#mirror?.start();
  }

  /** A successor with the same configuration takes over. A name that lb4 has made itself is no other process's. */
  stepAside(): void {
    if (this.#redis?.instance !== undefined) this.#mirror?.stepAside();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#leaving, this.#mirror?.stop()]);
  }

  #startSoon(mirror: Mirror | undefined): void {
    void this.#leaving.then(() => {
      if (this.#mirror === mirror && !this.#isStopped) mirror?.start();
    });
  }
}
