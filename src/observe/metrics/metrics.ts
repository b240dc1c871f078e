/**
 * Everything that `/metrics` shows, as one text.
 *
 * Place: the admin API calls it at each scrape. It reads a snapshot and counters that are there already, so no worker is
 * asked and nothing is kept between scrapes.
 * Invariants:
 * - Labels come from the configuration or from closed sets, never from a client; names of any kind are escaped.
 * - A series of `…_sessions_total` appears with its first session; all others are there from the start.
 */
import {
  BACKEND,
  INSTANCE as COUNTED,
  LISTENER,
  UPSTREAM,
  type Counter,
  type Counts,
  type CounterView,
  type Histogram,
} from '../../model/counter-view.ts';
import type { ProcessFigures } from '../../model/process-figures.ts';
import type { LoadBalancerSnapshot } from '../../model/snapshot.ts';
import { boundText, Exposition, labels, type MetricFormat } from './exposition.ts';
import {
  BACKENDS,
  INSTANCE,
  LISTENERS,
  MIRRORED,
  PROCESS,
  UPSTREAMS,
  WORKERS,
  type Shown,
} from './families.ts';

export interface MetricsInput {
  readonly snapshot: LoadBalancerSnapshot;
  readonly counters: CounterView;
  readonly process: ProcessFigures | undefined;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

export interface MetricsWanted {
  readonly format: MetricFormat;
  /** Of other upstreams nothing is shown; undefined: all are. */
  readonly upstream?: string | undefined;
  /** Names of families that are not shown; a `*` at the end stands for any rest. */
  readonly exclude: readonly string[];
}

/** A thing with its labels, as they are written. */
interface Labelled<T> {
  readonly labels: string;
  readonly thing: T;
}

export function metricsText(input: MetricsInput, { format, upstream, exclude }: MetricsWanted): string {
  const out = new Exposition(format, name => !exclude.some(pattern => matches(pattern, name)));
  const { snapshot, counters, version, nowMs } = input;
  const isShown = ({ name }: { readonly name: string }): boolean =>
    upstream === undefined || upstream === name;
  if (
    out.family(
      'lb4_build_info',
      'gauge',
      'The version of lb4, and the engine that moves the bytes; always 1.',
    )
  )
    out.sample('lb4_build_info', labels({ version, engine: snapshot.engine }), 1);
  show(out, INSTANCE, [{ labels: '', thing: snapshot }]);
  showCounts(out, COUNTED, [{ labels: '', thing: counters.instance }]);
  if (input.process !== undefined) show(out, PROCESS, [{ labels: '', thing: input.process }]);
  const workers = snapshot.workers.map(thing => ({
    labels: labels({ worker: String(thing.worker) }),
    thing,
  }));
  show(out, WORKERS, workers);
  show(
    out,
    LISTENERS,
    snapshot.listeners.map(thing => ({ labels: labels({ listener: thing.name }), thing })),
  );
  const ofListener = counters.listeners.map(({ name, counts }) => ({
    labels: labels({ listener: name }),
    thing: counts,
  }));
  showCounts(out, LISTENER, ofListener);
  const upstreams = snapshot.upstreams.filter(isShown);
  show(
    out,
    UPSTREAMS,
    upstreams.map(thing => ({ labels: labels({ upstream: thing.name }), thing })),
  );
  const counted = counters.upstreams.filter(isShown);
  showCounts(
    out,
    UPSTREAM,
    counted.map(({ name, counts }) => ({ labels: labels({ upstream: name }), thing: counts })),
  );
  const mirrored = (snapshot.mirror?.upstreams ?? []).filter(each => isShown({ name: each.upstream }));
  show(
    out,
    MIRRORED,
    mirrored.map(thing => ({ labels: labels({ upstream: thing.upstream }), thing })),
  );
  const backends = upstreams.flatMap(({ name, backends: all }) =>
    all.map(thing => ({
      labels: labels({ upstream: name, backend: thing.backend }),
      thing: { thing, nowMs },
    })),
  );
  show(out, BACKENDS, backends);
  const ofBackend = counted.flatMap(({ name, backends: all }) =>
    all.map(({ backend, counts }) => ({ labels: labels({ upstream: name, backend }), thing: counts })),
  );
  showCounts(out, BACKEND, ofBackend);
  return out.end();
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function show<T>(out: Exposition, families: readonly Shown<T>[], things: readonly Labelled<T>[]): void {
  for (const family of families) {
    const { name, help } = family;
    if ('states' in family) {
      if (!out.family(name, 'gauge', help)) continue;
      const { states, stateOf } = family;
      const ends = states.map(state => `state="${state}"}`);
      for (const { labels: own, thing } of things) {
        const state = stateOf(thing);
        const start = own === '' ? `${name}{` : `${name}{${own},`;
        for (let i = 0; i < ends.length; i++) out.line(start + (ends[i] ?? ''), states[i] === state ? 1 : 0);
      }
      continue;
    }
    if (!out.family(name, family.type ?? 'gauge', help)) continue;
    for (const { labels: own, thing } of things) {
      const value = family.of(thing);
      if (value !== undefined) out.sample(name, own, value);
    }
  }
}

function showCounts(
  out: Exposition,
  block: Readonly<Record<string, Counter | Histogram>>,
  counted: readonly Labelled<Counts>[],
): void {
  for (const entry of Object.values(block)) {
    if (!out.family(entry.name, entry.kind, entry.help)) continue;
    if (entry.kind === 'counter') showCounter(out, entry, counted);
    else showHistogram(out, entry, counted);
  }
}

function showCounter(out: Exposition, counter: Counter, counted: readonly Labelled<Counts>[]): void {
  const ends = counter.series.map(values =>
    labels(Object.fromEntries(counter.labels.map((label, i) => [label, values[i] ?? '']))),
  );
  // Most of the many ways to end never happen.
  const isSparse = counter.labels.includes('phase');
  for (const { labels: own, thing } of counted) {
    for (let i = 0; i < ends.length; i++) {
      const value = thing.of(counter, i);
      if (value === 0 && isSparse) continue;
      const end = ends[i] ?? '';
      out.sample(counter.name, own === '' || end === '' ? own + end : `${own},${end}`, value);
    }
  }
}

function showHistogram(out: Exposition, histogram: Histogram, counted: readonly Labelled<Counts>[]): void {
  const { name, shown } = histogram;
  const [bucket, sum, count] = [`${name}_bucket`, `${name}_sum`, `${name}_count`];
  const ends = shown.map(power => `le="${boundText(2 ** power)}"}`);
  for (const { labels: own, thing } of counted) {
    const times = thing.times(histogram);
    const start = own === '' ? `${bucket}{` : `${bucket}{${own},`;
    const sums = times.cumulative();
    for (let i = 0; i < ends.length; i++) out.line(start + (ends[i] ?? ''), sums[i] ?? 0);
    const all = times.count;
    out.line(`${start}le="+Inf"}`, all);
    out.sample(sum, own, times.sum);
    out.sample(count, own, all);
  }
}
