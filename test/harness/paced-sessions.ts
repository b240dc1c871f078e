/**
 * Open-loop sessions: so many new clients a second whatever becomes of those before. Each connects, sends one small
 * HTTP request, expects an answer that names its backend, and tells how it went.
 *
 * Place: load for tests of failing backends. Runs in a thread of its own: in tap's main thread every socket is
 * watched, which would slow the clients down. This file is both sides.
 * Times count from the planned moment, so that a client that starts late because its machine is busy shows it.
 */
import type { Test } from 'tap';
import { connect } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { TcpAddress } from '../../src/support/address.ts';

export interface PacedSessions {
  /** Several take turns, session by session. */
  readonly address: TcpAddress | readonly TcpAddress[];
  readonly ratePerSecond: number;
  readonly durationMs: number;
  /** A session without its whole answer after this long is a `timeout`. */
  readonly answerWithinMs: number;
}

/** `eof`: the other side ended cleanly before the answer was whole. */
export type Outcome = 'ok' | 'refused' | 'reset' | 'eof' | 'timeout' | 'other';

export interface SessionOutcome {
  readonly outcome: Outcome;
  /** Who answered; '' when nobody did. */
  readonly backend: string;
  /** The client's address without its port; on Linux each session has its own. */
  readonly client: string;
  /** When it was to start, counted from the start of the load. */
  readonly plannedMs: number;
  /** The same as milliseconds since 1970, for what other threads have seen. */
  readonly plannedAt: number;
  readonly durationMs: number;
}

const ROLE = 'paced-sessions';
const TICK_MS = 2;
const REQUEST = 'GET / HTTP/1.1\r\nhost: backend\r\nconnection: close\r\n\r\n';

/** Resolves when every session has ended, in the order in which they were planned. */
export async function runPacedSessions(
  t: { teardown(callback: () => unknown): void },
  load: PacedSessions,
): Promise<readonly SessionOutcome[]> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { role: ROLE, load }, execArgv: [] });
  t.teardown(() => worker.terminate());
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/**
 * One load after the other, each as long as `load` says, until it is ended.
 * @returns ends it, and claims that every session was served
 */
export function keepLoading(t: Test, load: PacedSessions): () => Promise<void> {
  const sessions: Promise<readonly SessionOutcome[]>[] = [];
  const start = (): void => void sessions.push(runPacedSessions(t, load));
  start();
  const loading = setInterval(start, load.durationMs);
  t.teardown(() => clearInterval(loading));
  return async () => {
    clearInterval(loading);
    const outcomes = (await Promise.all(sessions)).flat();
    t.equal(
      tally(outcomes.map(({ outcome }) => outcome)),
      `${outcomes.length} ok`,
      summary(outcomes).join('; '),
    );
  };
}

/** Lines for people: sessions by outcome, by backend, and how long good ones took. */
export function summary(outcomes: readonly SessionOutcome[]): readonly string[] {
  const good = outcomes.filter(({ outcome }) => outcome === 'ok');
  const times = good.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
  const at = (share: number): string =>
    (times[Math.min(Math.floor(times.length * share), times.length - 1)] ?? NaN).toFixed(1);
  return [
    `${outcomes.length} sessions: ${tally(outcomes.map(({ outcome }) => outcome))}`,
    `answered by: ${tally(good.map(({ backend }) => backend))}`,
    `answer after ms: p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, longest ${at(1)}`,
  ];
}

/** `3 ok, 1 reset`, the most frequent first. */
export function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ');
}

async function runLoad(load: PacedSessions): Promise<readonly SessionOutcome[]> {
  const total = Math.floor((load.ratePerSecond * load.durationMs) / 1000);
  const sessions: Promise<SessionOutcome>[] = [];
  const startedAt = performance.now();
  const sinceStart = (): number => performance.now() - startedAt;
  await new Promise<void>(resolve => {
    const timer = setInterval(() => {
      while (sessions.length < total) {
        const plannedMs = (sessions.length * 1000) / load.ratePerSecond;
        if (plannedMs > sinceStart()) return;
        sessions.push(runSession(load, sessions.length, plannedMs, sinceStart));
      }
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  return Promise.all(sessions);
}

function runSession(
  { address: one, answerWithinMs }: PacedSessions,
  index: number,
  plannedMs: number,
  sinceStart: () => number,
): Promise<SessionOutcome> {
  return new Promise(resolve => {
    let answer = '';
    let outcome: Outcome | undefined;
    const all = 'kind' in one ? [one] : one;
    const address = all[index % all.length]!;
    const own = ownAddress(address, index);
    const client = own.localAddress ?? '';
    const socket = connect({ ...address, ...own, noDelay: true });
    const end = (how: Outcome): void => {
      if (outcome !== undefined) return;
      outcome = how;
      clearTimeout(timer);
      const backend = how === 'ok' ? answer.slice(answer.indexOf('\r\n\r\n') + 4, -1) : '';
      const durationMs = sinceStart() - plannedMs;
      resolve({ outcome: how, backend, client, plannedMs, plannedAt: Date.now() - durationMs, durationMs });
      socket.destroy();
    };
    const timer = setTimeout(() => end('timeout'), answerWithinMs - (sinceStart() - plannedMs));
    socket.once('connect', () => socket.write(REQUEST));
    socket.on('data', bytes => (answer += bytes.toString()));
    socket.once('end', () => end(isWhole(answer) ? 'ok' : 'eof'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(outcomeOf(error.code)));
  });
}

function isWhole(answer: string): boolean {
  return answer.startsWith('HTTP/1.1 200 ') && /\r\n\r\n.+\n$/s.test(answer);
}

function outcomeOf(code: string | undefined): Outcome {
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ETIMEDOUT') return 'timeout';
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : 'other';
}

/** A loopback address per session, so that the access log's line for it can be told from all others. */
function ownAddress({ host }: TcpAddress, index: number): { localAddress?: string } {
  if (process.platform !== 'linux' || !host.startsWith('127.')) return {};
  return { localAddress: `127.200.${(index >> 8) & 0xff}.${index & 0xff}` };
}

if (!isMainThread) {
  // What runPacedSessions has sent, or another file's data.
  const { role, load } = workerData as { role?: string; load: PacedSessions };
  if (role === ROLE) parentPort?.postMessage(await runLoad(load));
}
