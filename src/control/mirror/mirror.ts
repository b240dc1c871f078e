/**
 * The mirror: shares the live counts of this instance's upstreams with the other instances, and gives the pickers the
 * counts of those.
 *
 * Place: part of the control plane, made by `load-balancer.ts` where `redis:` is configured. It writes what it receives
 * to shared memory, where pickers read it; no session waits for it.
 * Invariants:
 * - Nothing is published before `start` or after `stop`.
 * - Every change of mode, and of the reason why nothing is shared, is reported once, for all its upstreams together.
 * - A name that another process holds is given up for a new one.
 */
import type { MirrorView } from '../../model/snapshot.ts';
import type { MirrorMode, MirrorTrouble } from '../../model/words.ts';
import type { Events } from '../../model/events.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { Exchange } from './exchange.ts';
import { UpstreamExchanges } from './upstream-exchanges.ts';
import type { MirroredUpstream } from './upstream-mirror.ts';

/**
 * Looks per period, within bounds: enough to report a single session at once, few enough to cost next to nothing.
 * While single sessions are not reported, the looks only serve to notice bursts.
 */
const LOOKS_PER_PERIOD = { telling: 5, notTelling: 2 };
const LOOK_MS = { min: 10, max: 50 };
/** Periods before a change of mode is reported, so that upstreams that change together share one event. */
const TELL_AFTER_PERIODS = 2;
const TELL_AFTER_MS = { min: 100, max: 1_000 };
/** The reason why nothing is shared may change all the time: it is reported once in this time for each upstream. */
const TELL_AGAIN_MS = 10_000;
/**
 * Tries before a name is given up, at growing distances: seven periods in all. An instance that was killed and started
 * again finds its old name free after two; a live process with the same name keeps it.
 */
const NAME_TRIES = 4;
const NAME_LENGTH = 64;

export interface MirrorSettings {
  readonly periodMs: number;
  /** This instance's name. */
  readonly instance: string;
  /** Distinguishes this process from others of the same name. */
  readonly owner: string;
}

export interface MirrorDeps {
  readonly exchange: Exchange;
  readonly setTimer: SetTimer;
  now(): number;
  random(): number;
  readonly events: Events;
}

interface Told {
  readonly mode: MirrorMode;
  /** In mode `local`: the reason. */
  readonly message: string | undefined;
  readonly atMs: number;
}

export class Mirror {
  readonly #settings: MirrorSettings;
  readonly #deps: MirrorDeps;
  readonly #upstreams = new Map<string, UpstreamExchanges>();
  /** What was last reported of each upstream; undefined: nothing. */
  readonly #told = new Map<UpstreamExchanges, Told>();
  #instance: string;
  #cancelLook: () => void = () => undefined;
  #cancelTelling: (() => void) | undefined;
  #cancelTellingAgain: () => void = () => undefined;
  #stopping: Promise<void> | undefined;

  constructor(upstreams: readonly MirroredUpstream[], settings: MirrorSettings, deps: MirrorDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#instance = settings.instance;
    this.follow(upstreams);
  }

  /** Shares exactly these upstreams from now on: new ones begin, and counts of others are taken out. */
  follow(upstreams: readonly MirroredUpstream[]): void {
    const names = new Set(upstreams.map(({ name }) => name));
    for (const [name, gone] of this.#upstreams) {
      if (names.has(name)) continue;
      this.#upstreams.delete(name);
      this.#told.delete(gone);
      gone.stop();
      void gone.withdraw(this.#instance);
    }
    for (const upstream of upstreams) {
      if (!this.#upstreams.has(upstream.name)) this.#upstreams.set(upstream.name, this.#create(upstream));
    }
  }

  #create(upstream: MirroredUpstream): UpstreamExchanges {
    const deps = this.#deps;
    return new UpstreamExchanges(upstream, this.#settings, {
      exchange: deps.exchange,
      instance: () => this.#instance,
      now: () => deps.now(),
      random: () => deps.random(),
      onMode: () => this.#tellSoon(),
      onNameTaken: (name, times) => this.#onNameTaken(name, times),
    });
  }

