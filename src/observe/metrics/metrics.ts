/**
 * Everything that `/metrics` shows, in pieces of some 64 KiB, so that other work can be done between two of them.
 *
 * Place: the admin API calls it at each scrape. It reads a snapshot and counters that are there already, so no worker is
 * asked and nothing is kept between scrapes.
 * Invariants:
 * - All pieces show one moment: that of the input.
 * - Labels come from the configuration or from closed sets, never from a client; names of any kind are escaped.
 * - A series of `…_sessions_total` appears with its first session; all others are there from the start.
 */
import {
  BACKEND,
  INSTANCE as COUNTED,
  LISTENER,
  UPSTREAM,
  type CounterView,
} from '../../model/counter-view.ts';
import type { ProcessFigures } from '../../model/process-figures.ts';
import type { BackendView, CertificateView, LoadBalancerSnapshot } from '../../model/snapshot.ts';
import { Exposition, labels, type MetricFormat } from './exposition.ts';
import {
  BACKENDS,
  CERTIFICATES,
  INSTANCE,
  LISTENERS,
  LOGS,
  MIRRORED,
  PROCESS,
  SOURCES,
  UPSTREAMS,
  WORKERS,
  type Timed,
} from './families.ts';
import { show, showCounts, type Labelled, type Pieces } from './series.ts';

/** To make them takes about as long as a piece of text. */
const LABELS_AT_ONCE = 500;

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

/** Some pieces may be empty. */
export function* metricsPieces(input: MetricsInput, { format, upstream, exclude }: MetricsWanted): Pieces {
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
  yield* show(out, INSTANCE, [{ labels: '', thing: snapshot }]);
  yield* showCounts(out, COUNTED, [{ labels: '', thing: counters.instance }]);
  if (input.process !== undefined) {
    yield* show(out, PROCESS, [{ labels: '', thing: input.process }]);
    const logs = input.process.logs.map(thing => ({ labels: labels({ log: thing.log }), thing }));
    yield* show(out, LOGS, logs);
  }
  const workers = snapshot.workers.map(thing => ({
    labels: labels({ worker: String(thing.worker) }),
    thing,
  }));
  yield* show(out, WORKERS, workers);
  yield* show(
    out,
    LISTENERS,
    snapshot.listeners.map(thing => ({ labels: labels({ listener: thing.name }), thing })),
  );
  yield* show(out, CERTIFICATES, certificatesOf(snapshot, isShown));
  const ofListener = counters.listeners.map(({ name, counts }) => ({
    labels: labels({ listener: name }),
    thing: counts,
  }));
  yield* showCounts(out, LISTENER, ofListener);
  const upstreams = snapshot.upstreams.filter(isShown);
  yield* show(
    out,
    UPSTREAMS,
    upstreams.map(thing => ({ labels: labels({ upstream: thing.name }), thing })),
  );
  const sources = upstreams.flatMap(({ name, sources: all = [] }) =>
    all.map(thing => ({ labels: labels({ upstream: name, source: thing.source }), thing })),
  );
  yield* show(out, SOURCES, sources);
  const counted = counters.upstreams.filter(isShown);
  yield* showCounts(
    out,
    UPSTREAM,
    counted.map(({ name, counts }) => ({ labels: labels({ upstream: name }), thing: counts })),
  );
  const mirrored = (snapshot.mirror?.upstreams ?? []).filter(each => isShown({ name: each.upstream }));
  yield* show(
    out,
    MIRRORED,
    mirrored.map(thing => ({ labels: labels({ upstream: thing.upstream }), thing })),
  );
  const backends: Labelled<Timed<BackendView>>[] = [];
  for (const { name, backends: all } of upstreams) {
    for (const thing of all) {
      backends.push({ labels: labels({ upstream: name, backend: thing.backend }), thing: { thing, nowMs } });
      if (backends.length % LABELS_AT_ONCE === 0) yield '';
    }
  }
  yield* show(out, BACKENDS, backends);
  // In the same order.
  const ofBackend = counted
    .flatMap(({ backends: all }) => all)
    .map(({ counts }, i) => ({ labels: backends[i]?.labels ?? '', thing: counts }));
  yield* showCounts(out, BACKEND, ofBackend);
  yield out.end();
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** By the file as configured, of which there is one or few for each listener and upstream. */
function certificatesOf(
  { listeners, upstreams }: LoadBalancerSnapshot,
  isShown: (upstream: { readonly name: string }) => boolean,
): Labelled<CertificateView>[] {
  const owners = [
    ...listeners.map(each => ({ ...each, owner: { listener: each.name } })),
    ...upstreams.filter(isShown).map(each => ({ ...each, owner: { upstream: each.name } })),
  ];
  return owners.flatMap(({ owner, tls }) => {
    // Two pairs may have one file of certificates.
    const byFile = new Map((tls?.certificates ?? []).map(each => [each.file, each]));
    return [...byFile.values()].map(thing => ({
      labels: labels({ ...owner, certificate: thing.file }),
      thing,
    }));
  });
}
