/**
 * Small requests on kept connections: the cost of moving one message each way, and its latency.
 */
import { runExchanges } from '../load/exchange-client.ts';
import { REQUEST, SMALL_BODY_BYTES, response } from '../load/messages.ts';
import { percentile } from '../measure/stats.ts';
import { CORE_FIGURES, cpuFigures, cpuMeterOf, type Scenario } from './scenario.ts';

export interface SmallSettings {
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export function createSmall(settings: SmallSettings): Scenario {
  const { connections } = settings;
  const answer = response(SMALL_BODY_BYTES, 'keep-alive');
  return {
    name: 'small',
    title: `small requests: HTTP/1.1 keep-alive, ${String(SMALL_BODY_BYTES)}-byte body, ${String(connections)} connections`,
    service: 'small',
    measuresControl: true,
    headline: 'cpuUsPerRequest',
    figures: [
      { key: 'requestsPerSecond', label: 'requests', unit: '/s', digits: 0, better: 'higher' },
      { key: 'p50Ms', label: 'p50', unit: 'ms', digits: 2, better: 'lower' },
      { key: 'p99Ms', label: 'p99', unit: 'ms', digits: 2, better: 'lower' },
      { key: 'cpuUsPerRequest', label: 'CPU/request', unit: 'µs', digits: 1, better: 'lower' },
      ...CORE_FIGURES,
    ],
    async run(peer) {
      const result = await runExchanges({
        ...settings,
        port: peer.port,
        request: REQUEST,
        response: answer,
        startCpuMeter: cpuMeterOf(peer),
      });
      if (result.exchanges === 0) throw new Error('no request was answered');
      return {
        errors: result.errors,
        figures: {
          requestsPerSecond: result.exchanges / result.seconds,
          p50Ms: percentile(result.latenciesMs, 50),
          p99Ms: percentile(result.latenciesMs, 99),
          ...cpuFigures('cpuUsPerRequest', { ...result, units: result.exchanges, scale: 1e3 }),
        },
      };
    },
  };
}