  start(): void {
    const { exchange } = this.#deps;
    exchange.onChange(change => this.#upstreams.get(change.upstream)?.apply(change));
    exchange.onReady(() => {
      for (const upstream of this.#upstreams.values()) upstream.hurry();
      this.#look();
    });
    this.#look();
  }

  /** Takes this instance's counts out, as far as Redis answers in time, and closes the connections. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#cancelLook();
    this.#cancelTelling?.();
    this.#cancelTellingAgain();
    const upstreams = [...this.#upstreams.values()];
    for (const upstream of upstreams) upstream.stop();
    await Promise.all(upstreams.map(upstream => upstream.withdraw(this.#instance)));
    this.#deps.exchange.close();
  }

  view(): MirrorView {
    return {
      instance: this.#instance,
      upstreams: Array.from(this.#upstreams.values(), upstream => {
        const { name, mode, trouble } = upstream;
        const heard = upstream.heard();
        return { upstream: name, mode, trouble, ageMs: heard?.ageMs, others: heard?.others ?? [] };
      }),
    };
  }

  #look(): void {
    this.#cancelLook();
    let isTelling = false;
    for (const upstream of this.#upstreams.values()) {
      upstream.wake();
      isTelling ||= upstream.isTelling;
    }
    const { periodMs } = this.#settings;
    const seldom = Math.max(LOOK_MS.min, periodMs / LOOKS_PER_PERIOD.notTelling);
    const delayMs = isTelling ? between(LOOK_MS, periodMs / LOOKS_PER_PERIOD.telling) : seldom;
    this.#cancelLook = this.#deps.setTimer(() => this.#look(), delayMs);
  }

  #tellSoon(): void {
    const delayMs = between(TELL_AFTER_MS, this.#settings.periodMs * TELL_AFTER_PERIODS);
    this.#cancelTelling ??= this.#deps.setTimer(() => this.#tell(), delayMs);
  }

  /** Reports what differs from the last report: one event per mode and reason. */
  #tell(): void {
    this.#cancelTelling?.();
    this.#cancelTelling = undefined;
    this.#cancelTellingAgain();
    const nowMs = this.#deps.now();
    let againMs = Infinity;
    const groups = new Map<string, { upstreams: UpstreamExchanges[]; trouble: MirrorTrouble | undefined }>();
    for (const upstream of this.#upstreams.values()) {
      const { mode } = upstream;
      const trouble = mode === 'local' ? upstream.trouble : undefined;
      const told = this.#told.get(upstream);
      if (mode === 'local' && trouble === undefined) continue;
      if (told?.mode === mode && told.message === trouble?.message) continue;
      const waitMs = told?.mode === mode ? told.atMs + TELL_AGAIN_MS - nowMs : 0;
      if (waitMs > 0) {
        againMs = Math.min(againMs, waitMs);
        continue;
      }
      this.#told.set(upstream, { mode, message: trouble?.message, atMs: nowMs });
      const key = `${mode} ${trouble?.message ?? ''}`;
      const group = groups.get(key) ?? { upstreams: [], trouble };
      group.upstreams.push(upstream);
      groups.set(key, group);
    }
    for (const { upstreams, trouble } of groups.values()) {
      this.#deps.events.emit('mirror:changed', {
        mode: trouble === undefined ? 'shared' : 'local',
        upstreams: upstreams.map(({ name }) => name),
        others: Math.max(...upstreams.map(upstream => upstream.heard()?.others.length ?? 0)),
        ...trouble,
      });
    }
    if (againMs !== Infinity) this.#cancelTellingAgain = this.#deps.setTimer(() => this.#tell(), againMs);
  }

  #onNameTaken(from: string, times: number): void {
    // Another upstream's exchange may have noticed it before.
    if (from !== this.#instance || times < NAME_TRIES) return;
    this.#rename();
    this.#deps.events.emit('mirror:renamed', { from, to: this.#instance });
  }

  /** Leaves its name to the process that takes over; what this one still has is counted under another one. */
  stepAside(): void {
    if (this.#stopping === undefined) this.#rename();
  }

  #rename(): void {
    const from = this.#instance;
    const suffix = Math.floor(this.#deps.random() * 36 ** 4)
      .toString(36)
      .padStart(4, '0');
    this.#instance = `${this.#settings.instance.slice(0, NAME_LENGTH - 5)}-${suffix}`;
    for (const upstream of this.#upstreams.values()) {
      // The counts of upstreams for which this process did hold the name.
      void upstream.withdraw(from);
      upstream.hurry();
    }
  }
}

function between({ min, max }: { readonly min: number; readonly max: number }, value: number): number {
  return Math.min(Math.max(value, min), max);
}
