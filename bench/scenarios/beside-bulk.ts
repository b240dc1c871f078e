/**
 * Small requests at a fixed rate while bulk flows run through the same balancer: how long bulk makes others wait.
 *
 * Both go to the same listener and the same backends. The bulk client and what answers it are processes of their own
 * that make way for the small requests on the load core (processes/priority.ts), so that the wait is the balancer's.
 */
import { startBulk } from '../load/bulk-process.ts';
import { BODY_BYTES, REQUEST, response } from '../load/messages.ts';
import { runPaced } from '../load/paced-client.ts';
import type { Children } from '../processes/children.ts';
import { ANSWER_WITHIN_MS, PACED_COLUMNS, pacedFigures } from './paced-figures.ts';
import { CORE_FIGURES, PLAIN_SETUP, cpuFigures, cpuMeterOf, type Scenario } from './scenario.ts';

const MEGABYTES_PER_GB = 1_000;

export interface BesideBulkSettings {
  readonly children: Children;
  readonly flows: number;
  readonly connections: number;
  readonly ratePerSecond: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export function createBesideBulk(settings: BesideBulkSettings): Scenario {
  const { children, flows, connections, ratePerSecond, warmUpMs, measureMs } = settings;
  return {
    name: 'beside-bulk',
    title: `small beside bulk: ${String(ratePerSecond)} requests/s on ${String(connections)} connections, beside ${String(flows)} flows of ${String(BODY_BYTES.bulk / 1e6)} MB answers`,
    service: 'mixed',
    setup: PLAIN_SETUP,
    measuresControl: true,
    headline: 'p99Ms',
    figures: [
      ...PACED_COLUMNS,
      { key: 'megabytesPerSecond', label: 'bulk', unit: 'MB/s', digits: 0, better: 'higher' },
      { key: 'cpuMsPerGb', label: 'all CPU/GB', unit: 'ms', digits: 0, better: 'lower' },
      ...CORE_FIGURES,
    ],
    async run(peer) {
      const { port } = peer;
      const bulk = await startBulk(children, { port, flows, warmUpMs, measureMs });
      try {
        const small = await runPaced({
          port,
          connections,
          ratePerSecond,
          request: REQUEST,
          response: response(BODY_BYTES.small, 'keep-alive'),
          warmUpMs,
          measureMs,
          answerWithinMs: ANSWER_WITHIN_MS,
          startCpuMeter: cpuMeterOf(peer),
        });
        const { megabytesPerSecond, errors } = await bulk.result;
        if (megabytesPerSecond === 0) throw new Error('no bulk was moved');
        return {
          errors: small.errors + errors,
          figures: {
            ...pacedFigures(small),
            megabytesPerSecond,
            ...cpuFigures('cpuMsPerGb', {
              ...small,
              units: (megabytesPerSecond / MEGABYTES_PER_GB) * small.seconds,
              scale: 1e6,
            }),
          },
        };
      } finally {
        await bulk.stop();
      }
    },
  };
}
