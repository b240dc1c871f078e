/**
 * Rates, failures and times to connect, from the totals of one look at the status after the other.
 *
 * Place: `lb4 top` and the dashboard's page add each status, and show the figures. The page imports the compiled file
 * as it is: besides types it may import rates.ts only, which the page has, too.
 * How: the last look and the one before give the rates of now. For what is rare (failures) or needs many (times to
 * connect) the totals of the last minute are kept, one set every ten seconds.
 * Rule: what began before the first look is in no figure.
 */
import type { BackendCounted, CountedSnapshot, SentBytes } from '../model/counted-view.ts';
import { attemptsOf, bucketsSince, endingsOf, since, type Buckets } from './rates.ts';

const MARK_MS = 10_000;
const WINDOW_MS = 60_000;
/** Looks that follow each other more closely say nothing about a rate. */
const LEAST_MS = 50;

export interface Flow {
  /** Bytes per second, by the side that sent them; as the other rates undefined before the second look. */
  readonly bytes: SentBytes | undefined;
  /** Connections that sessions got, per second. */
  readonly connections: number | undefined;
  /** What `failed` counts, per second. */
  readonly failures: number | undefined;
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
  readonly listeners: ReadonlyMap<string, SentBytes>;
  readonly upstreams: ReadonlyMap<string, UpstreamTotals>;
}

interface UpstreamTotals {
  readonly all: number;
  readonly failed: number;
  readonly backends: ReadonlyMap<string, BackendCounted>;
}

/** One failure in as many attempts or sessions is what a reader must look at. */
const BAD_PART = 100;

/** Of the failures of a `Flow`; undefined where there are none. */
export function toneOfFailures(failed: number, all: number): 'warn' | 'bad' | undefined {
  if (failed === 0) return undefined;
  return failed >= all / BAD_PART ? 'bad' : 'warn';
}

const NONE: SentBytes = { client: 0, backend: 0 };
const NOTHING: Flow = {
  ...{ bytes: undefined, connections: undefined, failures: undefined },
  ...{ all: 0, failed: 0, connect: [] },
};

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
    if (this.#last !== undefined && (this.#last.pid !== now.pid || this.#last.uptimeMs > now.uptimeMs))
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
    const seconds = (now.uptimeMs - (before?.uptimeMs ?? 0)) / 1_000;
    const rate = (earlier: number | undefined, later: number): number | undefined =>
      before && since(earlier, later) / seconds;
    const bytesRate = (earlier: SentBytes | undefined, later: SentBytes): SentBytes | undefined =>
      before && {
        client: since(earlier?.client, later.client) / seconds,
        backend: since(earlier?.backend, later.backend) / seconds,
      };
    this.#flows = new Map();
    const upstreams = Array.from(now.upstreams, ([name, { all, failed, backends }]): Flow => {
      const [last, old] = [before?.upstreams.get(name), first.upstreams.get(name)];
      const flows = Array.from(backends, ([backend, counts]): Flow => {
        const [one, earlier] = [last?.backends.get(backend), old?.backends.get(backend)];
        const [attempts, was] = [attemptsOf(counts), earlier && attemptsOf(earlier)];
        const flow = {
          bytes: bytesRate(one?.bytes, counts.bytes),
          connections: rate(one?.connections, counts.connections),
          failures: rate(one && attemptsOf(one).failed, attempts.failed),
          all: since(was?.all, attempts.all),
          failed: since(was?.failed, attempts.failed),
          connect: bucketsSince(earlier?.connect, counts.connect),
        };
        this.#flows.set(keyOf(name, backend), flow);
        return flow;
      });
      const flow = {
        bytes: before && sumOf(flows.map(({ bytes }) => bytes)),
        connections: before && flows.reduce((sum, { connections = 0 }) => sum + connections, 0),
        failures: rate(last?.failed, failed),
        all: since(old?.all, all),
        failed: since(old?.failed, failed),
        connect: merged(flows),
      };
      this.#flows.set(keyOf(name, ''), flow);
      return flow;
    });
    const sent = Array.from(now.listeners, ([name, bytes]) => bytesRate(before?.listeners.get(name), bytes));
    this.#instance = {
      bytes: before && sumOf(sent),
      connections: before && upstreams.reduce((sum, { connections = 0 }) => sum + connections, 0),
      failures: before && upstreams.reduce((sum, { failures = 0 }) => sum + failures, 0),
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
  return {
    ...{ pid, uptimeMs },
    listeners: new Map(listeners.map(({ name, counts }) => [name, counts?.bytes ?? NONE])),
    upstreams: new Map(
      upstreams.map(({ name, counts, backends }) => [
        name,
        {
          ...endingsOf(counts?.ended ?? []),
          // One that was removed and is added again is there twice: what counts is the one that is configured.
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

function sumOf(all: readonly (SentBytes | undefined)[]): SentBytes {
  return all.reduce<SentBytes>(
    (sum, { client, backend } = NONE) => ({ client: sum.client + client, backend: sum.backend + backend }),
    NONE,
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
