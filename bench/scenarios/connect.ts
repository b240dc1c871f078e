/**
 * A new connection for every request, as ab does without -k: the cost of a whole short session.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectLoad, ConnectResult } from '../load/connect-client.ts';
import { closeSessions, openSilent } from '../load/idle-client.ts';
import { BODY_BYTES, response } from '../load/messages.ts';
import {
  CORE_FIGURES,
  cpuColumns,
  cpuFigures,
  cpuMeterOf,
  setupInWords,
  type Scenario,
  type Setup,
} from './scenario.ts';

export interface ConnectSettings {
  readonly name: string;
  readonly setup: Setup;
  /** Sessions that are open and silent meanwhile. */
  readonly openSessions: number;
  readonly concurrency: number;
  /** 0: the first sessions of a fresh process are measured. */
  readonly warmUpRequests: number;
  readonly requests: number;
  /** For the title: which client makes the connections. */
  readonly clientName: string;
  readonly client: (load: ConnectLoad) => Promise<ConnectResult>;
}

/** The balancer may still be closing when the client has seen its last answer. */
const SETTLE_MS = 50;
const OPENED_AT_ONCE = 100;

export function createConnect(settings: ConnectSettings): Scenario {
  const { name, setup, concurrency, requests } = settings;
  const responseBytes = response(BODY_BYTES.small, 'close').length;
  const beside = settings.openSessions === 0 ? '' : `, beside ${String(settings.openSessions)} open sessions`;
  const kind =
    settings.warmUpRequests === 0 ? 'first connections of a fresh process' : 'new connection per request';
  return {
    name,
    title: `${kind}: ${settings.clientName}, ${String(requests)} requests, concurrency ${String(concurrency)}${beside}${setupInWords(setup)}`,
    service: 'once',
    setup,
    measuresControl: true,
    headline: 'cpuUsPerConnection',
    figures: [
      { key: 'connectionsPerSecond', label: 'connections', unit: '/s', digits: 0, better: 'higher' },
      { key: 'p50Ms', label: 'p50', unit: 'ms', digits: 1, better: 'lower' },
      { key: 'p99Ms', label: 'p99', unit: 'ms', digits: 1, better: 'lower' },
      ...cpuColumns('cpuUsPerConnection', { label: 'CPU/connection', unit: 'µs', digits: 1 }),
      ...CORE_FIGURES,
    ],
    async run(peer) {
      const load = { port: peer.port, concurrency, responseBytes };
      const open = await openSilent(peer.port, settings.openSessions, OPENED_AT_ONCE);
      if (settings.warmUpRequests > 0) {
        await settings.client({ ...load, requests: settings.warmUpRequests });
        await sleep(SETTLE_MS);
      }
      const stopCpuMeter = cpuMeterOf(peer)();
      const result = await settings.client({ ...load, requests });
      await sleep(SETTLE_MS);
      const cpu = stopCpuMeter();
      const lost = open.filter(socket => socket.readyState !== 'open').length;
      await closeSessions(open);
      return {
        errors: result.errors + lost,
        figures: {
          connectionsPerSecond: requests / result.seconds,
          p50Ms: result.p50Ms,
          p99Ms: result.p99Ms,
          ...cpuFigures('cpuUsPerConnection', { cpu, units: requests, seconds: result.seconds, scale: 1e3 }),
        },
      };
    },
  };
}
