/**
 * Bytes per second, failures and times to connect, from the totals of one look after the other.
 *
 * Place: top.ts adds each answer, view.ts and rows.ts read; history.ts has the rates of sessions.
 * How: the last look and the one before give the bytes of now. For what is rare (failures) or needs many (times to
 * connect) the totals of the last minute are kept, one set every ten seconds.
 * Rule: what began before the first look is in no figure.
 */
import type { BackendCounted, CountedSnapshot, SentBytes } from '../../model/counted-view.ts';
import { attemptsOf, bucketsSince, endingsOf, since, type Buckets } from '../../observe/rates.ts';

const MARK_MS = 10_000;
const WINDOW_MS = 60_000;
/** Looks that follow each other more closely say nothing about a rate. */
const LEAST_MS = 50;

export interface Flow {
  /** Bytes per second, by the side that sent them; undefined before the second look. */
  readonly bytes: SentBytes | undefined;
  /**
   * In the last minute. Of a backend: attempts to connect, and those that failed or whose session it has reset. Of an
   * upstream and of all: sessions that ended, and those that failed.
   */
  readonly all: number;
  readonly failed: number;
  readonly connect: Buckets;
}

interface Totals {
  readonly pid: number;
  readonly uptimeMs: number;
  readonly bytes: SentBytes;
  readonly upstreams: ReadonlyMap<string, UpstreamTotals>;
}

interface UpstreamTotals {
  readonly all: number;
  readonly failed: number;
  readonly backends: ReadonlyMap<string, BackendCounted>;
}

const NONE: SentBytes = { client: 0, backend: 0 };
const NOTHING: Flow = { bytes: undefined, all: 0, failed: 0, connect: [] };

export class Figures {
  #last: Totals | undefined;
  /** Oldest first. */
  #marks: Totals[] = [];
  #instance = NOTHING;
  #flows = new Map<string, Flow>();

  /** All of it. */
  get instance(): Flow {
    return this.#instance;
  }

  upstream(name: string): Flow {
    return this.#flows.get(keyOf(name, '')) ?? NOTHING;
  }

  backend(upstream: string, backend: string): Flow {
    return this.#flows.get(keyOf(upstream, backend)) ?? NOTHING;
  }

  add(status: CountedSnapshot & { readonly pid: number; readonly uptimeMs: number }): void {
    const now = totalsOf(status);
    // Another process begins from 0.
    if (this.#last !== undefined && (this.#last.pid !== now.pid || this.#last.uptimeMs >= now.uptimeMs))
      [this.#last, this.#marks] = [undefined, []];
    const before = this.#last;
    if (before !== undefined && now.uptimeMs - before.uptimeMs < LEAST_MS) return;
    this.#last = now;
    this.#compare(before, now, this.#marks[0] ?? now);
    if (now.uptimeMs - (this.#marks.at(-1)?.uptimeMs ?? -MARK_MS) < MARK_MS) return;
    this.#marks.push(now);
    while (now.uptimeMs - (this.#marks[1]?.uptimeMs ?? now.uptimeMs) >= WINDOW_MS) this.#marks.shift();
  }

  #compare(before: Totals | undefined, now: Totals, first: Totals): void {
    const seconds = before && (now.uptimeMs - before.uptimeMs) / 1_000;
    const rate = (earlier: SentBytes | undefined, later: SentBytes): SentBytes | undefined =>
      seconds === undefined
        ? undefined
        : {
            client: since(earlier?.client, later.client) / seconds,
            backend: since(earlier?.backend, later.backend) / seconds,
          };
    this.#flows = new Map();
    const upstreams = Array.from(now.upstreams, ([name, { all, failed, backends }]): Flow => {
      const [one, old] = [before?.upstreams.get(name), first.upstreams.get(name)];
      const flows = Array.from(backends, ([backend, counts]): Flow => {
        const earlier = old?.backends.get(backend);
        const [attempts, was] = [attemptsOf(counts), earlier && attemptsOf(earlier)];
        const flow = {
          bytes: rate(one?.backends.get(backend)?.bytes, counts.bytes),
          all: since(was?.all, attempts.all),
          failed: since(was?.failed, attempts.failed),
          connect: bucketsSince(earlier?.connect, counts.connect),
        };
        this.#flows.set(keyOf(name, backend), flow);
        return flow;
      });
      const flow = {
        bytes: sumOf(flows),
        all: since(old?.all, all),
        failed: since(old?.failed, failed),
        connect: merged(flows),
      };
      this.#flows.set(keyOf(name, ''), flow);
      return flow;
    });
    this.#instance = {
      bytes: rate(before?.bytes, now.bytes),
      all: upstreams.reduce((sum, { all }) => sum + all, 0),
      failed: upstreams.reduce((sum, { failed }) => sum + failed, 0),
      connect: merged(upstreams),
    };
  }
}

function totalsOf({
  pid,
  uptimeMs,
  listeners,
  upstreams,
}: CountedSnapshot & { readonly pid: number; readonly uptimeMs: number }): Totals {
  const all = listeners.map(({ counts }) => counts?.bytes ?? NONE);
  return {
    ...{ pid, uptimeMs },
    bytes: {
      client: all.reduce((sum, { client }) => sum + client, 0),
      backend: all.reduce((sum, { backend }) => sum + backend, 0),
    },
    upstreams: new Map(
      upstreams.map(({ name, counts, backends }) => [
        name,
        {
          ...endingsOf(counts?.ended ?? []),
          backends: new Map(
            backends.flatMap(each =>
              each.counts === undefined || each.state === 'removed' ? [] : [[each.backend, each.counts]],
            ),
          ),
        },
      ]),
    ),
  };
}

function sumOf(flows: readonly Flow[]): SentBytes | undefined {
  return flows.reduce<SentBytes | undefined>(
    (sum, { bytes }) =>
      bytes === undefined
        ? sum
        : { client: (sum?.client ?? 0) + bytes.client, backend: (sum?.backend ?? 0) + bytes.backend },
    undefined,
  );
}

function merged(flows: readonly Flow[]): Buckets {
  const sums = new Map<number, number>();
  for (const { connect } of flows)
    for (const [bucket, times] of connect) sums.set(bucket, (sums.get(bucket) ?? 0) + times);
  return [...sums].sort(([one], [other]) => one - other);
}

function keyOf(upstream: string, backend: string): string {
  return `${upstream}\n${backend}`;
}
