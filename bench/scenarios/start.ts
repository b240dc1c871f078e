/**
 * The start: from the spawn of the process to its first accepted connection, and what it has cost by then.
 *
 * Memory is read a moment later, when every worker is there: a port accepts as soon as the first one listens.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSinceStart } from '../measure/cpu.ts';
import { residentBytes } from '../measure/rss.ts';
import { setupInWords, type Scenario, type Setup } from './scenario.ts';

const SETTLE_MS = 500;

export interface StartSettings {
  readonly setup: Setup;
}

export function createStart({ setup }: StartSettings): Scenario {
  return {
    name: 'start',
    title: `start: from spawn to the first accepted connection${setupInWords(setup)}; memory ${String(SETTLE_MS)} ms later`,
    service: 'once',
    setup,
    measuresControl: false,
    headline: 'acceptingMs',
    figures: [
      { key: 'acceptingMs', label: 'accepting after', unit: 'ms', digits: 0, better: 'lower' },
      { key: 'cpuMs', label: 'CPU until then', unit: 'ms', digits: 0, better: 'lower' },
      { key: 'megabytes', label: 'resident', unit: 'MB', digits: 1, better: 'lower' },
    ],
    async run(peer) {
      const cpuNs = cpuSinceStart(peer.pids());
      await sleep(SETTLE_MS);
      const bytes = residentBytes(peer.pids());
      return {
        errors: 0,
        figures: {
          acceptingMs: peer.acceptingAfterMs,
          ...(cpuNs !== undefined && { cpuMs: cpuNs / 1e6 }),
          ...(bytes !== undefined && { megabytes: bytes / 1e6 }),
        },
      };
    },
  };
}
