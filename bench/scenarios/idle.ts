/**
 * Idle sessions: how much the balancer's resident memory grows per open session.
 *
 * Warm means: before the first reading the process has served some thousand short sessions, so code is loaded and
 * compiled and its allocator has its first pages; no more than 100 of them were open at once, so what the idle
 * sessions need is not there yet. Every session has carried one byte each way before it falls silent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { closeSessions, openSessions } from '../load/idle-client.ts';
import { residentBytes } from '../measure/rss.ts';
import { PLAIN_SETUP, type Scenario } from './scenario.ts';

export interface IdleSettings {
  readonly name: string;
  readonly sessions: number;
  readonly warmUpSessions: number;
}

const CONCURRENCY = 100;
/** Time for deferred frees and a garbage collector that works when nothing else does. */
const SETTLE_MS = 400;

export function createIdle(settings: IdleSettings): Scenario {
  const { name, sessions } = settings;
  return {
    name,
    title: `idle memory: growth of resident memory with ${String(sessions)} idle sessions, warm process`,
    service: 'echo',
    setup: PLAIN_SETUP,
    measuresControl: false,
    headline: 'kibibytesPerSession',
    figures: [
      { key: 'kibibytesPerSession', label: 'memory/session', unit: 'KiB', digits: 1, better: 'lower' },
      { key: 'beforeMebibytes', label: 'before', unit: 'MiB', digits: 1, better: 'neither' },
      { key: 'afterMebibytes', label: 'after', unit: 'MiB', digits: 1, better: 'neither' },
    ],
    async run(peer) {
      for (let warmed = 0; warmed < settings.warmUpSessions; warmed += CONCURRENCY) {
        await closeSessions(await openSessions(peer.port, CONCURRENCY, CONCURRENCY));
      }
      await sleep(SETTLE_MS);
      const before = residentBytes(peer.pids());
      const open = await openSessions(peer.port, sessions, CONCURRENCY);
      await sleep(SETTLE_MS);
      const after = residentBytes(peer.pids());
      // One that the balancer dropped in the meantime needs no memory and must not pass for a cheap one.
      const lost = open.filter(socket => socket.readyState !== 'open').length;
      await closeSessions(open);
      if (before === undefined || after === undefined) return { figures: {}, errors: lost };
      return {
        errors: lost,
        figures: {
          kibibytesPerSession: (after - before) / 1024 / sessions,
          beforeMebibytes: before / 1024 ** 2,
          afterMebibytes: after / 1024 ** 2,
        },
      };
    },
  };
}
