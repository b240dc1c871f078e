/**
 * Requests on kept connections, one in flight on each: the cost of moving a message each way, and its latency.
 */
import { runExchanges } from '../load/exchange-client.ts';
import { BODY_BYTES, REQUEST, response } from '../load/messages.ts';
import { percentile } from '../measure/stats.ts';
import {
  CORE_FIGURES,
  cpuColumns,
  cpuFigures,
  cpuMeterOf,
  setupInWords,
  type Scenario,
  type Setup,
} from './scenario.ts';

export interface RequestsSettings {
  readonly name: string;
  readonly size: 'small' | 'medium';
  readonly setup: Setup;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export function createRequests(settings: RequestsSettings): Scenario {
  const { name, size, setup, connections } = settings;
  const answer = response(BODY_BYTES[size], 'keep-alive');
  return {
    name,
    title: `${size} requests: HTTP/1.1 keep-alive, ${String(BODY_BYTES[size])}-byte body, ${String(connections)} connections${setupInWords(setup)}`,
    service: size,
    setup,
    measuresControl: true,
    headline: 'cpuUsPerRequest',
    figures: [
      { key: 'requestsPerSecond', label: 'requests', unit: '/s', digits: 0, better: 'higher' },
      { key: 'p50Ms', label: 'p50', unit: 'ms', digits: 2, better: 'lower' },
      { key: 'p99Ms', label: 'p99', unit: 'ms', digits: 2, better: 'lower' },
      ...cpuColumns('cpuUsPerRequest', { label: 'CPU/request', unit: 'µs', digits: 1 }),
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
