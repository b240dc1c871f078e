/**
 * The backends of an upstream that sources name, together with those of the configuration.
 *
 * Place: a part of `UpstreamControl`, which takes the list over as it does a configuration's.
 * Invariants:
 * - A backend stays while the configuration or any source names it. Where several do, the first one's settings count:
 *   the configuration's, then those of the sources in their order.
 * - A source that fails keeps what it named last; one failure is reported once, and so is its end.
 * - A source whose configuration does not change goes on over a reload.
 * - Nothing is called after `stop`.
 */
import { isDeepStrictEqual } from 'node:util';
import { MOST_BACKENDS, nameOfSource, type SourceConfig } from '../../config/schema/discovery-schema.ts';
import type { BackendConfig } from '../../config/schema/schema.ts';
import type { Events } from '../../model/events.ts';
import type { SourceStatus } from '../../model/snapshot.ts';
import type { SetTimer } from '../../support/timer.ts';
import { HeldSet } from './held-set.ts';
import type { DiscoverySource, Registry } from './source.ts';

export interface DiscoveryDeps {
  readonly upstream: string;
  readonly events: Events;
  readonly setTimer: SetTimer;
  now(): number;
  /** Opens nothing yet. */
  create(config: SourceConfig): DiscoverySource;
  /** The list has changed. */
  onChange(): void;
}

interface Entry {
  readonly config: SourceConfig;
  readonly name: string;
  readonly source: DiscoverySource;
  readonly set: HeldSet;
  /** When it last gave an answer that could be used; undefined: never. */
  answeredMs: number | undefined;
  /** Since when it fails, and how; undefined: it does not. */
  trouble: { readonly sinceMs: number; readonly reason: string } | undefined;
  isStarted: boolean;
  /** Resolves with the first report, whatever it says. */
  readonly whenFirst: Promise<void>;
  readonly isFirst: () => void;
}

export class Discovery {
  readonly #deps: DiscoveryDeps;
  #entries: readonly Entry[] = [];
  #hasStarted = false;
  #cancelTimer: (() => void) | undefined;
  #isStopped = false;

  constructor(deps: DiscoveryDeps) {
    this.#deps = deps;
  }

  /** Sources that are new begin at once, if others have begun. */
  configure(configs: readonly SourceConfig[]): void {
    const before = [...this.#entries];
    this.#entries = configs.map(config => {
      const index = before.findIndex(entry => isDeepStrictEqual(entry.config, config));
      const [kept] = index < 0 ? [] : before.splice(index, 1);
      return kept ?? this.#create(config);
    });
    for (const { source, isFirst } of before) {
      source.stop();
      isFirst();
    }
    if (this.#hasStarted) this.#startAll();
  }

  /** Resolves when each source has reported once, whatever it reports. */
  async start(): Promise<void> {
    this.#hasStarted = true;
    this.#startAll();
    await Promise.all(this.#entries.map(({ whenFirst }) => whenFirst));
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    for (const { source, isFirst } of this.#entries) {
      source.stop();
      isFirst();
    }
  }

  /** Those of the configuration and of the sources, each once. */
  with(configured: readonly BackendConfig[]): readonly BackendConfig[] {
    if (this.#entries.length === 0) return configured;
    const all = new Map(configured.map(backend => [backend.id, backend]));
    for (const { set } of this.#entries)
      for (const backend of set.backends())
        if (!all.has(backend.id) && all.size < MOST_BACKENDS) all.set(backend.id, backend);
    return [...all.values()];
  }

  /** Where backends register themselves; undefined: nowhere. */
  get registry(): Registry | undefined {
    return this.#entries.find(({ source }) => source.registry !== undefined)?.source.registry;
  }

  /** The sources that name a backend, in their order. */
  sourcesOf(): ReadonlyMap<string, readonly string[]> {
    const sources = new Map<string, string[]>();
    for (const { name, set } of this.#entries)
      for (const { id } of set.backends()) {
        const named = sources.get(id);
        if (named === undefined) sources.set(id, [name]);
        else named.push(name);
      }
    return sources;
  }

  status(): readonly SourceStatus[] {
    const nowMs = this.#deps.now();
    return this.#entries.map(({ name, set, answeredMs, trouble }) => ({
      source: name,
      state: trouble !== undefined ? 'failing' : answeredMs === undefined ? 'waiting' : 'answering',
      backends: set.size,
      held: set.held,
      ...(answeredMs === undefined ? {} : { answeredAgoMs: Math.max(0, Math.round(nowMs - answeredMs)) }),
      ...(trouble === undefined
        ? {}
        : { why: trouble.reason, failingForMs: Math.max(0, Math.round(nowMs - trouble.sinceMs)) }),
    }));
  }

  #create(config: SourceConfig): Entry {
    let isFirst: () => void = () => undefined;
    const whenFirst = new Promise<void>(resolve => (isFirst = resolve));
    return {
      ...{ config, name: nameOfSource(config), source: this.#deps.create(config), set: new HeldSet() },
      ...{ answeredMs: undefined, trouble: undefined, isStarted: false, whenFirst, isFirst },
    };
  }

  #startAll(): void {
    for (const entry of this.#entries) {
      if (entry.isStarted) continue;
      entry.isStarted = true;
      entry.source.start({
        found: (backends, isFirm) => this.#found(entry, backends, isFirm),
        failed: reason => this.#failed(entry, reason),
      });
    }
  }

  #found(entry: Entry, backends: readonly BackendConfig[], isFirm = false): void {
    if (!this.#has(entry)) return;
    const nowMs = this.#deps.now();
    entry.answeredMs = nowMs;
    entry.set.take(backends, nowMs, isFirm);
    this.#works(entry, nowMs);
    this.#change();
    entry.isFirst();
  }

  #failed(entry: Entry, reason: string): void {
    if (!this.#has(entry)) return;
    const isNews = entry.trouble?.reason !== reason;
    entry.trouble = { sinceMs: entry.trouble?.sinceMs ?? this.#deps.now(), reason };
    const { upstream, events } = this.#deps;
    const kept = entry.set.size;
    if (isNews) events.emit('source:failed', { upstream, source: entry.name, reason, kept });
    entry.isFirst();
  }

  #works(entry: Entry, nowMs: number): void {
    const { trouble, name: source } = entry;
    if (trouble === undefined) return;
    entry.trouble = undefined;
    const { upstream, events } = this.#deps;
    events.emit('source:recovered', { upstream, source, forMs: nowMs - trouble.sinceMs });
  }

  /** Lets those go whose time is over, and looks again when the next one's is. */
  #change(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const nowMs = this.#deps.now();
    const next = this.#entries.map(({ set }) => set.expire(nowMs)).filter(each => each !== undefined);
    if (next.length > 0)
      this.#cancelTimer = this.#deps.setTimer(() => this.#change(), Math.max(1, Math.min(...next) - nowMs));
    this.#deps.onChange();
  }

  #has(entry: Entry): boolean {
    return !this.#isStopped && this.#entries.includes(entry);
  }
}
