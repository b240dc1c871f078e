/**
 * Rates of the instance, its upstreams and its backends, from the totals of the statuses that have come.
 *
 * How: the last status and the one before give the rate of now. For what is rare (failures) or needs many (times to
 * connect) the totals of the last minute are kept, one set every ten seconds.
 * Rule: what began before the page was opened is in no rate.
 */
import { attemptsOf, bucketsSince, endingsOf, quantileOf, since } from './rates.js';

const MARK_MS = 10_000;
const WINDOW_MS = 60_000;

export class Figures {
  /** Of the last second; undefined until two statuses have come. */
  instance;
  #pid;
  #last;
  #marks = [];
  #upstreams = new Map();

  /** Takes a status, received now. */
  add(status, nowMs) {
    const now = totalsOf(status);
    if (this.#pid !== status.pid) {
      this.#pid = status.pid;
      [this.#last, this.#marks] = [undefined, []];
    }
    if (this.#last !== undefined && now.uptimeMs <= this.#last.uptimeMs) return;
    const oldest = this.#marks[0] ?? now;
    const before = this.#last;
    this.#last = now;
    this.instance = before && instanceBetween(before, now, oldest);
    this.#upstreams.clear();
    for (const [name, upstream] of now.upstreams) {
      const [one, first] = [before?.upstreams.get(name), oldest.upstreams.get(name)];
      this.#upstreams.set(
        name,
        upstreamBetween(one, upstream, first, now.uptimeMs - (before?.uptimeMs ?? 0)),
      );
    }
    if (this.#marks.length > 0 && nowMs - this.#marks.at(-1).atMs < MARK_MS) return;
    this.#marks.push({ ...now, atMs: nowMs });
    while (this.#marks.length > 1 && nowMs - this.#marks[1].atMs >= WINDOW_MS) this.#marks.shift();
  }

  /** `{ rate, failed, endings, backends }`: sessions per second, and in the last minute `{ all, failed }` that have ended. */
  of(upstream) {
    return this.#upstreams.get(upstream);
  }
}

/** The totals of a status by name, and nothing else of it: it is kept for a minute. */
function totalsOf({ uptimeMs, sessionsEver, listeners, upstreams }) {
  return {
    ...{ uptimeMs, sessionsEver },
    listeners: new Map(listeners.map(({ name, counts }) => [name, counts])),
    upstreams: new Map(
      upstreams.map(({ name, counts, backends }) => [
        name,
        {
          ended: counts?.ended ?? [],
          // One that was removed and is added again is there twice: what counts is the one that is configured.
          backends: new Map(
            backends
              .filter(({ state, counts: has }) => state !== 'removed' && has !== undefined)
              .map(({ backend, counts: has }) => [backend, has]),
          ),
        },
      ]),
    ),
  };
}

function instanceBetween(before, now, oldest) {
  const seconds = (now.uptimeMs - before.uptimeMs) / 1_000;
  const bytes = { client: 0, backend: 0 };
  for (const [name, counts] of now.listeners) {
    const earlier = before.listeners.get(name)?.bytes;
    for (const side of Object.keys(bytes))
      bytes[side] += since(earlier?.[side], counts?.bytes[side] ?? 0) / seconds;
  }
  const [last, minute] = [
    { all: 0, failed: 0 },
    { all: 0, failed: 0 },
  ];
  for (const [name, { ended }] of now.upstreams) {
    addEnded(last, before.upstreams.get(name)?.ended, ended);
    addEnded(minute, oldest.upstreams.get(name)?.ended, ended);
  }
  return { bytes, failures: last.failed / seconds, minute };
}

function upstreamBetween(before, now, oldest, passedMs) {
  const minute = { all: 0, failed: 0 };
  addEnded(minute, oldest?.ended, now.ended);
  const seconds = passedMs / 1_000;
  const backends = new Map();
  for (const [name, counts] of now.backends) {
    const [one, first] = [before?.backends.get(name), oldest?.backends.get(name)];
    backends.set(name, backendBetween(before && one, counts, first ?? counts, before && seconds));
  }
  const rate = before && [...backends.values()].reduce((sum, { connections = 0 }) => sum + connections, 0);
  return { rate, minute, backends };
}

/** @param seconds undefined: there is no status before */
function backendBetween(before, now, oldest, seconds) {
  const [first, all] = [attemptsOf(oldest), attemptsOf(now)];
  const connect = bucketsSince(oldest.connect, now.connect);
  const per = (earlier, total) => seconds && since(earlier, total) / seconds;
  return {
    connections: per(before?.connections, now.connections),
    bytes: seconds && {
      client: per(before?.bytes.client, now.bytes.client),
      backend: per(before?.bytes.backend, now.bytes.backend),
    },
    // Of the last minute.
    failed: since(first.failed, all.failed),
    attempts: since(first.all, all.all),
    median: oldest === now ? undefined : quantileOf(connect, 0.5),
    slowest: oldest === now ? undefined : quantileOf(connect, 0.99),
  };
}

function addEnded(sum, before = [], now) {
  const [earlier, all] = [endingsOf(before), endingsOf(now)];
  sum.all += since(earlier.all, all.all);
  sum.failed += since(earlier.failed, all.failed);
}
