/**
 * System calls per short session: what ab without -k makes a balancer ask of the kernel, counted by strace.
 *
 * strace slows the balancer, so more events wait each time it asks for them: calls of the waiting kind (epoll_wait)
 * are fewer than in free running, for every balancer alike. All else is exact.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectLoad, ConnectResult } from '../load/connect-client.ts';
import { BODY_BYTES, response } from '../load/messages.ts';
import { attachStrace, callsPerSession, straceObstacle, totalOf, type Syscalls } from '../measure/strace.ts';
import type { RunningPeer } from '../peers/peer.ts';
import type { Children } from '../processes/children.ts';
import { CALLS_PREFIX } from '../result-file.ts';
import { PLAIN_SETUP, type Scenario } from './scenario.ts';

const SETTLE_MS = 200;

export interface SyscallsSettings {
  readonly children: Children;
  readonly concurrency: number;
  /** M of (count with N + M − count with M) / N; also the number of untraced sessions before. */
  readonly baseSessions: number;
  /** N. */
  readonly sessions: number;
  readonly client: (load: ConnectLoad) => Promise<ConnectResult>;
}

export function createSyscalls(settings: SyscallsSettings): Scenario {
  const { children, baseSessions, sessions, concurrency } = settings;
  const responseBytes = response(BODY_BYTES.small, 'close').length;
  let errors = 0;

  const load = async (peer: RunningPeer, requests: number): Promise<void> => {
    errors += (await settings.client({ port: peer.port, concurrency, responseBytes, requests })).errors;
  };
  const traced = async (peer: RunningPeer, requests: number): Promise<Syscalls> => {
    const trace = await attachStrace(children, peer.pids());
    await load(peer, requests);
    // A session that is still closing would lack its last calls.
    await sleep(SETTLE_MS);
    return trace.stop();
  };

  return {
    name: 'syscalls',
    title: `system calls per short session: strace -f -c over ${String(sessions)} sessions, concurrency ${String(concurrency)}`,
    service: 'once',
    setup: PLAIN_SETUP,
    measuresControl: false,
    maxRounds: 1,
    headline: 'callsPerSession',
    figures: [{ key: 'callsPerSession', label: 'calls/session', unit: '', digits: 1, better: 'lower' }],
    unavailable: () => straceObstacle(children),
    async run(peer) {
      errors = 0;
      await load(peer, baseSessions);
      const short = await traced(peer, baseSessions);
      const long = await traced(peer, baseSessions + sessions);
      const calls = callsPerSession(short, long, sessions);
      return {
        errors,
        figures: {
          callsPerSession: totalOf(calls),
          ...Object.fromEntries([...calls].map(([name, count]) => [`${CALLS_PREFIX}${name}`, count])),
        },
      };
    },
  };
}
