/**
 * Two of three backends go down at the same moment, before any check knows it: no more clients fail than with HAProxy
 * (`option redispatch`), which stands beside lb4 over the same backends, with the same interval of checks and the same
 * clients. `npm test` takes one strategy; LB4_TEST_LOAD=full three of them, with 1 and 2 workers and the intervals that
 * both have by default.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { PROBE_PATH } from '../harness/faulty-backend.ts';
import { startBackendProcess, type BackendProcess } from '../harness/faulty-backends.ts';
import { FULL } from '../harness/full-load.ts';
import { startHaproxy } from '../harness/haproxy.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { runPacedSessions, tally, type SessionOutcome } from '../harness/paced-sessions.ts';
import { skipWithout } from '../harness/programs.ts';
import { pause } from '../harness/until.ts';

const HOW = ['refuse', 'blackHole', 'acceptAndClose', 'frozen'] as const;
/** As lb4 calls them, and as HAProxy does. */
const STRATEGIES = (
  [
    ['leastconn', 'leastconn'],
    ['roundrobin', 'roundrobin'],
    ['p2c', 'random(2)'],
  ] as const
).slice(0, FULL ? 3 : 1);
const WORKERS = FULL ? [1, 2] : [DATA_PLANE.workers === 0 ? 0 : 2];
const INTERVAL_MS = FULL ? 2_000 : 1_000;
const RATE_PER_SECOND = 25;
/** HAProxy takes a server that it has only just begun to check down at the first failed check instead of the third. */
const BEFORE_MS = 4 * INTERVAL_MS;
const AFTER_MS = 6 * INTERVAL_MS;
/** Patient: longer than a connect may take, and another one after it. */
const ANSWER_WITHIN_MS = 12_000;
/** When the next check is due is chance, and so are a few of the clients that a backend fails which still connects. */
const CHANCE = 2;

interface Place {
  readonly how: (typeof HOW)[number];
  readonly strategy: string;
  readonly balance: string;
  readonly backends: readonly TcpAddress[];
}

/** Three backends for each way to go down; `strike` takes two of each three down. */
async function startBackends(t: Parameters<typeof startBackendProcess>[0]) {
  const started = new Map<string, BackendProcess>();
  for (const how of HOW) started.set(how, await startBackendProcess(t, { one: 'serve', two: 'serve' }));
  const well = await startBackendProcess(t, Object.fromEntries(HOW.map(how => [how, 'serve'] as const)));
  const places = HOW.flatMap((how, i): Place[] => {
    const backends = [...(started.get(how)?.backends ?? []), ...well.backends.slice(i, i + 1)];
    return STRATEGIES.map(([strategy, balance]) => ({
      ...{ how, strategy, balance, backends: backends.map(({ address }) => address) },
    }));
  });
  const set = async (isDown: boolean): Promise<void> => {
    for (const how of HOW) {
      const process = started.get(how);
      if (how === 'frozen') process?.[isDown ? 'stop' : 'resume']();
      else for (const backend of process?.backends ?? []) await backend.become(isDown ? how : 'serve');
    }
  };
  return { places, strike: () => set(true), repair: () => set(false) };
}

const isHttp = ({ how }: Place): boolean => how === 'acceptAndClose' || how === 'frozen';

t.setTimeout(FULL ? 300_000 : 90_000);

void t.test(
  'when two of three backends go down under load, no more clients fail than with HAProxy',
  {
    skip: process.platform === 'linux' ? skipWithout('haproxy') : 'black holes take Linux',
  },
  async t => {
    const { places, strike, repair } = await startBackends(t);
    const folder = t.testdir({});
    const haproxy = await startHaproxy(
      t,
      folder,
      places.map(place => ({
        ...{ balance: place.balance, backends: place.backends, intervalMs: INTERVAL_MS },
        httpPath: isHttp(place) ? PROBE_PATH : undefined,
      })),
    );
    for (const workers of WORKERS) {
      const config: ConfigInput = {
        ...DATA_PLANE,
        workers,
        // Sessions with a frozen backend would be waited for.
        drainTimeout: '100ms',
        listeners: places.map((_, i) => ({ name: `l${i}`, bind: '127.0.0.1:0', upstream: `u${i}` })),
        upstreams: places.map((place, i) => ({
          name: `u${i}`,
          strategy: place.strategy,
          backends: place.backends.map(formatAddress),
          health: {
            ...(isHttp(place) ? ({ type: 'http', path: PROBE_PATH } as const) : ({ type: 'tcp' } as const)),
            interval: `${INTERVAL_MS}ms`,
          },
        })),
      };
      const file = join(folder, `lb4-${workers}.json`);
      writeFileSync(file, JSON.stringify(config));
      const lb4 = await startLb4(t, ['-c', file]);
      const own = places.map((_, i): TcpAddress => {
        const line = lb4.lines.find(({ event, listener }) => event === 'listening' && listener === `l${i}`);
        return { kind: 'tcp', host: '127.0.0.1', port: Number(String(line?.['address']).split(':').at(-1)) };
      });
      // Both at once, so that the machine is as busy for the one as for the other.
      const loads = Promise.all(
        [own, haproxy].map(address =>
          runPacedSessions(t, {
            address,
            ratePerSecond: RATE_PER_SECOND * places.length,
            durationMs: BEFORE_MS + AFTER_MS,
            answerWithinMs: ANSWER_WITHIN_MS,
          }),
        ),
      );
      await pause(BEFORE_MS);
      const struckAt = Date.now();
      await strike();
      const [ours = [], theirs = []] = await loads;
      const failed = (outcomes: readonly SessionOutcome[], place: number): string[] =>
        outcomes
          // Who was there before is cut off by whatever has happened.
          .filter(({ plannedAt }, i) => i % places.length === place && plannedAt > struckAt)
          .flatMap(({ outcome }) => (outcome === 'ok' ? [] : [outcome]));
      const sums = [0, 0] as [number, number];
      for (const how of HOW) {
        const [one, other] = [ours, theirs].map(outcomes =>
          places.flatMap((place, i) => {
            if (place.how !== how) return [];
            const outcome = failed(outcomes, i);
            t.comment(
              `${outcomes === ours ? 'lb4' : 'HAProxy'}, ${how}, ${place.strategy}: ${tally(outcome)}`,
            );
            return outcome;
          }),
        ) as [string[], string[]];
        const told = `${tally(one) || 'none'}; with HAProxy: ${tally(other) || 'none'}`;
        t.ok(
          one.length <= other.length + CHANCE * STRATEGIES.length,
          `${workers} workers, ${how}: failed ${told}`,
        );
        sums[0] += one.length;
        sums[1] += other.length;
      }
      t.ok(sums[0] <= sums[1], `in all ${sums[0]}; with HAProxy: ${sums[1]}`);
      const slowest = (outcomes: readonly SessionOutcome[]): string =>
        Math.max(
          ...outcomes.flatMap(({ outcome, durationMs }) => (outcome === 'ok' ? [durationMs] : [])),
        ).toFixed(0);
      t.comment(`the longest that a client waited: ${slowest(ours)} ms; with HAProxy: ${slowest(theirs)} ms`);
      await lb4.stop();
      await repair();
      // HAProxy runs on: its checks bring the backends back.
      if (workers !== WORKERS.at(-1)) await pause(4 * INTERVAL_MS);
    }
  },
);
