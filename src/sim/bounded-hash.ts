/**
 * Clients that come back again and again, a few of them far more often than the others, over `iphash` with and without
 * `balanceFactor`.
 *
 * Place: a test checks on it what docs/strategies.md says. The shipped strategy; no sockets, no real time.
 * Load: sessions come as a Poisson process and stay for exponential times. Of each, the client is drawn by Zipf's law:
 * the k-th client has k^-skew times as many as the first.
 */
import { Heap } from 'heap-js';
import { createSourceHash } from '../../strategies/source-hash.ts';
import type { Candidate, Strategy } from '../../strategies/index.ts';
import { seeded } from './seeded.ts';

export interface HashLoad {
  readonly seed: number;
  /** The weight of each backend. */
  readonly backends: readonly number[];
  readonly clients: number;
  readonly skew: number;
  /** Sessions that run at a time, on average. */
  readonly sessions: number;
  /** How many sessions are placed and looked at, after the first have come and gone. */
  readonly placements: number;
  /** Undefined: no bound. */
  readonly balanceFactor?: number;
}

export interface HashRun {
  /** Highest sessions per weight over the average per weight: the mean over all placements, and the worst. */
  readonly meanPeak: number;
  readonly worstPeak: number;
  /** The part of the sessions that are at their client's own backend. */
  readonly atHome: number;
  /** Placements that brought a backend above its bound. */
  readonly beyond: number;
}

interface Backend extends Candidate {
  sessions: number;
}

const MEAN_SESSION_MS = 1_000;

/** The same input gives the same run. */
export function simulateHash({ balanceFactor, ...load }: HashLoad): HashRun {
  const random = seeded(load.seed);
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  const clientOf = zipf(load.clients, load.skew);
  const backends = load.backends.map((weight, i): Backend => {
    return {
      ...{ id: `10.0.0.${i + 1}:80`, weight, sessions: 0 },
      live() {
        return this.sessions;
      },
    };
  });
  const deps = { now: () => 0, random };
  const strategy = createSourceHash(backends, { ...deps, balanceFactor });
  const home = createSourceHash(backends, deps);
  const ends = new Heap<{ readonly atMs: number; readonly backend: Backend }>((a, b) => a.atMs - b.atMs);
  const weights = load.backends.reduce((sum, weight) => sum + weight, 0);
  let nowMs = 0;
  const seen = { placements: 0, peaks: 0, worst: 0, atHome: 0, beyond: 0 };
  for (let i = -3 * load.sessions; i < load.placements; i++) {
    nowMs += exponential(MEAN_SESSION_MS / load.sessions);
    while ((ends.peek()?.atMs ?? Infinity) <= nowMs) leave(ends.pop()?.backend);
    const clientAddress = addressOf(clientOf(random()));
    const backend = picked(strategy, clientAddress, backends);
    backend.sessions += 1;
    ends.push({ atMs: nowMs + exponential(MEAN_SESSION_MS), backend });
    if (i < 0) continue;
    const average = ends.size() / weights;
    const peak = Math.max(...backends.map(({ sessions, weight }) => sessions / weight)) / average;
    seen.placements += 1;
    seen.peaks += peak;
    seen.worst = Math.max(seen.worst, peak);
    if (home.pick({ clientAddress }) === backend) seen.atHome += 1;
    const bound = Math.ceil((balanceFactor ?? Infinity) * average * backend.weight - 1e-9);
    if (backend.sessions > bound) seen.beyond += 1;
  }
  return {
    meanPeak: seen.peaks / seen.placements,
    worstPeak: seen.worst,
    atHome: seen.atHome / seen.placements,
    beyond: seen.beyond,
  };
}

function picked(strategy: Strategy, clientAddress: string, backends: readonly Backend[]): Backend {
  const candidate = strategy.pick({ clientAddress });
  const backend = backends.find(each => each === candidate);
  if (backend === undefined) throw new Error('a strategy without limits always picks');
  return backend;
}

function leave(backend: Backend | undefined): void {
  if (backend !== undefined) backend.sessions -= 1;
}

/** The number of a client for each draw in [0, 1). */
function zipf(clients: number, skew: number): (draw: number) => number {
  let sum = 0;
  const ends = Float64Array.from({ length: clients }, (_, k) => (sum += (k + 1) ** -skew));
  return draw => {
    const point = draw * sum;
    let [low, high] = [0, clients - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] ?? 0) > point) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

function addressOf(client: number): string {
  return `10.${(client >> 16) & 255}.${(client >> 8) & 255}.${client & 255}`;
}
