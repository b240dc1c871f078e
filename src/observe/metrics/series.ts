/**
 * The lines of a family for many things at once: states, figures, counters, histograms.
 *
 * Place: metrics.ts calls these for each kind of thing. They are generators: what has been written so far is taken away
 * whenever it is enough for a piece.
 * Why texts are joined: a first scrape runs before any of this is compiled. What is the same for all things is made
 * once, so that most things cost one call that is compiled already, instead of one step for each line.
 */
import type { Counter, Counts, Histogram } from '../../model/counter-view.ts';
import { boundText, labels, valueOf, type Exposition } from './exposition.ts';
import type { Shown, StateSet } from './families.ts';

/** A thing with its labels, as they are written; '' for none. */
export interface Labelled<T> {
  readonly labels: string;
  readonly thing: T;
}

export type Pieces = Generator<string, void, undefined>;

export function* show<T>(
  out: Exposition,
  families: readonly Shown<T>[],
  things: readonly Labelled<T>[],
): Pieces {
  for (const family of families) {
    const { name, help } = family;
    if ('states' in family) {
      if (out.family(name, 'gauge', help)) yield* showStates(out, family, things);
      continue;
    }
    if (!out.family(name, family.type ?? 'gauge', help)) continue;
    for (const { labels: own, thing } of things) {
      const value = family.of(thing);
      if (value !== undefined) out.sample(name, own, value);
      if (out.isFull) yield out.take();
    }
  }
}

export function* showCounts(
  out: Exposition,
  block: Readonly<Record<string, Counter | Histogram>>,
  counted: readonly Labelled<Counts>[],
): Pieces {
  for (const entry of Object.values(block)) {
    if (!out.family(entry.name, entry.kind, entry.help)) continue;
    if (entry.kind === 'counter') yield* showCounter(out, entry, counted);
    else yield* showHistogram(out, entry, counted);
  }
}

function* showStates<T>(
  out: Exposition,
  { name, states, stateOf }: StateSet<T>,
  things: readonly Labelled<T>[],
): Pieces {
  const ends = states.map(state => `state="${state}"}`);
  const templates = new Map(
    states.map(now => [now, templateOf(name, ends, i => (states[i] === now ? 1 : 0))] as const),
  );
  for (const { labels: own, thing } of things) {
    out.lines(filledIn(templates.get(stateOf(thing)) ?? [], own));
    if (out.isFull) yield out.take();
  }
}

function* showCounter(out: Exposition, counter: Counter, counted: readonly Labelled<Counts>[]): Pieces {
  const { name } = counter;
  const ends = counter.series.map(values =>
    labels(Object.fromEntries(counter.labels.map((label, i) => [label, values[i] ?? '']))),
  );
  if (counter.labels.length === 0) {
    for (const { labels: own, thing } of counted) {
      out.sample(name, own, thing.of(counter, 0));
      if (out.isFull) yield out.take();
    }
    return;
  }
  // Most of the many ways to end never happen.
  const isSparse = counter.labels.includes('phase');
  const zeros = isSparse
    ? []
    : templateOf(
        name,
        ends.map(end => `${end}}`),
        () => 0,
      );
  for (const { labels: own, thing } of counted) {
    if (thing.isNone(counter)) out.lines(filledIn(zeros, own));
    else {
      const start = own === '' ? `${name}{` : `${name}{${own},`;
      for (let i = 0; i < ends.length; i++) {
        const value = thing.of(counter, i);
        if (value !== 0 || !isSparse) out.line(`${start}${ends[i] ?? ''}}`, value);
      }
    }
    if (out.isFull) yield out.take();
  }
}

function* showHistogram(out: Exposition, histogram: Histogram, counted: readonly Labelled<Counts>[]): Pieces {
  const { name, shown } = histogram;
  const [bucket, sum, count] = [`${name}_bucket`, `${name}_sum`, `${name}_count`];
  const ends = [...shown.map(power => `le="${boundText(2 ** power)}"}`), 'le="+Inf"}'];
  const zeros = templateOf(bucket, ends, () => 0);
  for (const { labels: own, thing } of counted) {
    const times = thing.times(histogram);
    const all = times.count;
    if (all === 0) out.lines(filledIn(zeros, own));
    else {
      const start = own === '' ? `${bucket}{` : `${bucket}{${own},`;
      const sums = times.cumulative();
      for (let i = 0; i < ends.length; i++) out.line(start + (ends[i] ?? ''), sums[i] ?? all);
    }
    out.sample(sum, own, times.sum);
    out.sample(count, own, all);
    if (out.isFull) yield out.take();
  }
}

/** A line for each end, in parts: between two of them belong the labels of a thing. */
function templateOf(name: string, ends: readonly string[], valueAt: (index: number) => number): string[] {
  const start = `${name}{`;
  const parts = ends.map((end, i) => `${end} ${valueOf(valueAt(i))}\n`);
  const last = parts.length - 1;
  return last < 0 ? [] : [start, ...parts.map((part, i) => (i === last ? part : part + start))];
}

function filledIn(template: readonly string[], own: string): string {
  return template.join(own === '' ? '' : `${own},`);
}
