/**
 * The contract of a scenario: one kind of load, run once against one freshly started peer, giving named figures.
 *
 * run.ts knows scenarios only through this, and the report only through `figures`; a new size, number of sessions
 * or kind of load is one more Scenario in all.ts.
 * Invariant: a scenario leaves no connection behind, whether it succeeds or throws.
 */
import type { Service } from '../backend/backend.ts';
import { startCpuMeter, type CpuUse } from '../measure/cpu.ts';
import type { RunningPeer } from '../peers/peer.ts';

/** One column: what it is called, how it is printed and which direction is good. */
export interface Figure {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  /** Decimals to print. */
  readonly digits: number;
  /** `neither` is information about the measurement itself and gets no ratio. */
  readonly better: 'lower' | 'higher' | 'neither';
}

export interface Scenario {
  readonly name: string;
  /** One line that says what is done, with the numbers. */
  readonly title: string;
  /** What the backends do with its connections. */
  readonly service: Service;
  /** False where only a balancer's process can be measured. */
  readonly measuresControl: boolean;
  readonly figures: readonly Figure[];
  /** Key of the figure that stands in the summary and whose spread is shown. */
  readonly headline: string;
  run(peer: RunningPeer): Promise<Measured>;
}

export interface Measured {
  /** By figure key; a figure that could not be measured is missing. */
  readonly figures: Readonly<Record<string, number>>;
  /** Connections or requests that failed. */
  readonly errors: number;
}

/** Columns of how the balancer's core was used: they tell whether a sample can be trusted. */
export const CORE_FIGURES: readonly Figure[] = [
  { key: 'busyPercent', label: 'busy', unit: '%', digits: 0, better: 'neither' },
  { key: 'waitPercent', label: 'waited', unit: '%', digits: 1, better: 'neither' },
  { key: 'stolenPercent', label: 'stolen', unit: '%', digits: 1, better: 'neither' },
];

/** The CPU figures: `key` is nanoseconds per unit of work divided by `scale`. What is not known is missing. */
export function cpuFigures(
  key: string,
  work: { readonly cpu: CpuUse; readonly units: number; readonly seconds: number; readonly scale: number },
): Record<string, number> {
  const { balancer, stolenPercent } = work.cpu;
  const percentOf = (nanoseconds: number): number => (nanoseconds / (work.seconds * 1e9)) * 100;
  return {
    ...(balancer !== undefined && {
      [key]: balancer.busyNs / work.units / work.scale,
      busyPercent: percentOf(balancer.busyNs),
      waitPercent: percentOf(balancer.waitNs),
    }),
    ...(stolenPercent !== undefined && { stolenPercent }),
  };
}

/** A CPU meter over all processes that the peer has at the moment of the call. */
export function cpuMeterOf(peer: RunningPeer): () => () => CpuUse {
  return () => startCpuMeter(peer.pids());
}
