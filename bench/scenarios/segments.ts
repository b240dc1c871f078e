/**
 * TCP segments per short session: what ab without -k makes balancer, client and backend send altogether.
 *
 * Counted, not timed: a neighbour on the machine hardly changes it, but a neighbour in the same network namespace is
 * counted, too. Most of a short session's cost is in its segments: each is a walk through the stack and a wake-up.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectLoad, ConnectResult } from '../load/connect-client.ts';
import { BODY_BYTES, response } from '../load/messages.ts';
import { sentSegments } from '../measure/segments.ts';
import { PLAIN_SETUP, type Scenario } from './scenario.ts';

/** The last sessions' ends and their acknowledgements, a delayed one among them. */
const SETTLE_MS = 200;

export interface SegmentsSettings {
  readonly concurrency: number;
  readonly warmUpSessions: number;
  readonly sessions: number;
  readonly client: (load: ConnectLoad) => Promise<ConnectResult>;
}

export function createSegments(settings: SegmentsSettings): Scenario {
  const { concurrency, sessions } = settings;
  const responseBytes = response(BODY_BYTES.small, 'close').length;
  return {
    name: 'segments',
    title: `TCP segments per short session, all three parties: ${String(sessions)} sessions, concurrency ${String(concurrency)}`,
    service: 'once',
    setup: PLAIN_SETUP,
    measuresControl: true,
    maxRounds: 2,
    headline: 'segmentsPerSession',
    figures: [
      { key: 'segmentsPerSession', label: 'segments/session', unit: '', digits: 1, better: 'lower' },
      { key: 'foreignPerSecond', label: 'foreign', unit: '/s', digits: 0, better: 'neither' },
    ],
    unavailable: () =>
      Promise.resolve(sentSegments() === undefined ? 'this system does not count segments' : undefined),
    async run(peer) {
      const load = { port: peer.port, concurrency, responseBytes };
      const warmUp = await settings.client({ ...load, requests: settings.warmUpSessions });
      await sleep(SETTLE_MS);
      // Nothing of the run sends now: what is counted is other traffic in this namespace.
      const quiet = await counted(() => sleep(SETTLE_MS));
      const busy = await counted(async () => {
        const result = await settings.client({ ...load, requests: sessions });
        await sleep(SETTLE_MS);
        return result;
      });
      return {
        errors: warmUp.errors + busy.result.errors,
        figures: {
          segmentsPerSession: busy.segments / sessions,
          foreignPerSecond: quiet.segments / (SETTLE_MS / 1000),
        },
      };
    },
  };
}

async function counted<T>(work: () => Promise<T>): Promise<{ segments: number; result: T }> {
  const before = sentSegments() ?? NaN;
  const result = await work();
  return { segments: (sentSegments() ?? NaN) - before, result };
}
