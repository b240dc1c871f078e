/**
 * Latency at a fixed rate: half of what the slower of HAProxy and nginx can do at most on this machine, or less: no
 * more than what leaves the load core, where client and backends are, 40 % of its time.
 *
 * Place: `prepare` finds that rate once, before the first round; every peer is then asked at the same rate.
 * At its peak any balancer's latency is the length of its queue and says nothing about the balancer; at half of the
 * peers' peak it shows what a session waits for. With the load core full, it is the client's own queue. Latencies count from the planned moment (load/open-loop.ts).
 */
import { runExchanges } from '../load/exchange-client.ts';
import { BODY_BYTES, REQUEST, response } from '../load/messages.ts';
import { runPaced, type PacedResult } from '../load/paced-client.ts';
import { startLoadMeter } from '../measure/load-core.ts';
import type { RunningPeer } from '../peers/peer.ts';
import { ANSWER_WITHIN_MS, PACED_COLUMNS, pacedFigures } from './paced-figures.ts';
import { CORE_FIGURES, PLAIN_SETUP, cpuColumns, cpuFigures, cpuMeterOf, type Scenario } from './scenario.ts';

/** Busier than this, client and backends stand in line for their own core. */
const LOAD_CORE_PERCENT = 60;
/** Four steps come within a few percent of that. */
const MAX_PROBES = 4;

export interface LatencySettings {
  readonly connections: number;
  /** Requests per second; undefined: half of the slower rival's peak, or what the load core bears. */
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

  const paced = async (
    peer: RunningPeer,
    ratePerSecond: number,
    { warmUpMs, measureMs }: Pick<LatencySettings, 'warmUpMs' | 'measureMs'>,
  ): Promise<PacedResult & { loadPercent: number | undefined }> => {
    let loadPercent: number | undefined;
    const result = await runPaced({
      ...exchange,
      port: peer.port,
      ratePerSecond,
      warmUpMs,
      measureMs,
      answerWithinMs: ANSWER_WITHIN_MS,
      startCpuMeter() {
        const meters = { cpu: cpuMeterOf(peer)(), load: startLoadMeter(peer.pids()) };
        return () => {
          loadPercent = meters.load();
          return meters.cpu();
        };
      },
    });
    return { ...result, loadPercent };
  };

  /** That rate, or the nearest below it at which the load core has room. */
  const bearable = async (peer: RunningPeer, wanted: number): Promise<number> => {
    const windows = { warmUpMs: settings.peakMs / 4, measureMs: settings.peakMs / 2 };
    let tried = wanted;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const { loadPercent } = await paced(peer, tried, windows);
      const next = slowerIfBusy(tried, loadPercent);
      if (next === tried) break;
      tried = next;
    }
    return tried;
  };

  return {
    name: 'latency',
    title: `latency: ${String(BODY_BYTES.small)}-byte body, ${String(connections)} connections, ${
      settings.ratePerSecond === undefined
        ? `at half of the slower rival's peak rate, or where the load core is ${String(LOAD_CORE_PERCENT)} % busy`
        : `${String(settings.ratePerSecond)} requests/s`
    }`,
    service: 'small',
    setup: PLAIN_SETUP,
    measuresControl: true,
    headline: 'p99Ms',
    figures: [
      { key: 'offeredPerSecond', label: 'offered', unit: '/s', digits: 0, better: 'neither' },
      ...PACED_COLUMNS,
      { key: 'loadPercent', label: 'load core', unit: '%', digits: 0, better: 'neither' },
      ...cpuColumns('cpuUsPerRequest', { label: 'CPU/request', unit: 'µs', digits: 1 }),
      ...CORE_FIGURES,
    ],
    async prepare(field) {
      if (rate !== undefined) return;
      let lowest: number | undefined;
      // Without a rival, the rate comes from lb4 itself, and without lb4 from the bare backends.
      for (const role of ['rival', 'subject', 'control'] as const) {
        await field.forEach(role, async peer => {
          lowest = await bearable(peer, halfOfSlowest([await peakOf(peer), (lowest ?? Infinity) * 2]));
        });
        if (lowest !== undefined) break;
      }
      rate = lowest;
    },
    async run(peer) {
      if (rate === undefined) throw new Error('no peer told a rate');
      const result = await paced(peer, rate, settings);
      return {
        errors: result.errors,
        figures: {
          offeredPerSecond: rate,
          ...pacedFigures(result),
          ...(result.loadPercent !== undefined && { loadPercent: result.loadPercent }),
          ...cpuFigures('cpuUsPerRequest', { ...result, units: rate * result.seconds, scale: 1e3 }),
        },
      };
    },
  };
}

/** Half of the lowest peak, in whole requests per second. Throws where a peer moved nothing. */
export function halfOfSlowest(peaks: readonly number[]): number {
  const lowest = Math.min(...peaks);
  if (!(lowest > 0 && lowest < Infinity)) throw new Error('no request was answered');
  return Math.max(Math.floor(lowest / 2), 1);
}

/** The same rate if the load core had room at it; else a lower one, to be tried in turn. */
export function slowerIfBusy(ratePerSecond: number, loadPercent: number | undefined): number {
  if (loadPercent === undefined || loadPercent <= LOAD_CORE_PERCENT) return ratePerSecond;
  // Part of the load does not depend on the rate, so this is still too much, never too little.
  return Math.max(Math.floor((ratePerSecond * LOAD_CORE_PERCENT) / loadPercent), 1);
}
