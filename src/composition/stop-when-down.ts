/**
 * Which listeners do not listen because their upstream has no backend (`stopWhenDown`), and when that changes.
 *
 * Place: a part of `Planes`, which marks the listeners in its plans (`isStopped`); hosts close and bind their sockets.
 * Invariants:
 * - A listener changes when it is known whether its upstream has a backend; until then it stays as it is, and one that
 *   is new does not listen.
 * - Nothing changes while a configuration is being taken over, nor before a successor owns its sockets.
 * - A listener that cannot listen again keeps none of the others from it.
 * - The process lives on although it may have no socket left.
 */
import type { Config } from '../config/schema/schema.ts';
import { wordsOf } from '../errors.ts';
import type { Events } from '../model/events.ts';
import type { SetTimer } from '../support/timer.ts';

/** How long after a listener could not listen again it is tried once more. */
const AGAIN_MS = 1_000;

export interface StopWhenDownDeps {
  readonly events: Events;
  readonly setTimer: SetTimer;
  /** Keeps the process alive until the returned function is called. */
  stayAlive(): () => void;
  /** Listens as configured, but for these listeners. Rejects where it cannot, and then they are as before. */
  listen(stopped: ReadonlySet<string>): Promise<void>;
  /** The addresses at which a listener listens now. */
  addressesOf(listener: string): readonly string[];
  /** Does the work when the balancer changes nothing else; not at all once it takes no more clients. Never rejects. */
  whenIdle(work: () => Promise<void>): Promise<void>;
}

type Configured = Pick<Config, 'listeners' | 'upstreams'>;

export class StopWhenDown {
  readonly #deps: StopWhenDownDeps;
  /** By upstream: what was known last. */
  readonly #hasBackend = new Map<string, boolean>();
  #config: Configured = { listeners: [], upstreams: [] };
  #stopped: ReadonlySet<string> = new Set();
  /** Of those, the ones whose upstream is known to have no backend. */
  readonly #announced = new Set<string>();
  #isHeld: boolean;
  #isDue = false;
  #isOver = false;
  #cancelAgain: (() => void) | undefined;
  /** Undefined while every listener listens. */
  #endLife: (() => void) | undefined;

  /** @param isHeld a predecessor's sockets are not its own yet: all listeners listen until `release` */
  constructor(isHeld: boolean, deps: StopWhenDownDeps) {
    this.#isHeld = isHeld;
    this.#deps = deps;
  }

  /** Undefined: checks have yet to decide. */
  follow(upstream: string, hasBackend: boolean | undefined): void {
    if (hasBackend === undefined || this.#hasBackend.get(upstream) === hasBackend) return;
    this.#hasBackend.set(upstream, hasBackend);
    this.#announce();
    this.recheck();
  }

  /** The listeners that do not listen now. */
  get stopped(): ReadonlySet<string> {
    return this.#stopped;
  }

  /** The listeners of a configuration that do not listen when it takes effect. */
  of({ listeners }: Configured): ReadonlySet<string> {
    if (this.#isHeld) return new Set();
    const before = new Set(this.#config.listeners.map(({ name }) => name));
    const stopped = listeners.filter(({ name, upstream, stopWhenDown }) => {
      if (!stopWhenDown) return false;
      const known = this.#hasBackend.get(upstream);
      return known === undefined ? this.#stopped.has(name) || !before.has(name) : !known;
    });
    return new Set(stopped.map(({ name }) => name));
  }

  /** The configuration has taken effect, with these listeners stopped. */
  took(config: Configured, stopped: ReadonlySet<string>): void {
    this.#config = config;
    const upstreams = new Set(config.upstreams.map(({ name }) => name));
    for (const name of this.#hasBackend.keys()) if (!upstreams.has(name)) this.#hasBackend.delete(name);
    this.#become(stopped);
    this.recheck();
  }

  /** The predecessor has let go. */
  release(): void {
    this.#isHeld = false;
    this.recheck();
  }

  /** Changes listeners soon, if there is anything to change. */
  recheck(): void {
    if (this.#isDue || this.#isOver || !this.#differs(this.of(this.#config))) return;
    this.#isDue = true;
    void this.#deps.whenIdle(() => this.#change()).finally(() => (this.#isDue = false));
  }

  stop(): void {
    this.#isOver = true;
    this.#cancelAgain?.();
    this.#letEnd();
  }

  async #change(): Promise<void> {
    this.#isDue = false;
    const wanted = this.of(this.#config);
    const all = new Set([...this.#stopped, ...wanted]);
    if (all.size > this.#stopped.size) {
      await this.#deps.listen(all);
      this.#become(all);
    }
    for (const name of all) if (!wanted.has(name)) await this.#listenAgain(name);
  }

  async #listenAgain(listener: string): Promise<void> {
    const rest = new Set([...this.#stopped].filter(name => name !== listener));
    try {
      await this.#deps.listen(rest);
      this.#become(rest);
    } catch (error) {
      const upstream = this.#upstreamOf(listener);
      this.#deps.events.emit('listener:notBack', { listener, upstream, reason: wordsOf(error) });
      this.#cancelAgain?.();
      this.#cancelAgain = this.#deps.setTimer(() => this.recheck(), AGAIN_MS);
    }
  }

  #become(stopped: ReadonlySet<string>): void {
    this.#stopped = stopped;
    if (stopped.size > 0 && !this.#isOver) this.#endLife ??= this.#deps.stayAlive();
    else this.#letEnd();
    this.#announce();
  }

  #letEnd(): void {
    this.#endLife?.();
    this.#endLife = undefined;
  }

  /** Reports those that are stopped for a reason that is known, once. */
  #announce(): void {
    for (const listener of this.#announced)
      if (!this.#stopped.has(listener)) this.#announced.delete(listener);
    for (const listener of this.#stopped) {
      const upstream = this.#upstreamOf(listener);
      if (this.#announced.has(listener) || this.#hasBackend.get(upstream) !== false) continue;
      this.#announced.add(listener);
      const kept = this.#deps.addressesOf(listener);
      const rest = kept.length === 0 ? {} : { kept };
      this.#deps.events.emit('listener:stopped', { listener, upstream, ...rest });
    }
  }

  #upstreamOf(listener: string): string {
    return this.#config.listeners.find(({ name }) => name === listener)?.upstream ?? '';
  }

  #differs(wanted: ReadonlySet<string>): boolean {
    return wanted.size !== this.#stopped.size || [...wanted].some(name => !this.#stopped.has(name));
  }
}
