/**
 * TLS that ends at the balancer: a new connection for every request, with a full handshake each or with resumption.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BODY_BYTES, response } from '../load/messages.ts';
import { runTlsConnections } from '../load/tls-client.ts';
import { CORE_FIGURES, cpuColumns, cpuFigures, cpuMeterOf, TLS_SETUP, type Scenario } from './scenario.ts';

export interface TlsConnectSettings {
  readonly name: string;
  readonly resume: boolean;
  readonly concurrency: number;
  readonly warmUpRequests: number;
  readonly requests: number;
}

/** The balancer may still be closing when the client has seen its last answer. */
const SETTLE_MS = 50;

export function createTlsConnect(settings: TlsConnectSettings): Scenario {
  const { name, resume, concurrency, requests } = settings;
  const responseBytes = response(BODY_BYTES.small, 'close').length;
  const kind = resume ? 'resumed TLS sessions' : 'full TLS handshakes';
  return {
    name,
    title: `${kind}, P-256: ${String(requests)} connections with a request each, concurrency ${String(concurrency)}`,
    service: 'once',
    setup: TLS_SETUP,
    measuresControl: false,
    headline: 'cpuUsPerHandshake',
    figures: [
      { key: 'handshakesPerCore', label: 'a core makes', unit: '/s', digits: 0, better: 'higher' },
      { key: 'connectionsPerSecond', label: 'made', unit: '/s', digits: 0, better: 'neither' },
      { key: 'p50Ms', label: 'p50', unit: 'ms', digits: 1, better: 'lower' },
      { key: 'p99Ms', label: 'p99', unit: 'ms', digits: 1, better: 'lower' },
      { key: 'resumedPercent', label: 'resumed', unit: '%', digits: 0, better: 'neither' },
      ...cpuColumns('cpuUsPerHandshake', { label: 'CPU/connection', unit: 'µs', digits: 0 }),
      ...CORE_FIGURES,
    ],
    async run(peer) {
      const load = { port: peer.port, concurrency, responseBytes, resume };
      await runTlsConnections({ ...load, requests: settings.warmUpRequests });
      await sleep(SETTLE_MS);
      const stopCpuMeter = cpuMeterOf(peer)();
      const result = await runTlsConnections({ ...load, requests });
      await sleep(SETTLE_MS);
      const cpu = stopCpuMeter();
      const { seconds } = result;
      const busyNs = cpu.balancer?.busyNs;
      return {
        errors: result.errors,
        figures: {
          connectionsPerSecond: requests / seconds,
          p50Ms: result.p50Ms,
          p99Ms: result.p99Ms,
          resumedPercent: (result.resumed / requests) * 100,
          ...(busyNs !== undefined && { handshakesPerCore: (requests / busyNs) * 1e9 }),
          ...cpuFigures('cpuUsPerHandshake', { cpu, units: requests, seconds, scale: 1e3 }),
        },
      };
    },
  };
}
