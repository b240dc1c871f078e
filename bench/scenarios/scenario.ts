/**
 * The contract of a scenario: one kind of load, run once against one freshly started peer, giving named figures.
 *
 * run.ts knows scenarios only through this, and the report only through `figures`; a new size, number of sessions
 * or kind of load is one more Scenario in all.ts.
 * Invariant: a scenario leaves no connection behind, whether it succeeds or throws.
 */
import type { Service } from '../backend/backend.ts';
import { startCpuMeter, type CpuUse } from '../measure/cpu.ts';
import type { PeerTask, RunningPeer, Workers } from '../peers/peer.ts';

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
  readonly setup: Setup;
  /** False where only a balancer's process can be measured. */
  readonly measuresControl: boolean;
  /** True where there is nothing in the rivals to compare with. */
  readonly subjectsOnly?: boolean;
  /** Rounds after which nothing new is to be learned; without it, as many as are asked for. */
  readonly maxRounds?: number;
  readonly figures: readonly Figure[];
  /** Key of the figure that stands in the summary and whose spread is shown. */
  readonly headline: string;
  /** Called once before the first round: why the scenario cannot be measured here, or undefined. */
  unavailable?(): Promise<string | undefined>;
  /** Called once before the first round, for what must be known of the peers before they can be compared. */
  prepare?(field: Field): Promise<void>;
  /** `another` starts one more of the same peer over the same backends, which ends with this run. */
  run(peer: RunningPeer, another: StartAnother): Promise<Measured>;
}

/** What differs from the first one. */
export type StartAnother = (task: Pick<PeerTask, 'redis'>) => Promise<RunningPeer>;

/** Who takes part in a scenario, for `prepare`. */
export interface Field {
  /** Starts each of them in turn, calls `measure`, and stops it; those that fail are left out. */
  forEach(
    role: 'rival' | 'subject' | 'control',
    measure: (peer: RunningPeer) => Promise<void>,
  ): Promise<void>;
}

/** What a scenario asks of the balancers; peers with another number of workers do not take part. */
export interface Setup {
  readonly workers: Workers;
  readonly backends: number;
  readonly strategy: PeerTask['strategy'];
  /** TLS of the clients ends at the balancers. */
  readonly tls?: true;
}

/** One core, three backends in turn. */
export const PLAIN_SETUP: Setup = { workers: 1, backends: 3, strategy: 'roundrobin' };

export const TLS_SETUP: Setup = { ...PLAIN_SETUP, tls: true };

/** The part of a setup that a title has to tell, if it is not the plain one. */
export function setupInWords({ workers, backends, strategy, tls }: Setup): string {
  return [
    workers === PLAIN_SETUP.workers ? '' : `, ${String(workers)} workers`,
    backends === PLAIN_SETUP.backends ? '' : `, ${String(backends)} backends`,
    strategy === PLAIN_SETUP.strategy ? '' : `, ${strategy}`,
    tls === true ? ', TLS of the clients ends at the balancer' : '',
  ].join('');
}

export interface Measured {
  /** By figure key; a figure that could not be measured is missing. Keys beyond the columns are kept in the JSON. */
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

/** The columns of what one unit of work costs: all of it, and the part outside the kernel. */
export function cpuColumns(
  key: string,
  column: Pick<Figure, 'label' | 'unit' | 'digits'>,
): readonly Figure[] {
  return [
    { key, ...column, better: 'lower' },
    { key: `${key}User`, label: 'user', unit: column.unit, digits: column.digits, better: 'lower' },
  ];
}

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
      [`${key}User`]: balancer.userNs / work.units / work.scale,
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
