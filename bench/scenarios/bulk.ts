/**
 * Bulk: large answers on few connections: the cost of moving a gigabyte.
 *
 * With 4 connections all bytes in flight fit into a CPU cache, and HAProxy and nginx cost clearly less per GB than
 * with 32: a figure compares only with figures for the same number.
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

export interface BulkSettings {
  readonly name: string;
  readonly setup: Setup;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

const BYTES_PER_GB = 1e9;

export function createBulk(settings: BulkSettings): Scenario {
  const { name, setup, connections } = settings;
  const answer = response(BODY_BYTES.bulk, 'keep-alive');
  return {
    name,
    title: `bulk: ${String(BODY_BYTES.bulk / 1e6)} MB responses one after the other, ${String(connections)} connections${setupInWords(setup)}`,
    service: 'bulk',
    setup,
    measuresControl: setup.tls !== true,
    headline: 'cpuMsPerGb',
    figures: [
      { key: 'megabytesPerSecond', label: 'rate', unit: 'MB/s', digits: 0, better: 'higher' },
      { key: 'p50Ms', label: 'p50', unit: 'ms', digits: 1, better: 'lower' },
      { key: 'p99Ms', label: 'p99', unit: 'ms', digits: 1, better: 'lower' },
      ...cpuColumns('cpuMsPerGb', { label: 'CPU/GB', unit: 'ms', digits: 0 }),
      ...CORE_FIGURES,
    ],
    async run(peer) {
      const result = await runExchanges({
        ...settings,
        port: peer.port,
        isTls: setup.tls === true,
        request: REQUEST,
        response: answer,
        startCpuMeter: cpuMeterOf(peer),
      });
      if (result.exchanges === 0) throw new Error('no transfer was completed');
      return {
        errors: result.errors,
        figures: {
          megabytesPerSecond: result.bytes / 1e6 / result.seconds,
          p50Ms: percentile(result.latenciesMs, 50),
          p99Ms: percentile(result.latenciesMs, 99),
          ...cpuFigures('cpuMsPerGb', { ...result, units: result.bytes / BYTES_PER_GB, scale: 1e6 }),
        },
      };
    },
  };
}
