/**
 * Latency at a fixed rate: half of what the slower of HAProxy and nginx can do at most on this machine.
 *
 * Place: `prepare` finds that rate once, before the first round; every peer is then asked at the same rate.
 * At its peak any balancer's latency is the length of its queue and says nothing about the balancer; at half of the
 * peers' peak it shows what a session waits for. Latencies count from the planned moment (load/open-loop.ts).
 */
import { runExchanges } from '../load/exchange-client.ts';
import { BODY_BYTES, REQUEST, response } from '../load/messages.ts';
import { runPaced } from '../load/paced-client.ts';
import { percentile } from '../measure/stats.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { CORE_FIGURES, PLAIN_SETUP, cpuColumns, cpuFigures, cpuMeterOf, type Scenario } from './scenario.ts';

const ANSWER_WITHIN_MS = 5_000;

export interface LatencySettings {
  readonly connections: number;
  /** Requests per second; undefined: half of the slower rival's peak. */
  readonly ratePerSecond: number | undefined;
  readonly peakMs: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export function createLatency(settings: LatencySettings): Scenario {
  const { connections } = settings;
  const exchange = { connections, request: REQUEST, response: response(BODY_BYTES.small, 'keep-alive') };
  let rate = settings.ratePerSecond;

  const peakOf = async (peer: RunningPeer): Promise<number> => {
    const { exchanges, seconds } = await runExchanges({
      ...exchange,
      port: peer.port,
      warmUpMs: settings.peakMs / 2,
      measureMs: settings.peakMs,
      startCpuMeter: cpuMeterOf(peer),
    });
    return exchanges / seconds;
  };

  return {
    name: 'latency',
    title: `latency: ${String(BODY_BYTES.small)}-byte body, ${String(connections)} connections, ${
      settings.ratePerSecond === undefined
        ? "at half of the slower rival's peak rate"
        : `${String(settings.ratePerSecond)} requests/s`
    }`,
    service: 'small',
    setup: PLAIN_SETUP,
    measuresControl: true,
    headline: 'p99Ms',
    figures: [
      { key: 'offeredPerSecond', label: 'offered', unit: '/s', digits: 0, better: 'neither' },
      { key: 'p50Ms', label: 'p50', unit: 'ms', digits: 3, better: 'lower' },
      { key: 'p99Ms', label: 'p99', unit: 'ms', digits: 3, better: 'lower' },
      { key: 'p999Ms', label: 'p99.9', unit: 'ms', digits: 3, better: 'lower' },
      { key: 'clientLateP99Ms', label: 'client late p99', unit: 'ms', digits: 3, better: 'neither' },
      ...cpuColumns('cpuUsPerRequest', { label: 'CPU/request', unit: 'µs', digits: 1 }),
      ...CORE_FIGURES,
    ],
    async prepare(field) {
      if (rate !== undefined) return;
      const peaks: number[] = [];
      // Without a rival, the rate comes from lb4 itself, and without lb4 from the bare backends.
      for (const role of ['rival', 'subject', 'control'] as const) {
        await field.forEach(role, async peer => void peaks.push(await peakOf(peer)));
        if (peaks.length > 0) break;
      }
      rate = halfOfSlowest(peaks);
    },
    async run(peer) {
      if (rate === undefined) throw new Error('no peer told a rate');
      const result = await runPaced({
        ...exchange,
        port: peer.port,
        ratePerSecond: rate,
        warmUpMs: settings.warmUpMs,
        measureMs: settings.measureMs,
        answerWithinMs: ANSWER_WITHIN_MS,
        startCpuMeter: cpuMeterOf(peer),
      });
      if (result.latenciesMs.length === 0) throw new Error('no request was answered');
      return {
        errors: result.errors,
        figures: {
          offeredPerSecond: rate,
          p50Ms: percentile(result.latenciesMs, 50),
          p99Ms: percentile(result.latenciesMs, 99),
          p999Ms: percentile(result.latenciesMs, 99.9),
          clientLateP99Ms: percentile(result.clientLateMs, 99),
          ...cpuFigures('cpuUsPerRequest', { ...result, units: rate * result.seconds, scale: 1e3 }),
        },
      };
    },
  };
}

/** Half of the lowest peak, in whole requests per second; undefined where nothing moved. */
export function halfOfSlowest(peaks: readonly number[]): number | undefined {
  const moving = peaks.filter(peak => peak > 0);
  return moving.length === 0 ? undefined : Math.max(Math.floor(Math.min(...moving) / 2), 1);
}
